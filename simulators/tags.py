"""The tags of a vessel: names, ranges, units, and how their instruments behave.

Pure data. Names follow `<ISA-5.1 function>-<loop>.<PV|SP|OUT|MODE>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulators import units
from simulators.units import Unit


class Kind(StrEnum):
    """Built-in type of a variable."""

    DOUBLE = "Double"
    BOOLEAN = "Boolean"
    INT32 = "Int32"
    STRING = "String"


@dataclass(frozen=True, slots=True)
class Tag:
    """One variable of every vessel and the instrument behind it."""

    name: str
    """`loop.part`, for example `TIC-101.PV`."""
    description: str
    unit: Unit | None = None
    low: float = 0.0
    """EURange; measured values are clipped to it."""
    high: float = 100.0
    noise: float = 0.0
    """Standard deviation of white noise, in `unit`."""
    noise_share: float = 0.0
    """The same as a share of the reading, added."""
    lag_s: float = 0.0
    """Time constant of the instrument."""
    quantum: float = 0.0
    """Smallest step the transmitter sends; 0: none."""
    period_s: float = 0.0
    """Time between two values of a slow instrument; 0: every instant."""
    accuracy: str = ""
    """Of a calibrated instrument, in words."""
    kind: Kind = Kind.DOUBLE
    each: bool = True
    """Whether every instant is published; else only changes."""
    writable: bool = False
    """Whether operators may write it."""

    @property
    def loop(self) -> str:
        """Return the part before the dot."""
        return self.name.partition(".")[0]

    @property
    def part(self) -> str:
        """Return the part after the dot; empty for context variables."""
        return self.name.partition(".")[2]


def _setpoint(
    name: str, what: str, unit: Unit, low: float, high: float, *, told: bool = True
) -> Tag:
    return Tag(name, f"{what}, setpoint", unit, low, high, each=False, writable=told)


def _followed(name: str, what: str, unit: Unit, low: float, high: float) -> Tag:
    """Return a setpoint that a loop moves, for the record."""
    return Tag(
        name, f"{what}, setpoint of a cascade", unit, low, high, period_s=5.0,
        quantum=0.01,
    )  # fmt: skip


def _output(name: str, what: str, low: float = 0.0) -> Tag:
    return Tag(
        name, f"{what}, controller output", units.PERCENT, low, 100.0, quantum=0.01,
        writable=True,
    )  # fmt: skip


def _mode(name: str, what: str) -> Tag:
    return Tag(
        name, f"{what}, mode: 0 manual, 1 automatic", low=0.0, high=1.0,
        kind=Kind.INT32, each=False, writable=True,
    )  # fmt: skip


def _pump(name: str, what: str, high: float) -> Tag:
    return Tag(
        name, f"{what} pump", units.MILLILITRE_PER_MINUTE, 0.0, high,
        noise_share=0.005, lag_s=1.0, quantum=0.01, accuracy="1 to 2 % calibrated",
    )  # fmt: skip


def _gas_flow(name: str, what: str, high: float) -> Tag:
    return Tag(
        name, f"{what} to sparger, normal conditions", units.LITRE_PER_MINUTE, 0.0,
        high, noise=0.0005 * high, noise_share=0.002, lag_s=1.5, quantum=0.01,
        accuracy="0.5 % of reading and 0.1 % of full scale",
    )  # fmt: skip


def _total(name: str, what: str, high: float) -> Tag:
    return Tag(
        name, f"{what} added in this batch", units.LITRE, 0.0, high, quantum=1e-4
    )


def _bottle(name: str, what: str, high: float) -> Tag:
    return Tag(
        name, f"{what} bottle weight", units.KILOGRAM, 0.0, high,
        noise=0.001 + 1e-5 * high, lag_s=3.0, quantum=0.001,
    )  # fmt: skip


def _raman(name: str, what: str, high: float, noise: float, error: str) -> Tag:
    return Tag(
        name, f"{what} by Raman spectra", units.GRAM_PER_LITRE, 0.0, high,
        noise=noise, lag_s=60.0, quantum=0.01, period_s=900.0, accuracy=error,
    )  # fmt: skip


def _assay(name: str, what: str, unit: Unit, high: float, share: float = 0.0,
           noise: float = 0.0) -> Tag:  # fmt: skip
    return Tag(
        name, f"{what}, daily sample, at the time it was drawn", unit, 0.0, high,
        noise=noise, noise_share=share,
    )  # fmt: skip


CORE: tuple[Tag, ...] = (
    Tag("TIC-101.PV", "Broth temperature", units.DEGREE_CELSIUS, 0.0, 60.0,
        noise=0.012, lag_s=15.0, quantum=0.001, accuracy="class A, 0.1 Cel"),
    _setpoint("TIC-101.SP", "Broth temperature", units.DEGREE_CELSIUS, 0.0, 60.0),
    _output("TIC-101.OUT", "Broth temperature (to the jacket)"),
    Tag("TIC-102.PV", "Jacket temperature", units.DEGREE_CELSIUS, -10.0, 150.0,
        noise=0.04, lag_s=10.0, quantum=0.01),
    Tag("AIC-101.PV", "pH", units.PH, 0.0, 14.0,
        noise=0.004, lag_s=10.0, quantum=0.001, accuracy="0.02 fresh, 0.1 at the end"),
    _setpoint("AIC-101.SP", "pH", units.PH, 0.0, 14.0),
    _output("AIC-101.OUT", "pH (above zero base, below carbon dioxide)", -100.0),
    Tag("AIC-102.PV", "Dissolved oxygen", units.PERCENT, -5.0, 400.0,
        noise=0.3, lag_s=15.0, quantum=0.01, accuracy="1 to 2 %"),
    _setpoint("AIC-102.SP", "Dissolved oxygen", units.PERCENT, 0.0, 100.0),
    _output("AIC-102.OUT", "Dissolved oxygen (stirrer, then air, then oxygen)"),
    _mode("AIC-102.MODE", "Dissolved oxygen"),
    Tag("AIT-103.PV", "Dissolved carbon dioxide", units.MILLIBAR, 0.0, 300.0,
        noise_share=0.01, lag_s=80.0, quantum=0.01, period_s=10.0),
    Tag("AIT-104.PV", "Capacitance of viable cells", units.PICOFARAD_PER_CM, 0.0, 400.0,
        noise=0.04, noise_share=0.01, lag_s=60.0, quantum=0.01, period_s=12.0,
        accuracy="5 to 10 %"),
    Tag("AIT-131.PV", "Oxygen in off-gas", units.PERCENT, 0.0, 100.0,
        noise=0.01, lag_s=30.0, quantum=0.001, period_s=5.0),
    Tag("AIT-132.PV", "Carbon dioxide in off-gas", units.PERCENT, 0.0, 20.0,
        noise=0.005, lag_s=30.0, quantum=0.001, period_s=5.0),
    Tag("PIC-101.PV", "Head pressure, gauge", units.MILLIBAR, -50.0, 1500.0,
        noise=0.6, lag_s=1.0, quantum=0.1),
    Tag("SIC-101.PV", "Agitation", units.PER_MINUTE, 0.0, 2000.0,
        noise_share=0.003, lag_s=1.5, quantum=0.1),
    _gas_flow("FIC-111.PV", "Air", 50.0),
    _gas_flow("FIC-112.PV", "Oxygen", 50.0),
    _gas_flow("FIC-113.PV", "Carbon dioxide", 20.0),
    _pump("FIC-121.PV", "Nutrient feed", 100.0),
    _setpoint("FIC-121.SP", "Nutrient feed", units.MILLILITRE_PER_MINUTE, 0.0, 100.0),
    _pump("FIC-122.PV", "Base", 200.0),
    _pump("FIC-123.PV", "Glucose", 1000.0),
    _total("FQ-121.PV", "Nutrient feed", 1000.0),
    _total("FQ-122.PV", "Base", 200.0),
    _total("FQ-123.PV", "Glucose", 500.0),
    Tag("WIT-101.PV", "Vessel weight, tared", units.KILOGRAM, 0.0, 3000.0,
        noise=0.6, lag_s=3.0, quantum=0.1),
    Tag("WIT-121.PV", "Nutrient feed tank weight", units.KILOGRAM, 0.0, 1000.0,
        noise=0.1, lag_s=3.0, quantum=0.05),
    Tag("LSH-101.PV", "Foam at the top probe", kind=Kind.BOOLEAN, each=False,
        low=0.0, high=1.0),
)  # fmt: skip
"""What any fed-batch vessel has."""

MORE: tuple[Tag, ...] = (
    _mode("TIC-101.MODE", "Broth temperature"),
    _followed("TIC-102.SP", "Jacket temperature", units.DEGREE_CELSIUS, -10.0, 150.0),
    _mode("AIC-101.MODE", "pH"),
    Tag("AIC-101.RAW", "pH probe, raw", units.MILLIVOLT, -500.0, 500.0,
        noise=0.25, lag_s=10.0, quantum=0.01, period_s=5.0,
        accuracy="slope 95 to 105 %, offset 30 mV"),
    Tag("AIC-102.RAW", "Oxygen probe, raw", units.NANOAMPERE, -10.0, 500.0,
        noise=0.2, lag_s=15.0, quantum=0.01, period_s=5.0),
    Tag("AIT-105.PV", "Turbidity", units.ONE, 0.0, 5.0,
        noise=0.002, noise_share=0.01, lag_s=5.0, quantum=0.001, period_s=5.0),
    _raman("AIT-106A.PV", "Glucose", 20.0, 0.3, "RMSEP 0.65 g/L"),
    _raman("AIT-106B.PV", "Lactate", 10.0, 0.2, "RMSEP 0.48 g/L"),
    _raman("AIT-106C.PV", "Product", 10.0, 0.15, "RMSEP 0.3 g/L"),
    _followed("SIC-101.SP", "Agitation", units.PER_MINUTE, 0.0, 2000.0),
    Tag("JI-101.PV", "Stirrer motor power", units.WATT, 0.0, 1500.0,
        noise=0.3, noise_share=0.01, lag_s=2.0, quantum=0.1, period_s=5.0),
    Tag("EI-101.PV", "Stirrer torque", units.NEWTON_METRE, 0.0, 200.0,
        noise=0.02, noise_share=0.01, lag_s=2.0, quantum=0.01, period_s=5.0),
    _followed("FIC-111.SP", "Air", units.LITRE_PER_MINUTE, 0.0, 50.0),
    _followed("FIC-112.SP", "Oxygen", units.LITRE_PER_MINUTE, 0.0, 50.0),
    _followed("FIC-113.SP", "Carbon dioxide", units.LITRE_PER_MINUTE, 0.0, 20.0),
    _gas_flow("FIC-114.PV", "Nitrogen", 50.0),
    _pump("FIC-124.PV", "Antifoam", 100.0),
    _total("FQ-124.PV", "Antifoam", 10.0),
    _bottle("WIT-122.PV", "Base", 100.0),
    _bottle("WIT-123.PV", "Glucose", 300.0),
    _bottle("WIT-124.PV", "Antifoam", 20.0),
    Tag("AT-141.PV", "Conductivity at 25 Cel", units.MILLISIEMENS_PER_CM, 0.0, 50.0,
        noise_share=0.005, lag_s=5.0, quantum=0.01, period_s=10.0),
)  # fmt: skip
"""What a well-equipped one has besides."""

TAGS: tuple[Tag, ...] = (*CORE, *MORE)
"""Columns of what the plant measures, in order."""

COLUMN = {tag.name: column for column, tag in enumerate(TAGS)}
"""Column of a tag by name."""

ASSAYS: tuple[Tag, ...] = (
    _assay("LAB.VCD", "Viable cells", units.CELLS, 500.0, 0.07),
    _assay("LAB.VIABILITY", "Viability", units.PERCENT, 100.0, 0.0, 1.0),
    _assay("LAB.GLUCOSE", "Glucose", units.GRAM_PER_LITRE, 50.0, 0.03, 0.02),
    _assay("LAB.LACTATE", "Lactate", units.GRAM_PER_LITRE, 50.0, 0.03, 0.02),
    _assay("LAB.AMMONIUM", "Ammonium", units.MILLIMOLE_PER_LITRE, 50.0, 0.05),
    _assay("LAB.TITER", "Product", units.GRAM_PER_LITRE, 50.0, 0.04, 0.01),
    _assay("LAB.OSMOLALITY", "Osmolality", units.OSMOLALITY, 1000.0, 0.01),
    _assay("LAB.PH", "pH outside the vessel", units.PH, 14.0, 0.0, 0.01),
)  # fmt: skip
"""What the laboratory finds in each daily sample of a culture of cells, hours later."""

MORE_ASSAYS: tuple[Tag, ...] = (
    _assay("LAB.DRY_MASS", "Dry mass", units.GRAM_PER_LITRE, 500.0, 0.03),
    _assay("LAB.ACETATE", "Acetate", units.GRAM_PER_LITRE, 100.0, 0.04),
    _assay("LAB.FULL_CAPSIDS", "Full capsids", units.CAPSIDS, 1e4, 0.10),
    _assay("LAB.CAPSIDS", "Capsids, full or empty", units.CAPSIDS, 1e5, 0.08),
    _assay("LAB.FULL_SHARE", "Full capsids of all", units.PERCENT, 100.0, 0.10),
    _assay("LAB.VECTOR_DNA", "Vector genomes", units.CAPSIDS, 1e5, 0.10),
)
"""What it finds of some processes only; errors: practice of capsid ELISA and digital
PCR, dry mass, enzymatic assays."""

ALL_ASSAYS: tuple[Tag, ...] = (*ASSAYS, *MORE_ASSAYS)

ASSAY = {tag.name: column for column, tag in enumerate(ALL_ASSAYS)}
"""Column of an assay by name."""

CONTEXT: tuple[Tag, ...] = (
    Tag("BatchId", "Batch in the vessel; empty between batches",
        kind=Kind.STRING, each=False),
    Tag("Phase", "Phase of the recipe", kind=Kind.STRING, each=False),
    Tag("Product", "What the batch makes", kind=Kind.STRING, each=False),
    Tag("Client", "Whom the batch is for", kind=Kind.STRING, each=False),
    Tag("State", "State of the batch's procedure, after ISA-88",
        kind=Kind.STRING, each=False),
)  # fmt: skip
"""What each vessel says about its batch."""
