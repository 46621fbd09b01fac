"""What a campaign consists of: batches, vessels, times. Pure.

Vessels work in lockstep: `VESSELS` batches are simulated together, whatever the
campaign's length, so that a batch depends on the seed and its number only. In the
calendar, vessels begin one after the other, and each begins its next batch when it is
clean.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from simulators.organisms import organism
from simulators.recipes import US_PER_H

if TYPE_CHECKING:
    from simulators.campaign.mix import Mix
    from simulators.organisms import Organism
    from simulators.recipes import Recipe

VESSELS = 10
"""Vessels of a campaign."""
FIRST = datetime(2026, 1, 5, 6, tzinfo=UTC)
"""When the first batch begins, unless told otherwise."""
US_PER_S = 1_000_000
TRUTH_STEP_S = 300
"""Seconds between rows of the truth."""
LONGEST_STEP_S = 300
"""Seconds between rows of readings at most; a step divides the truth's."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Everything that the data set depends on."""

    batches: int
    seed: int
    mix: Mix
    faults: str
    """Name of the mix, as given."""
    step: int = 30 * US_PER_S
    """us between two rows of readings."""
    process: str = "cho"
    first: datetime = FIRST
    shortened: Recipe | None = None
    """Instead of the process's recipe."""

    @property
    def organism(self) -> Organism:
        """Return what is cultivated."""
        return organism(self.process)

    @property
    def recipe(self) -> Recipe:
        """Return the recipe of all batches."""
        return self.shortened or self.organism.recipe

    @property
    def truth_step(self) -> int:
        """Return the us between two rows of truth: whole steps."""
        return TRUTH_STEP_S * US_PER_S

    @property
    def groups(self) -> int:
        """Return how many lots of `VESSELS` batches are simulated."""
        return -(-self.batches // VESSELS)

    @property
    def length_us(self) -> int:
        """Return how long a batch lasts, from Prepare to the end of Harvest."""
        return round((self.recipe.cycle_h - self.recipe.clean_h) * US_PER_H)

    def slots(self, group: int) -> tuple[Slot, ...]:
        """Return the batches of a group that belong to the campaign, in order."""
        numbers = range(group * VESSELS + 1, (group + 1) * VESSELS + 1)
        return tuple(self._slot(n) for n in numbers if n <= self.batches)

    def _slot(self, number: int) -> Slot:
        turn, place = divmod(number - 1, VESSELS)
        cycle = self.recipe.cycle_h
        stagger = round(place * cycle / VESSELS)
        begins = self.first + timedelta(hours=turn * cycle + stagger)
        return Slot(
            number=number,
            batch=f"{self.process.upper()}-{self.first.year}-{number:04d}",
            vessel=vessel_name(place),
            place=place,
            start=(begins - _EPOCH) // timedelta(microseconds=1),
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """One batch of a campaign."""

    number: int
    """From 1."""
    batch: str
    vessel: str
    place: int
    """Of the vessel in its group, from 0."""
    start: int
    """Of Prepare, us UTC."""


def vessel_name(place: int) -> str:
    """Return the name of a vessel: BR101 and so on."""
    return f"BR{101 + place}"
