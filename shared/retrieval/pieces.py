"""What is known of a value between readings, as one piece from each reading on.

A piece is a line (or a held value) with a quality. Every integral, time-weighted
average and share of good time is a sum over pieces cut at the edges of intervals, so
that an interval's answer never depends on how the rest of the range is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.domain import US_PER_S
from shared.retrieval.status import severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.retrieval.series import Mask, Series, Times, Treatment, Values

_GOOD, _UNCERTAIN, _BAD = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Pieces:
    """Piece i holds from `time[i]` until `time[i + 1]`, the last one without end."""

    time: Times
    value: Values
    """Value at the start; 0 where Bad."""
    slope: Values
    """Change per second."""
    quality: NDArray[np.uint8]
    """0 Good, 1 Uncertain, 2 Bad (not known: in no sum)."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over each interval."""

    area: Values
    """Integral over the known time, value x s."""
    known_us: Values
    """Time in pieces that are not Bad; a whole number of microseconds."""
    good_us: Values
    bad_us: Values


def simple_pieces(series: Series, treatment: Treatment) -> Pieces:
    """Return pieces that never look through Bad, as Simple bounds see the value.

    After a Bad reading, before the first and after the last one nothing is known;
    towards a Bad reading the value before is held and Uncertain.
    """
    usable = series.numeric(treatment)
    follows = np.append(usable[1:], False)
    doubtful = severity(series.status) > 0
    uncertain = doubtful.copy()
    if series.stepped:
        slope = np.zeros(len(series))
    else:
        slope = _slopes(series.time, series.value, usable & follows)
        uncertain |= ~follows | np.append(doubtful[1:], True)
    bad = ~usable
    bad[-1:] = True
    return Pieces(
        series.time,
        np.where(bad, 0.0, series.value),
        slope,
        _quality(bad=bad, uncertain=uncertain),
    )


def interpolated_pieces(series: Series, treatment: Treatment) -> Pieces:
    """Return pieces that look through Bad, as Interpolated bounds see the value.

    Where Bad readings were skipped, and after the last one, it is Uncertain.
    """
    rows = np.flatnonzero(series.numeric(treatment))
    time, value = series.time[rows], series.value[rows]
    uncertain = severity(series.status[rows]) > 0
    skipped = np.append(np.diff(rows) > 1, True)
    if series.stepped:
        slope = np.zeros(len(rows))
        uncertain |= skipped
    else:
        follows = np.ones(len(rows), np.bool_)
        follows[-1:] = False
        slope = _slopes(time, value, follows)
        if treatment.sloped_extrapolation and len(rows) > 1:
            slope[-1] = slope[-2]
        uncertain = uncertain | skipped | np.append(uncertain[1:], True)
    bad = np.zeros(len(rows), np.bool_)
    return Pieces(time, value, slope, _quality(bad=bad, uncertain=uncertain))


def quality_pieces(series: Series, treatment: Treatment) -> Pieces:
    """Return pieces of value 1 with the quality of the reading in force.

    For shares of good and bad time: whether there is a number does not matter.
    """
    level = severity(series.status)
    if treatment.uncertain_is_bad:
        level = np.where(level > 0, np.uint8(_BAD), level)
    level[-1:] = _BAD
    one = np.ones(len(series))
    return Pieces(series.time, one, np.zeros(len(series)), level)


def sums(pieces: Pieces, edges: Times) -> Sums:
    """Return the sums over each interval between two edges, ascending."""
    count = len(edges) - 1
    inside = (pieces.time > edges[0]) & (pieces.time < edges[-1])
    # a time that is there twice makes a region of no length, which adds nothing
    points = np.sort(np.concatenate([pieces.time[inside], edges]), kind="stable")
    start, end = points[:-1], points[1:]
    interval = np.searchsorted(edges, start, "right") - 1
    piece = np.searchsorted(pieces.time, start, "right") - 1
    length = (end - start).astype(np.float64)
    if not len(pieces.time):
        nothing = np.zeros(count)
        return Sums(nothing, nothing, nothing, np.diff(edges).astype(np.float64))
    quality = np.where(piece < 0, np.uint8(_BAD), pieces.quality[piece])
    known = quality < _BAD
    since = pieces.time[piece]
    middle = ((start - since) + (end - since)) / (2 * US_PER_S)
    height = pieces.value[piece] + pieces.slope[piece] * middle
    area = np.where(known, height * length / US_PER_S, 0.0)

    def total(of: Values) -> Values:
        return np.bincount(interval, of, count).astype(np.float64)

    return Sums(
        area=total(area),
        known_us=total(np.where(known, length, 0.0)),
        good_us=total(np.where(quality == _GOOD, length, 0.0)),
        bad_us=total(np.where(known, 0.0, length)),
    )


def _slopes(time: Times, value: Values, both: Mask) -> Values:
    """Return the change per second towards the next row where `both` ends are used."""
    slope = np.zeros(len(time))
    if len(time) > 1:
        duration = np.diff(time) / US_PER_S
        rising = both[:-1] & (duration > 0)
        change = value[1:][rising] - value[:-1][rising]
        slope[:-1][rising] = change / duration[rising]
    return slope


def _quality(*, bad: Mask, uncertain: Mask) -> NDArray[np.uint8]:
    level = np.where(uncertain, np.uint8(_UNCERTAIN), np.uint8(_GOOD))
    return np.where(bad, np.uint8(_BAD), level)
