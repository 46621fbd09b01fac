"""What the gallery shows of each fault: which curves, when, at what step. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

TRUE = {
    "true pH": "pH",
    "true oxygen": "oxygen, % air",
    "true temperature": "temperature, °C",
    "bacteria": "bacteria, g/L",
    "glucose": "glucose, mmol/L",
    "lactate": "lactate, mmol/L",
    "antibody": "antibody, g/L",
    "viable": "viable cells, 1e9/L",
    "full": "full capsids per cell",
}
"""Curves that no instrument shows, and their axes."""


@dataclass(frozen=True, slots=True)
class Panels:
    """The picture of one fault."""

    curves: tuple[str, ...]
    """One panel each: a tag, an assay, or one of TRUE."""
    before_h: float = 6.0
    """Hours shown before the onset."""
    after_h: float = 42.0
    age_h: float = 150.0
    """Culture hours at the onset."""
    fine: bool = False
    """Simulated at steps of five seconds, else of two minutes."""
    process: str = "cho"
    """In the vessel that has it."""


OF: dict[str, Panels] = {
    "S01": Panels(("AIC-101.PV", "true pH", "FIC-113.PV"), 12.0, 156.0),
    "S02": Panels(("AIC-101.PV", "true pH", "AIC-101.OUT"), 3.0, 30.0),
    "S03": Panels(("AIC-101.PV", "true pH", "AIC-101.RAW"), 3.0, 18.0),
    "S04": Panels(("AIC-102.PV", "true oxygen", "FIC-112.PV"), 12.0, 108.0),
    "S05": Panels(("AIC-102.PV", "true oxygen", "AIC-102.OUT"), 0.5, 2.5, fine=True),
    "S06": Panels(("AIC-102.PV", "true oxygen", "AIC-102.OUT"), 6.0, 66.0),
    "S07": Panels(("TIC-101.PV", "true temperature", "TIC-102.PV"), 2.0, 12.0),
    "S08": Panels(("TIC-101.PV", "true temperature", "TIC-102.PV"), 3.0, 30.0),
    "S09": Panels(("AIT-104.PV", "viable", "AIT-131.PV"), 12.0, 84.0),
    "S10": Panels(("AIT-106A.PV", "glucose", "LAB.GLUCOSE"), 12.0, 108.0),
    "S11": Panels(("PIC-101.PV", "AIT-132.PV", "AIT-131.PV"), 2.0, 10.0),
    "S12": Panels(("AIT-131.PV", "AIT-132.PV"), 12.0, 132.0),
    "S13": Panels(("FIC-112.PV", "AIC-102.OUT", "AIT-131.PV"), 3.0, 30.0),
    "S14": Panels(("WIT-101.PV", "FQ-121.PV"), 6.0, 54.0),
    "S15": Panels(("WIT-101.PV", "FQ-121.PV"), 0.2, 0.8, fine=True),
    "S16": Panels(("LSH-101.PV", "FQ-124.PV", "AIC-102.OUT"), 3.0, 30.0),
    "A01": Panels(("FIC-121.PV", "WIT-121.PV", "glucose"), 3.0, 14.0),
    "A02": Panels(("FQ-121.PV", "WIT-121.PV", "glucose"), 6.0, 90.0),
    "A03": Panels(("FIC-123.PV", "glucose", "WIT-101.PV"), 3.0, 21.0, age_h=130.0),
    "A04": Panels(("AIC-101.PV", "AIC-101.OUT", "WIT-122.PV"), 3.0, 21.0, age_h=76.0),
    "A05": Panels(("AIC-101.PV", "FIC-113.PV", "WIT-122.PV"), 0.5, 2.5, fine=True),
    "A06": Panels(("SIC-101.PV", "AIC-102.PV", "EI-101.PV"), 0.1, 0.4, fine=True),
    "A07": Panels(("TIC-101.PV", "viable", "TIC-102.PV"), 3.0, 33.0),
    "A07T": Panels(("TIC-101.PV", "viable", "antibody"), 6.0, 54.0, age_h=114.0),
    "A08": Panels(("TIC-101.PV", "TIC-101.OUT", "TIC-102.PV"), 2.0, 12.0),
    "A09": Panels(("FIC-112.PV", "AIC-102.PV", "AIC-102.OUT"), 1.0, 5.0, age_h=200.0),
    "A10": Panels(("PIC-101.PV", "AIT-131.PV"), 2.0, 16.0),
    "P01": Panels(("bacteria", "AIC-102.PV", "AIC-101.PV"), 6.0, 42.0, age_h=102.0),
    "P02": Panels(("AIT-104.PV", "AIC-102.PV", "viable"), 1.0, 71.0, age_h=2.0),
    "P03": Panels(("lactate", "AIC-101.OUT", "AIT-106B.PV"), 12.0, 108.0),
    "P04": Panels(("LAB.TITER", "antibody", "AIT-104.PV"), 12.0, 156.0),
    "P05": Panels(
        ("LAB.FULL_CAPSIDS", "full", "AIT-104.PV"), 6.0, 70.0, 46.0, process="hek293"
    ),
    "C01": Panels(("AIC-102.PV", "TIC-101.PV", "WIT-101.PV"), 0.1, 0.2, fine=True),
    "C02": Panels(("AIC-102.PV", "true oxygen"), 0.05, 0.25, fine=True),
    "C03": Panels(("AIC-102.PV", "TIC-101.PV"), 0.1, 0.3, fine=True),
    "C04": Panels(("AIT-106A.PV", "glucose"), 3.0, 12.0),
    "H01": Panels(("LAB.VCD", "viable"), 72.0, 84.0),
    "H02": Panels(("AIC-101.PV", "true pH", "AIC-101.OUT"), 0.5, 2.5, fine=True),
}
"""By fault."""
