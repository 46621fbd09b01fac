"""What operators do to the batches of a campaign besides the recipe. Pure.

They change setpoints for some hours, hold a batch while a feed bag is changed, and
abort one now and then. What happens to a batch depends on the campaign's seed and the
batch's number only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.procedural import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.campaign.mix import Share
    from simulators.recipes import Recipe

US_PER_MIN = 60_000_000
HOLD_MIN = (20, 180)
"""Shortest and longest hold, minutes."""
CHANGE_SHARE = (0.02, 0.08)
"""Shortest and longest change of a setpoint, as shares of the culture."""
CHANGES = (("AIC-102.SP", 10.0), ("AIC-101.SP", 0.05), ("TIC-101.SP", 0.5))
"""Setpoints that operators move, up or down, and how far."""
_STREAM = 41


@dataclass(frozen=True, slots=True)
class Intervention:
    """One thing an operator does; `tag` for a setpoint, `command` for the procedure."""

    time: int
    """us since the start of the batch."""
    tag: str | None = None
    value: float | None = None
    command: Command | None = None


def interventions(
    share: Share, recipe: Recipe, *, seed: int, number: int, faulty: bool
) -> list[Intervention]:
    """Return what is done to batch `number`, in order of time.

    Args:
        share: of the batches to which it happens.
        recipe: of the batch.
        seed: of the campaign.
        number: of the batch.
        faulty: whether it has a fault; such a batch is never aborted.
    """
    random = np.random.Generator(np.random.PCG64([seed, _STREAM, number]))
    chances = random.random(3)
    found: list[Intervention] = []
    if chances[0] < share.setpoint:
        found += _change(random, recipe)
    if chances[1] < share.hold:
        found += _hold(random, recipe)
    if chances[2] < share.abort and not faulty:
        at = _moment(random, recipe, 0.3, 0.9)
        found = [one for one in found if one.time < at]
        found.append(Intervention(at, command=Command.ABORT))
    return sorted(found, key=lambda one: one.time)


def _change(random: np.random.Generator, recipe: Recipe) -> Iterator[Intervention]:
    tag, size = CHANGES[int(random.integers(len(CHANGES)))]
    up = 1.0 if random.random() < 0.5 else -1.0
    at = _moment(random, recipe, 0.4, 0.6)
    usual = _usual(recipe, tag, at)
    share = CHANGE_SHARE[0] + (CHANGE_SHARE[1] - CHANGE_SHARE[0]) * random.random()
    back = at + round(share * recipe.harvest_from_h * 60) * US_PER_MIN
    yield Intervention(at, tag, round(usual + up * size, 3))
    yield Intervention(back, tag, _usual(recipe, tag, back))


def _usual(recipe: Recipe, tag: str, at: int) -> float:
    target = recipe.setpoints(at / 3.6e9)
    return {
        "AIC-102.SP": target.oxygen_percent,
        "AIC-101.SP": target.ph,
        "TIC-101.SP": target.temperature_degc,
    }[tag]


def _hold(random: np.random.Generator, recipe: Recipe) -> Iterator[Intervention]:
    at = _moment(random, recipe, 0.65, 0.9)
    minutes = int(random.integers(HOLD_MIN[0], HOLD_MIN[1]))
    yield Intervention(at, command=Command.HOLD)
    yield Intervention(at + minutes * US_PER_MIN, command=Command.RESTART)


def _moment(
    random: np.random.Generator, recipe: Recipe, low: float, high: float
) -> int:
    """Return a time between two shares of the culture, whole minutes."""
    share = low + (high - low) * random.random()
    hours = recipe.before_culture_h + share * recipe.harvest_from_h
    return round(hours * 60) * US_PER_MIN
