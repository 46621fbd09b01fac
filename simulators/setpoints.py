"""What the vessels' loops shall do: the recipe's setpoints, and what operators wrote.

A value that an operator writes holds until the recipe next changes that setpoint. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]

TEMPERATURE, PH, OXYGEN, FEED = range(4)
"""Rows of the setpoints; the first three are loops too."""
LOOPS = 3


@dataclass(frozen=True, slots=True)
class Target:
    """Setpoints of one vessel, as its recipe wants them."""

    temperature_degc: float
    ph: float
    oxygen_percent: float
    feed_mlpm: float
    warm: bool
    """Whether the temperature loop is on."""
    breathe: bool
    """Whether the oxygen and pH loops are on."""

    @property
    def column(self) -> tuple[float, float, float, float]:
        """Return the setpoints in the order of the rows."""
        return (
            self.temperature_degc,
            self.ph,
            self.oxygen_percent,
            self.feed_mlpm,
        )


@dataclass(slots=True)
class Setpoints:
    """Of all vessels."""

    recipe: Vector
    """Shape (4, n): °C, pH, % air saturation, mL/min."""
    written: Vector
    """The same from operators; NaN: nothing."""
    warm: Mask
    breathe: Mask
    manual: Mask
    """Shape (3, n): loops whose output an operator holds."""
    held: Vector
    """Shape (3, n): the outputs they hold, %."""

    @classmethod
    def idle(cls, vessels: int, target: Target) -> Self:
        """Return the same target for all vessels, and nothing written."""
        column = np.array(target.column)[:, None]
        return cls(
            recipe=np.repeat(column, vessels, axis=1),
            written=np.full((len(column), vessels), np.nan),
            warm=np.full(vessels, target.warm),
            breathe=np.full(vessels, target.breathe),
            manual=np.zeros((LOOPS, vessels), bool),
            held=np.zeros((LOOPS, vessels)),
        )

    def follow(self, vessel: int, target: Target) -> None:
        """Take over a vessel's target; what it changes is no longer the operators'."""
        column = np.array(target.column)
        changed = self.recipe[:, vessel] != column
        self.recipe[:, vessel] = column
        self.written[changed, vessel] = np.nan
        self.warm[vessel], self.breathe[vessel] = target.warm, target.breathe

    def now(self, shift: Vector | None = None) -> Vector:
        """Return what counts, shape (4, n); `shift` is added to the recipe's."""
        recipe = self.recipe if shift is None else self.recipe + shift
        return np.where(np.isnan(self.written), recipe, self.written)

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        return {
            "recipe": self.recipe.tolist(),
            "written": [
                [None if value != value else value for value in row]  # noqa: PLR0124
                for row in self.written.tolist()
            ],
            "warm": self.warm.tolist(),
            "breathe": self.breathe.tolist(),
            "manual": self.manual.tolist(),
            "held": self.held.tolist(),
        }

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw."""
        self.recipe = np.array(body["recipe"], float)
        self.written = np.array(body["written"], float)
        self.warm, self.breathe = np.array(body["warm"]), np.array(body["breathe"])
        self.manual = np.array(body["manual"], bool)
        self.held = np.array(body["held"], float)
