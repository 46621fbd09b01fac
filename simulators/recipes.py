"""Recipe and batches: phases, setpoints, and what differs from batch to batch. Pure.

Phases are named in the manner of ISA-88. Hours count from the start of the batch
(first phase) or, as culture hours, from inoculation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

US_PER_H = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Phase(StrEnum):
    """What a vessel is doing."""

    PREPARE = "Prepare"
    """Medium is filled, warmed and conditioned."""
    INOCULATE = "Inoculate"
    GROWTH = "Growth"
    FEED = "Feed"
    """Growth with the nutrient feed."""
    TEMPERATURE_SHIFT = "TemperatureShift"
    PRODUCTION = "Production"
    HARVEST = "Harvest"
    CLEAN = "Clean"
    """Turnaround; no batch is in the vessel."""


@dataclass(frozen=True, slots=True)
class Setpoints:
    """What the loops of a vessel shall do now."""

    temperature_degc: float
    ph: float
    oxygen_percent: float
    feed_mlpm: float
    warm: bool
    """Whether the temperature loop is on."""
    breathe: bool
    """Whether the oxygen and pH loops are on."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The CHO fed-batch recipe; hours of phases and their setpoints."""

    prepare_h: float = 12.0
    fill_h: float = 3.0
    """First part of Prepare, in which the medium comes in."""
    inoculate_h: float = 1.0
    feed_from_h: float = 72.0
    """Culture hours, as the next three."""
    shift_from_h: float = 120.0
    production_from_h: float = 124.0
    harvest_from_h: float = 336.0
    harvest_h: float = 8.0
    clean_h: float = 12.0
    medium_l: float = 1300.0
    start_l: float = 1500.0
    """Volume after inoculation."""
    rest_l: float = 50.0
    """Volume of an emptied vessel."""
    viable: float = 0.5
    """1e9 cells/L after inoculation."""
    growth_degc: float = 37.0
    production_degc: float = 33.0
    harvest_degc: float = 18.0
    ph: float = 7.0
    oxygen_percent: float = 40.0
    feed_lpd: float = 45.0
    """Nutrient feed, L per day: 3 % of the start volume."""
    bolus_below: float = 20.0
    """mmol/L of glucose at a daily assay below which a bolus is given."""
    bolus_to: float = 33.0

    @property
    def before_culture_h(self) -> float:
        """Return the hours from the start of a batch to inoculation."""
        return self.prepare_h + self.inoculate_h

    @property
    def cycle_h(self) -> float:
        """Return the hours from the start of a batch to the start of the next."""
        return (
            self.before_culture_h + self.harvest_from_h + self.harvest_h + self.clean_h
        )

    def phase(self, hours: float) -> Phase:
        """Return the phase `hours` after the start of the batch."""
        culture = hours - self.before_culture_h
        ends = (
            (self.prepare_h - self.before_culture_h, Phase.PREPARE),
            (0.0, Phase.INOCULATE),
            (self.feed_from_h, Phase.GROWTH),
            (self.shift_from_h, Phase.FEED),
            (self.production_from_h, Phase.TEMPERATURE_SHIFT),
            (self.harvest_from_h, Phase.PRODUCTION),
            (self.harvest_from_h + self.harvest_h, Phase.HARVEST),
        )
        return next((phase for end, phase in ends if culture < end), Phase.CLEAN)

    def setpoints(self, hours: float) -> Setpoints:
        """Return the setpoints `hours` after the start of the batch."""
        phase = self.phase(hours)
        fed = phase in {Phase.FEED, Phase.TEMPERATURE_SHIFT, Phase.PRODUCTION}
        filled = phase is not Phase.CLEAN and hours >= self.fill_h
        emptied = hours > self.cycle_h - self.clean_h - 0.3 * self.harvest_h
        return Setpoints(
            temperature_degc=self._temperature(phase),
            ph=self.ph,
            oxygen_percent=self.oxygen_percent,
            feed_mlpm=self.feed_lpd / 1.44 if fed else 0.0,
            warm=filled,
            breathe=filled and not emptied,
        )

    def _temperature(self, phase: Phase) -> float:
        if phase in {Phase.HARVEST, Phase.CLEAN}:
            return self.harvest_degc
        if phase in {Phase.TEMPERATURE_SHIFT, Phase.PRODUCTION}:
            return self.production_degc
        return self.growth_degc


PROGRAMS = (
    ("FB-101 mAb", "Kestrel Biologics"),
    ("FB-204 mAb", "Aldersgate Therapeutics"),
    ("FB-317 bispecific", "Kestrel Biologics"),
)
"""Products and whom they are made for, by turns."""

SPREAD = {
    "mu_max": 0.04,
    "yield_glucose": 0.04,
    "productivity": 0.08,
    "k_cell_time": 0.08,
    "maintenance": 0.08,
}
"""Lognormal standard deviations of kinetic constants from batch to batch."""
INOCULUM_SPREAD = 0.07


@dataclass(slots=True)
class Batch:
    """One batch in one vessel."""

    number: int
    """Counts the batches of the plant."""
    started: int
    """Start of Prepare, us UTC."""
    marks: int = 0
    """Daily assays done, the first at the start of the feed."""
    bolus_l: float = 0.0
    """Glucose stock still to be pumped."""

    @property
    def id(self) -> str:
        """Return the batch's name, such as CHO-2026-0001."""
        year = (_EPOCH + timedelta(microseconds=self.started)).year
        return f"CHO-{year}-{self.number:04d}"

    @property
    def product(self) -> str:
        """Return what it makes."""
        return PROGRAMS[self.number % len(PROGRAMS)][0]

    @property
    def client(self) -> str:
        """Return whom it is for."""
        return PROGRAMS[self.number % len(PROGRAMS)][1]

    def factors(self, seed: int) -> dict[str, float]:
        """Return this batch's factors on kinetic constants, and `inoculum`.

        They depend on the seed and the batch's number only.
        """
        random = np.random.Generator(np.random.PCG64([seed, self.number]))
        spread = SPREAD | {"inoculum": INOCULUM_SPREAD}
        draws = random.standard_normal(len(spread))
        return {
            name: float(np.exp(sigma * draw))
            for (name, sigma), draw in zip(spread.items(), draws, strict=True)
        }

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        return {
            "number": self.number,
            "started": self.started,
            "marks": self.marks,
            "bolus_l": self.bolus_l,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Batch:
        """Return what `to_json` saw."""
        return cls(**body)
