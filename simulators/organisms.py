"""What can be cultivated: process, vessel, recipe and instruments of each. Pure.

CHO stands in a 2 000 L single-use vessel, HEK293 in one of 200 L, penicillin in a
150 L and E. coli in a 30 L stirred tank of steel. Tags have the same names everywhere;
spans and noise are those of the vessel, and what a process has no use for is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log10
from typing import TYPE_CHECKING

from shared.bioprocess import hek
from shared.bioprocess.cho_process import ChoProcess
from shared.bioprocess.ecoli import EcoliProcess
from shared.bioprocess.hek import HekProcess
from shared.bioprocess.penicillin import PenicillinProcess
from shared.domain import FedbatchError
from simulators.feeding import Feeding, Strategy
from simulators.processes.design import Design
from simulators.recipes import Phase, Recipe, Stage
from simulators.tags import ALL_ASSAYS, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.bioprocess.process import Process
    from simulators.faults.catalogue import Catalogue
    from simulators.tags import Tag


class OrganismUnknown(FedbatchError):  # noqa: N818
    """Nothing of this name can be cultivated."""


@dataclass(frozen=True, slots=True)
class EcoliRecipe(Recipe):
    """Batch on 5 g/L of glucose, exponential feed at 0.12 1/h, expression at 30 °C."""

    prepare_h: float = 3.0
    fill_h: float = 1.0
    inoculate_h: float = 0.25
    feed_from_h: float = 9.5
    production_from_h: float = 20.0
    harvest_from_h: float = 32.0
    harvest_h: float = 2.0
    clean_h: float = 4.0
    medium_l: float = 19.5
    start_l: float = 20.0
    rest_l: float = 1.0
    viable: float = 0.17
    growth_degc: float = 37.0
    production_degc: float = 30.0
    harvest_degc: float = 15.0
    oxygen_percent: float = 30.0
    feeding: Feeding = field(
        default_factory=lambda: Feeding(
            Strategy.EXPONENTIAL, lpd=1.1, rate_per_h=0.12, most_lpd=5.0
        )
    )
    sample_l: float = 0.02
    sample_every_h: float = 2.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return the phases from inoculation to harvest, in order."""
        return (
            Stage(Phase.GROWTH, 0.0, self.growth_degc),
            Stage(Phase.FEED, self.feed_from_h, self.growth_degc, fed=True),
            Stage(
                Phase.PRODUCTION, self.production_from_h, self.production_degc, fed=True
            ),
        )


@dataclass(frozen=True, slots=True)
class PenicillinRecipe(Recipe):
    """Batch on 15 g/L of glucose, then 0.042 L/h of 600 g/L to 400 h (Birol 2002)."""

    prepare_h: float = 8.0
    fill_h: float = 2.0
    feed_from_h: float = 44.0
    harvest_from_h: float = 400.0
    harvest_h: float = 6.0
    clean_h: float = 12.0
    medium_l: float = 95.0
    start_l: float = 100.0
    rest_l: float = 3.0
    viable: float = 0.1
    growth_degc: float = 25.0
    production_degc: float = 25.0
    harvest_degc: float = 10.0
    ph: float = 5.0
    oxygen_percent: float = 80.0
    feeding: Feeding = field(default_factory=lambda: Feeding(lpd=0.042 * 24.0))
    sample_l: float = 0.05
    sample_every_h: float = 12.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return the phases from inoculation to harvest, in order."""
        return (
            Stage(Phase.GROWTH, 0.0, self.growth_degc),
            Stage(Phase.PRODUCTION, self.feed_from_h, self.growth_degc, fed=True),
        )


@dataclass(frozen=True, slots=True)
class HekRecipe(Recipe):
    """Growth to 2e6/mL, transfection, exchange of the medium, harvest after 72 h."""

    prepare_h: float = 8.0
    fill_h: float = 2.0
    feed_from_h: float = hek.TRANSFECTION_H + hek.EXCHANGE_H
    production_from_h: float = hek.TRANSFECTION_H + hek.EXCHANGE_H
    harvest_from_h: float = hek.TRANSFECTION_H + hek.HARVEST_H
    harvest_h: float = 4.0
    clean_h: float = 8.0
    medium_l: float = 140.0
    start_l: float = 160.0
    rest_l: float = 5.0
    oxygen_percent: float = 40.0
    feeding: Feeding = field(default_factory=lambda: Feeding(lpd=0.0))
    bolus_below: float = 20.0
    bolus_to: float = 30.0
    sample_l: float = 0.05

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return the phases from inoculation to harvest, in order."""
        return (
            Stage(Phase.GROWTH, 0.0, self.growth_degc),
            Stage(Phase.TRANSFECTION, hek.TRANSFECTION_H, self.growth_degc),
            Stage(Phase.PRODUCTION, self.production_from_h, self.growth_degc),
        )


STEEL_30_L = Design(
    cross_section_m2=0.049,
    gas_room_l=30.0,
    power_number=5.0,
    impeller_m=0.10,
    kla_constant=139.0,
    antifoam_shot_l=0.0004,
    antifoam_mlpm=2.0,
    overlay_lpm=0.5,
    air_low_lpm=10.0,
    air_high_lpm=30.0,
    oxygen_high_lpm=15.0,
    carbon_dioxide_high_lpm=0.0,
    oxygen_gain=0.08,
    oxygen_integral_s=120.0,
    agitation_low_rpm=300.0,
    agitation_high_rpm=1200.0,
    relief_mbar=1000.0,
    jacket_w_per_k=100.0,
    ambient_w_per_k=1.0,
    jacket_low_degc=4.0,
    evaporation_per_day=0.004,
    base_high_mlpm=10.0,
    base_eq_per_l=13.0,
    base_carbon_per_eq=0.0,
    feed_alkalinity=0.0,
    medium_alkalinity=1.5,
    medium_carbon=1.0,
    bottles_kg=(12.0, 5.0, 2.0, 0.5),
    bottle_kg_per_l=(1.12, 0.91, 1.1, 1.0),
)
STEEL_150_L = Design(
    cross_section_m2=0.13,
    gas_room_l=150.0,
    power_number=5.0,
    impeller_m=0.17,
    kla_constant=75.0,
    antifoam_shot_l=0.002,
    antifoam_mlpm=10.0,
    overlay_lpm=1.0,
    air_low_lpm=30.0,
    air_high_lpm=100.0,
    oxygen_high_lpm=30.0,
    carbon_dioxide_high_lpm=0.0,
    agitation_low_rpm=120.0,
    agitation_high_rpm=450.0,
    relief_mbar=1000.0,
    jacket_w_per_k=300.0,
    ambient_w_per_k=4.0,
    evaporation_per_day=0.024,
    base_high_mlpm=10.0,
    base_eq_per_l=13.0,
    base_carbon_per_eq=0.0,
    feed_alkalinity=0.0,
    medium_alkalinity=-19.5,
    medium_carbon=0.5,
    bottles_kg=(25.0, 10.0, 5.0, 1.0),
    bottle_kg_per_l=(1.23, 0.91, 1.23, 1.0),
)
SINGLE_USE_200_L = Design(
    cross_section_m2=0.24,
    gas_room_l=260.0,
    impeller_m=0.20,
    kla_constant=150.0,
    antifoam_shot_l=0.003,
    antifoam_mlpm=10.0,
    overlay_lpm=2.0,
    air_low_lpm=0.8,
    air_high_lpm=4.0,
    oxygen_high_lpm=4.0,
    carbon_dioxide_high_lpm=1.5,
    agitation_low_rpm=100.0,
    agitation_high_rpm=180.0,
    vent_mbar_per_lpm=4.0,
    jacket_w_per_k=180.0,
    ambient_w_per_k=6.0,
    base_high_mlpm=12.0,
    bolus_mlpm=80.0,
    bottles_kg=(20.0, 8.0, 15.0, 1.0),
)

_NO_FAULTS_OF_CELLS = frozenset({"A03", "A07T", "H01", "P01", "P02", "P03", "P05"})
"""What microbes cannot have: glucose shots, cell counts and shifts, guests, lactate."""
_MICROBIAL = frozenset(
    {
        "AIT-103.PV", "AIT-106B.PV", "FIC-113.PV", "FIC-113.SP",
        "FIC-123.PV", "FQ-123.PV", "WIT-123.PV",
    }
)  # fmt: skip
"""No carbon dioxide for acid, no glucose shots, no lactate."""


def _spans(spans: Mapping[str, tuple[float, float]]) -> tuple[Tag, ...]:
    """Return the tags with other spans and noise where `spans` names them.

    Resolution follows the noise.
    """
    changed = []
    for tag in TAGS:
        if tag.name not in spans:
            changed.append(tag)
            continue
        high, noise = spans[tag.name]
        quantum = tag.quantum
        if tag.noise > 0.0 and noise < tag.noise:
            quantum = 10.0 ** -round(-log10(noise / 5.0))
        changed.append(replace(tag, high=high, noise=noise, quantum=quantum))
    return tuple(changed)


@dataclass(frozen=True, slots=True)
class Organism:
    """Everything a plant needs to cultivate it."""

    process: Process
    design: Design = field(default_factory=Design)
    recipe: Recipe = field(default_factory=Recipe)
    tags: tuple[Tag, ...] = TAGS
    absent: frozenset[str] = frozenset()
    """Tags that its vessels do not have."""
    product: str = "antibody"
    """The process's quantity that it makes."""
    pictured: tuple[str, ...] = ("glucose", "lactate", "ammonium")
    """Quantities worth a line."""
    faultless: frozenset[str] = frozenset({"P05"})
    """Faults of the catalogue that mean nothing to it."""

    def columns(self) -> tuple[Tag, ...]:
        """Return the tags that its vessels have."""
        return tuple(tag for tag in self.tags if tag.name not in self.absent)

    def assays(self) -> tuple[Tag, ...]:
        """Return what the laboratory finds in its samples."""
        sample = self.process.assays(self.process.inoculated(1.0, 1.0))
        names = {f"LAB.{name.upper()}" for name in sample} | {"LAB.PH"}
        return tuple(tag for tag in ALL_ASSAYS if tag.name in names)

    def scatter(self, catalogue: Catalogue, fault: str) -> Iterator[tuple[int, float]]:
        """Yield column and fault-free scatter of the tags in which a fault shows.

        The catalogue has the scatter of CHO vessels; where instruments are finer or
        coarser, so is the scatter.
        """
        for column, sigma in catalogue.sigmas(fault):
            own, usual = self.tags[column], TAGS[column]
            if own.name in self.absent:
                continue
            finer = own.noise / usual.noise if own.noise and usual.noise else 1.0
            yield column, sigma * finer


ORGANISMS: Mapping[str, Organism] = {
    "cho": Organism(ChoProcess()),
    "hek293": Organism(
        HekProcess(),
        SINGLE_USE_200_L,
        HekRecipe(),
        _spans(
            {
                "WIT-101.PV": (300.0, 0.06), "WIT-121.PV": (50.0, 0.005),
                "FIC-111.PV": (10.0, 0.005), "FIC-112.PV": (10.0, 0.005),
                "FIC-113.PV": (5.0, 0.0025), "FQ-121.PV": (100.0, 0.0),
            }
        ),
        product="full",
        faultless=frozenset({"A07T", "P04"}),
    ),
    "penicillin": Organism(
        PenicillinProcess(),
        STEEL_150_L,
        PenicillinRecipe(),
        _spans(
            {
                "AIT-105.PV": (60.0, 0.02), "WIT-101.PV": (200.0, 0.04),
                "WIT-121.PV": (50.0, 0.005), "FIC-111.PV": (200.0, 0.1),
                "FIC-111.SP": (200.0, 0.0), "AIT-106A.PV": (50.0, 0.3),
            }
        ),
        _MICROBIAL,
        "penicillin",
        ("sugar",),
        _NO_FAULTS_OF_CELLS,
    ),
    "ecoli": Organism(
        EcoliProcess(),
        STEEL_30_L,
        EcoliRecipe(),
        _spans(
            {
                "AIT-105.PV": (200.0, 0.02), "WIT-101.PV": (40.0, 0.008),
                "WIT-121.PV": (20.0, 0.002), "JI-101.PV": (3000.0, 0.3),
            }
        ),
        _MICROBIAL,
        "biomass",
        ("sugar", "acetate"),
        _NO_FAULTS_OF_CELLS | {"P04"},
    ),
}  # fmt: skip
"""By name, as `--process` and the plant's configuration say it."""


def organism(name: str) -> Organism:
    """Return what is known under a name.

    Raises:
        OrganismUnknown: nothing is.
    """
    if name not in ORGANISMS:
        known = ", ".join(ORGANISMS)
        raise OrganismUnknown(f"process {name}: expected one of {known}")
    return ORGANISMS[name]
