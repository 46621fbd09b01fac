"""Recorded readings of a range with what stands at its ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from shared.retrieval.bounds import Side, interpolated_bounds
from shared.retrieval.series import DEFAULT, Series, Treatment

if TYPE_CHECKING:
    from shared.retrieval.series import Times


class Boundary(StrEnum):
    """What is added to the readings of a range."""

    INSIDE = "inside"
    """Nothing: readings from start to end, both included."""
    OUTSIDE = "outside"
    """The last reading before the start and the first one after the end."""
    INTERPOLATED = "interpolated"
    """A value at each end where no reading is (Interpolated bounds)."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Rows to put before and after the readings of a range; each has 0 or 1 row."""

    before: Series
    after: Series


def ends(
    known: Series,
    start: int,
    end: int,
    boundary: Boundary,
    treatment: Treatment = DEFAULT,
) -> Ends:
    """Return what the boundary adds at the two ends of a range.

    Args:
        known: readings around the range, in order: for OUTSIDE at least the nearest
            one outside on each side, for INTERPOLATED also the nearest that are not
            Bad, and rows where a loss is declared.
        start: first instant of the range, us UTC.
        end: last instant of the range, us UTC.
        boundary: what to add.
        treatment: how quality decides.
    """
    if boundary is Boundary.OUTSIDE:
        stored = known.take(known.is_stored())
        return Ends(
            stored.take(np.flatnonzero(stored.time < start)[-1:]),
            stored.take(np.flatnonzero(stored.time > end)[:1]),
        )
    if boundary is Boundary.INTERPOLATED:
        return Ends(
            _made(known, start, treatment, Side.START),
            _made(known, end, treatment, Side.END),
        )
    return Ends(_none(known), _none(known))


def _made(known: Series, at: int, treatment: Treatment, side: Side) -> Series:
    """Return the bound at `at`, or no row where a reading is."""
    time: Times = np.array([at], np.int64)
    if np.any(known.is_stored() & (known.time == at)):
        return _none(known)
    bound = interpolated_bounds(known, time, treatment, side)
    text = None
    if known.text is not None:
        text = known.text[bound.row]
        text[bound.row < 0] = None
    return Series(time, bound.value, bound.status, known.stepped, text)


def _none(known: Series) -> Series:
    return known.take(np.empty(0, np.intp))
