"""Values at a time between readings: Interpolated and Simple bounds.

Interpolated bounds look through Bad readings for a useful value and say Uncertain when
they did. Simple bounds never look through Bad: a value is there only if the reading
before is not Bad and the data go on.

Source: OPC 10000-13 (Aggregates), 3.1.8 and 3.1.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from shared.retrieval import status as codes
from shared.retrieval.series import DEFAULT, Series, Treatment
from shared.retrieval.status import marked, severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.retrieval.series import Mask, Rows, Statuses, Times, Values


class Side(StrEnum):
    """Which of several readings at one time is meant."""

    START = "start"
    """The last: what holds from there on."""
    END = "end"
    """The first: where what was before ends."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Values at the asked times; NaN where there is none."""

    value: Values
    status: Statuses
    row: Rows
    """The reading whose value (or text) it is, -1 where it was calculated or absent."""


def simple_bounds(
    series: Series,
    at: Times,
    treatment: Treatment = DEFAULT,
    side: Side = Side.START,
) -> Bounds:
    """Return the Simple bound at each time."""
    first = np.searchsorted(series.time, at, "left")
    after = np.searchsorted(series.time, at, "right")
    exact = after > first
    answer = _nothing(len(at))
    usable = series.not_bad(treatment)
    if len(series):
        before = np.maximum(after - 1, 0)
        follow = np.minimum(after, len(series) - 1)
        known = ~exact & (after > 0) & (after < len(series)) & usable[before]
        line = known & usable[follow] & (not series.stepped)
        held = known & ~line
        _draw(answer, series, line, before, follow, at)
        _hold(answer, series, held, before)
        if not series.stepped:
            _doubt(answer, held)
    return _raw(answer, series, exact, np.where(side is Side.END, first, after - 1))


def interpolated_bounds(
    series: Series,
    at: Times,
    treatment: Treatment = DEFAULT,
    side: Side = Side.START,
) -> Bounds:
    """Return the Interpolated bound at each time."""
    usable = np.flatnonzero(series.not_bad(treatment))
    answer = _nothing(len(at))
    if not len(usable):
        return answer
    time = series.time[usable]
    first = np.searchsorted(time, at, "left")
    after = np.searchsorted(time, at, "right")
    exact = after > first
    early = usable[np.maximum(after - 1, 0)]
    late = usable[np.minimum(after, len(usable) - 1)]
    begun = ~exact & (after > 0)
    line = begun & (after < len(usable)) & (not series.stepped)
    held = begun & ~line
    _draw(answer, series, line, early, late, at)
    _doubt(answer, line & (late - early > 1))
    _hold(answer, series, held, early)
    passed = np.searchsorted(series.time, at, "right") - 1
    beyond = early + 1 == len(series) if series.stepped else np.True_
    _doubt(answer, held & ((passed > early) | beyond))
    if treatment.sloped_extrapolation and not series.stepped:
        _extrapolate(answer, series, held, usable, at)
    index = np.where(side is Side.END, first, after - 1)
    return _raw(answer, series, exact, usable[np.minimum(index, len(usable) - 1)])


def _nothing(count: int) -> Bounds:
    return Bounds(
        np.full(count, np.nan),
        np.full(count, codes.BAD_NO_DATA, np.uint32),
        np.full(count, -1, np.intp),
    )


def _draw(
    answer: Bounds, series: Series, where: Mask, early: Rows, late: Rows, at: Times
) -> None:
    """Put values on the lines between two readings."""
    start, end = early[where], late[where]
    since = series.time[start]
    share = (at[where] - since) / (series.time[end] - since)
    value = series.value
    answer.value[where] = value[start] + (value[end] - value[start]) * share
    doubtful = (severity(series.status[start]) > 0) | (severity(series.status[end]) > 0)
    answer.status[where] = _interpolated(doubtful)


def _hold(answer: Bounds, series: Series, where: Mask, early: Rows) -> None:
    """Put the value of the reading before."""
    rows = early[where]
    answer.value[where] = series.value[rows]
    answer.status[where] = _interpolated(severity(series.status[rows]) > 0)
    answer.row[where] = rows


def _extrapolate(
    answer: Bounds, series: Series, where: Mask, usable: Rows, at: Times
) -> None:
    """Go on along the line through the last two usable readings of two times."""
    last = usable[-1]
    earlier = usable[series.time[usable] < series.time[last]]
    if len(earlier):
        rows = np.full(len(at), earlier[-1]), np.full(len(at), last)
        _draw(answer, series, where, *rows, at)
        _doubt(answer, where)
        answer.row[where] = -1


def _doubt(answer: Bounds, where: Mask) -> None:
    answer.status[where] = _interpolated(np.ones(int(where.sum()), np.bool_))


def _interpolated(doubtful: Mask) -> NDArray[np.uint32]:
    code = np.where(doubtful, codes.UNCERTAIN_DATA_SUB_NORMAL, codes.GOOD)
    return marked(code.astype(np.uint32), codes.INTERPOLATED)


def _raw(answer: Bounds, series: Series, exact: Mask, rows: Rows) -> Bounds:
    """Put the readings that have the very time; the status stays as it was stored."""
    rows = rows[exact]
    answer.value[exact] = series.value[rows]
    answer.status[exact] = series.status[rows]
    answer.row[exact] = rows
    return answer
