"""The thirty process tags of a vessel: names, ranges, and how their sensors behave.

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
    """Smallest step the instrument shows; 0: none."""
    kind: Kind = Kind.DOUBLE
    each: bool = True
    """Whether every instant is published; else only changes."""

    @property
    def loop(self) -> str:
        """Return the part before the dot."""
        return self.name.partition(".")[0]

    @property
    def part(self) -> str:
        """Return the part after the dot; empty for context variables."""
        return self.name.partition(".")[2]


def _setpoint(name: str, what: str, unit: Unit, low: float, high: float) -> Tag:
    return Tag(name, f"{what}, setpoint", unit, low, high, each=False)


def _output(name: str, what: str, low: float = 0.0) -> Tag:
    return Tag(
        name, f"{what}, controller output", units.PERCENT, low, 100.0, quantum=0.01
    )


def _pump(name: str, what: str, high: float) -> Tag:
    return Tag(
        name, f"{what} pump", units.MILLILITRE_PER_MINUTE, 0.0, high,
        noise_share=0.005, lag_s=1.0, quantum=0.01,
    )  # fmt: skip


def _gas_flow(name: str, what: str, high: float) -> Tag:
    return Tag(
        name, f"{what} to sparger, normal conditions", units.LITRE_PER_MINUTE, 0.0,
        high, noise=0.0005 * high, noise_share=0.002, lag_s=1.5, quantum=0.01,
    )  # fmt: skip


def _total(name: str, what: str, high: float) -> Tag:
    return Tag(
        name, f"{what} added in this batch", units.LITRE, 0.0, high, quantum=1e-4
    )


TAGS: tuple[Tag, ...] = (
    Tag("TIC-101.PV", "Broth temperature", units.DEGREE_CELSIUS, 0.0, 60.0,
        noise=0.012, lag_s=15.0, quantum=0.001),
    _setpoint("TIC-101.SP", "Broth temperature", units.DEGREE_CELSIUS, 0.0, 60.0),
    _output("TIC-101.OUT", "Broth temperature"),
    Tag("TIC-102.PV", "Jacket temperature", units.DEGREE_CELSIUS, -10.0, 150.0,
        noise=0.04, lag_s=10.0, quantum=0.01),
    Tag("AIC-101.PV", "pH", units.PH, 0.0, 14.0,
        noise=0.004, lag_s=10.0, quantum=0.001),
    _setpoint("AIC-101.SP", "pH", units.PH, 0.0, 14.0),
    _output("AIC-101.OUT", "pH (above zero base, below carbon dioxide)", -100.0),
    Tag("AIC-102.PV", "Dissolved oxygen", units.PERCENT, -5.0, 400.0,
        noise=0.3, lag_s=15.0, quantum=0.01),
    _setpoint("AIC-102.SP", "Dissolved oxygen", units.PERCENT, 0.0, 100.0),
    _output("AIC-102.OUT", "Dissolved oxygen (stirrer, then air, then oxygen)"),
    Tag("AIC-102.MODE", "Dissolved oxygen, mode: 0 manual, 1 automatic",
        low=0.0, high=1.0, kind=Kind.INT32, each=False),
    Tag("AIT-103.PV", "Dissolved carbon dioxide", units.MILLIBAR, 0.0, 300.0,
        noise_share=0.01, lag_s=80.0, quantum=0.01),
    Tag("AIT-104.PV", "Capacitance of viable cells", units.PICOFARAD_PER_CM, 0.0, 400.0,
        noise=0.04, noise_share=0.01, lag_s=60.0, quantum=0.01),
    Tag("AIT-131.PV", "Oxygen in off-gas", units.PERCENT, 0.0, 100.0,
        noise=0.01, lag_s=30.0, quantum=0.001),
    Tag("AIT-132.PV", "Carbon dioxide in off-gas", units.PERCENT, 0.0, 20.0,
        noise=0.005, lag_s=30.0, quantum=0.001),
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
"""Columns of what the plant measures, in order."""

COLUMN = {tag.name: column for column, tag in enumerate(TAGS)}
"""Column of a tag by name."""

CONTEXT: tuple[Tag, ...] = (
    Tag("BatchId", "Batch in the vessel; empty between batches",
        kind=Kind.STRING, each=False),
    Tag("Phase", "Phase of the recipe", kind=Kind.STRING, each=False),
    Tag("Product", "What the batch makes", kind=Kind.STRING, each=False),
    Tag("Client", "Whom the batch is for", kind=Kind.STRING, each=False),
)  # fmt: skip
"""What each vessel says about its batch."""
