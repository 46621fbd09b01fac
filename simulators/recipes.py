"""Recipe and batches: phases, setpoints, and what differs from batch to batch. Pure.

Phases are named in the manner of ISA-88. Hours count from the start of the batch
(first phase) or, as culture hours, from inoculation.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.domain import FedbatchError
from simulators.feeding import MLPM_PER_LPD, Feeding
from simulators.setpoints import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

US_PER_H = 3_600_000_000
CLOSING_H = 1.0 / 6.0
"""Last part of Harvest: the vessel is empty, lines are flushed, the batch is closed."""
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Phase(StrEnum):
    """What a vessel is doing."""

    PREPARE = "Prepare"
    """Medium is filled, warmed and conditioned."""
    INOCULATE = "Inoculate"
    GROWTH = "Growth"
    """The first phase of every culture."""
    TRANSFECTION = "Transfection"
    """Until the medium is exchanged."""
    FEED = "Feed"
    """Growth with the nutrient feed."""
    TEMPERATURE_SHIFT = "TemperatureShift"
    PRODUCTION = "Production"
    HARVEST = "Harvest"
    CLEAN = "Clean"
    """Turnaround; no batch is in the vessel."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One phase of the culture."""

    phase: Phase
    from_h: float
    """Culture hours."""
    degc: float
    fed: bool = False
    """Whether the nutrient feed runs."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The CHO fed-batch recipe; hours of phases and their setpoints.

    Recipes of other processes replace `stages`; see simulators.organisms.
    """

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
    """What a sample takes, with the flush of its valve."""
    sample_every_h: float = 24.0

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

    @property
    def closed_h(self) -> float:
        """Return the hours from the start of a batch until its procedure is over."""
        return self.cycle_h - self.clean_h - CLOSING_H

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return the phases from inoculation to harvest, in order."""
        warm, cool = self.growth_degc, self.production_degc
        return (
            Stage(Phase.GROWTH, 0.0, warm),
            Stage(Phase.FEED, self.feed_from_h, warm, fed=True),
            Stage(Phase.TEMPERATURE_SHIFT, self.shift_from_h, cool, fed=True),
            Stage(Phase.PRODUCTION, self.production_from_h, cool, fed=True),
        )

    def turns(self) -> tuple[float, ...]:
        """Return the hours since the start of a batch at which something changes.

        Phases, the end of filling, samples, the ends of procedure and batch; ascending.
        """
        culture, every = self.before_culture_h, self.sample_every_h
        samples = int(self.harvest_from_h // every) + 1
        marks = [culture + every * sample for sample in range(samples)]
        ends = (self.harvest_from_h, self.harvest_from_h + self.harvest_h)
        phases = [culture + stage.from_h for stage in self.stages]
        phases += [culture + end for end in ends]
        own = [0.0, self.fill_h, self.prepare_h, self._emptied_h, self.closed_h]
        own.append(self.cycle_h)
        return tuple(sorted({*own, *phases, *marks}))

    def phase(self, hours: float) -> Phase:
        """Return the phase `hours` after the start of the batch."""
        culture = hours - self.before_culture_h
        if hours < self.prepare_h:
            return Phase.PREPARE
        if culture < 0.0:
            return Phase.INOCULATE
        if culture < self.harvest_from_h:
            return self._stage(culture).phase
        emptied = culture >= self.harvest_from_h + self.harvest_h
        return Phase.CLEAN if emptied else Phase.HARVEST

    def _stage(self, culture_h: float) -> Stage:
        return next(
            (s for s in reversed(self.stages) if s.from_h <= culture_h), self.stages[0]
        )

    def setpoints(self, hours: float) -> Target:
        """Return the setpoints `hours` after the start of the batch."""
        phase = self.phase(hours)
        stage = self._stage(hours - self.before_culture_h)
        over = phase in {Phase.HARVEST, Phase.CLEAN}
        filled = phase is not Phase.CLEAN and hours >= self.fill_h
        emptied = hours >= self._emptied_h
        return Target(
            temperature_degc=self.harvest_degc if over else stage.degc,
            ph=self.ph,
            oxygen_percent=self.oxygen_percent,
            feed_mlpm=(
                self.feeding.lpd * MLPM_PER_LPD if stage.fed and not over else 0.0
            ),
            warm=filled,
            breathe=filled and not emptied,
        )


class NameRefused(FedbatchError):  # noqa: N818
    """A batch cannot have this name; the message says which it may have."""


def check_name(name: str, known: Iterable[str]) -> None:
    """Check the name that somebody gives a batch; empty: none is given.

    Raises:
        NameRefused: it is no name, or another batch in a vessel has it.
    """
    if name and not re.fullmatch(_NAME, name):
        raise NameRefused(
            f"batch {name!r}: expected up to 64 letters, digits, dots, dashes or "
            "underscores, the first a letter or digit"
        )
    if name and name in known:
        raise NameRefused(f"batch {name}: expected a name that no vessel's batch has")


def degc_late(recipe: Recipe, hours: float, late_h: float) -> float:
    """Return by how much a temperature that comes late differs from the recipe's, K.

    Only stages of the culture are late: it is inoculated and harvested when it should.

    Args:
        recipe: of the batch.
        hours: since the start of the batch.
        late_h: how late; negative: early.
    """
    begin, end = (
        recipe.before_culture_h,
        recipe.before_culture_h + recipe.harvest_from_h,
    )
    if not begin <= hours < end:
        return 0.0
    shown = min(max(hours - late_h, begin), end - 1e-6)
    due = recipe.setpoints(hours).temperature_degc
    return recipe.setpoints(shown).temperature_degc - due


def next_turn(turns: tuple[float, ...], hours: float) -> float:
    """Return the first of `turns` after `hours`; the last one when none is left."""
    return turns[min(bisect_right(turns, hours), len(turns) - 1)]


PROGRAMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "CHO": (
        ("FB-101 mAb", "Kestrel Biologics"),
        ("FB-204 mAb", "Aldersgate Therapeutics"),
        ("FB-317 bispecific", "Kestrel Biologics"),
    ),
    "HEK293": (
        ("FB-512 rAAV9", "Northwold Genetics"),
        ("FB-530 rAAV8", "Kestrel Biologics"),
    ),
    "PENICILLIN": (("Penicillin G", "Marlow Antibiotics"),),
    "ECOLI": (
        ("FB-702 Fab", "Aldersgate Therapeutics"),
        ("FB-731 plasmid", "Northwold Genetics"),
    ),
}
"""Products and whom they are made for, by turns; by kind of batch."""


def program(kind: str, number: int) -> tuple[str, str]:
    """Return product and client of batch `number`; of unknown kinds those of CHO."""
    known = PROGRAMS.get(kind, PROGRAMS["CHO"])
    return known[number % len(known)]


INOCULUM_SPREAD = 0.07


@dataclass(frozen=True, slots=True)
class Numbering:
    """Which numbers the batches of a plant get.

    Simulators that share a site number `first`, `first + every` and so on, each with
    its own `first` up to `every`: no number comes twice.
    """

    first: int = 1
    every: int = 1

    def at(self, place: int) -> int:
        """Return the number of the batch at a place, from 0.

        >>> [Numbering(2, 3).at(place) for place in range(3)]
        [2, 5, 8]
        """
        return self.first + self.every * place


ALONE = Numbering()
"""Of a simulator that has its site for itself."""


@dataclass(slots=True)
class Batch:
    """One batch in one vessel."""

    number: int
    """Counts the batches of the site."""
    started: int
    """Start of Prepare, us UTC."""
    kind: str = "CHO"
    """Begins its name."""
    samples: int = 0
    """Daily samples drawn, the first at inoculation."""
    bolus_l: float = 0.0
    """Glucose stock still to be pumped."""
    year: int = 0
    """In its name; 0: that of its start. An abort moves the start, not the name."""
    name: str = ""
    """Whoever started it by hand gave it this name."""

    @property
    def named_in(self) -> int:
        """Return the year in its name."""
        return self.year or (_EPOCH + timedelta(microseconds=self.started)).year

    @property
    def id(self) -> str:
        """Return the batch's name, such as CHO-2026-0001."""
        return self.name or f"{self.kind}-{self.named_in}-{self.number:04d}"

    @property
    def product(self) -> str:
        """Return what it makes."""
        return program(self.kind, self.number)[0]

    @property
    def client(self) -> str:
        """Return whom it is for."""
        return program(self.kind, self.number)[1]

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
            "year": self.year,
            "name": self.name,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Batch:
        """Return what `to_json` saw."""
        return cls(**body)
