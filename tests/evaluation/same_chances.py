"""Vessels of one plant that have the same batch and the same noise. Pure.

The plant gives every vessel chances of its own. Here vessels share them, so that they
are alike, bit for bit, until something is done to one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simulators.plant import Plant


class SharedChances:
    """What the plant draws from, one draw for all vessels of a family."""

    def __init__(self, random: np.random.Generator, kin: Sequence[int]) -> None:
        self._random = random
        self._kin = np.array(kin, np.intp)
        self._families = max(kin) + 1

    def standard_normal(self, shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """Return normal noise, shape (any, vessels, any)."""
        first, _, last = shape
        drawn = self._random.standard_normal((first, self._families, last))
        return drawn[:, self._kin]

    def random(self, count: int) -> NDArray[np.float64]:
        """Return a chance for each vessel; `count` is their number."""
        del count
        return self._random.random(self._families)[self._kin]


def share_chances(plant: Plant, kin: Sequence[int]) -> None:
    """Give the vessels of a plant that has not begun the batches of their families.

    Args:
        plant: it cannot be saved any more.
        kin: number of its family, by vessel, from 0.
    """
    for batch, family in zip(plant._operations.batches, kin, strict=True):
        batch.number = family + 1
    for part in (plant._instruments, plant._foam):
        part._random = SharedChances(part._random, kin)  # type: ignore[assignment]
