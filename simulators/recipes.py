"""Recipe and batches: phases, setpoints, and what differs from batch to batch. Pure.

Phases are named in the manner of ISA-88. Hours count from the start of the batch
(first phase) or, as culture hours, from inoculation.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.feeding import MLPM_PER_LPD, Feeding
from simulators.setpoints import Target

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
    feeding: Feeding = field(default_factory=Feeding)
    bolus_below: float = 20.0
    """mmol/L of glucose at a daily assay below which a bolus is given."""
    bolus_to: float = 33.0
    sample_l: float = 0.3
    """What a daily sample takes, with the flush of its valve."""

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

    @property
    def _emptied_h(self) -> float:
        return self.cycle_h - self.clean_h - 0.3 * self.harvest_h

    def turns(self) -> tuple[float, ...]:
        """Return the hours since the start of a batch at which something changes.

        Phases, the end of filling, daily samples, the end of a batch; ascending.
        """
        culture = self.before_culture_h
        days = int(self.harvest_from_h // 24.0) + 1
        marks = [culture + 24.0 * day for day in range(days)]
        phases = [
            culture + hour
            for hour in (
                0.0,
                self.feed_from_h,
                self.shift_from_h,
                self.production_from_h,
                self.harvest_from_h,
                self.harvest_from_h + self.harvest_h,
            )
        ]
        own = [0.0, self.fill_h, self.prepare_h, self._emptied_h, self.cycle_h]
        return tuple(sorted({*own, *phases, *marks}))

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

    def setpoints(self, hours: float) -> Target:
        """Return the setpoints `hours` after the start of the batch."""
        phase = self.phase(hours)
        fed = phase in {Phase.FEED, Phase.TEMPERATURE_SHIFT, Phase.PRODUCTION}
        filled = phase is not Phase.CLEAN and hours >= self.fill_h
        emptied = hours >= self._emptied_h
        return Target(
            temperature_degc=self._temperature(phase),
            ph=self.ph,
            oxygen_percent=self.oxygen_percent,
            feed_mlpm=self.feeding.lpd * MLPM_PER_LPD if fed else 0.0,
            warm=filled,
            breathe=filled and not emptied,
        )

    def _temperature(self, phase: Phase) -> float:
        if phase in {Phase.HARVEST, Phase.CLEAN}:
            return self.harvest_degc
        if phase in {Phase.TEMPERATURE_SHIFT, Phase.PRODUCTION}:
            return self.production_degc
        return self.growth_degc


def next_turn(turns: tuple[float, ...], hours: float) -> float:
    """Return the first of `turns` after `hours`; the last one when none is left."""
    return turns[min(bisect_right(turns, hours), len(turns) - 1)]


PROGRAMS = (
    ("FB-101 mAb", "Kestrel Biologics"),
    ("FB-204 mAb", "Aldersgate Therapeutics"),
    ("FB-317 bispecific", "Kestrel Biologics"),
)
"""Products and whom they are made for, by turns."""

INOCULUM_SPREAD = 0.07


@dataclass(slots=True)
class Batch:
    """One batch in one vessel."""

    number: int
    """Counts the batches of the plant."""
    started: int
    """Start of Prepare, us UTC."""
    kind: str = "CHO"
    """Begins its name."""
    samples: int = 0
    """Daily samples drawn, the first at inoculation."""
    bolus_l: float = 0.0
    """Glucose stock still to be pumped."""

    @property
    def id(self) -> str:
        """Return the batch's name, such as CHO-2026-0001."""
        year = (_EPOCH + timedelta(microseconds=self.started)).year
        return f"{self.kind}-{year}-{self.number:04d}"

    @property
    def product(self) -> str:
        """Return what it makes."""
        return PROGRAMS[self.number % len(PROGRAMS)][0]

    @property
    def client(self) -> str:
        """Return whom it is for."""
        return PROGRAMS[self.number % len(PROGRAMS)][1]

    def factors(self, seed: int, spread: Mapping[str, float]) -> dict[str, float]:
        """Return this batch's factors on kinetic constants, and `inoculum`.

        They depend on the seed, the batch's number and `spread` only: lognormal
        standard deviations by constant.
        """
        random = np.random.Generator(np.random.PCG64([seed, self.number]))
        spread = {**spread, "inoculum": INOCULUM_SPREAD}
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
            "kind": self.kind,
            "samples": self.samples,
            "bolus_l": self.bolus_l,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Batch:
        """Return what `to_json` saw."""
        return cls(**body)
