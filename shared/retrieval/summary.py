"""Summaries over intervals: time-weighted and event averages, extremes, counts.

An interval is [start, end). The status of a time-weighted answer follows from the
shares of good and bad time, that of one over readings from their counts; percent good
stands beside every answer.

Source: OPC 10000-13 (Aggregates), 5.4.3; its TimeAverage2 is our average.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from shared.domain import US_PER_S, FedbatchError
from shared.retrieval import status as codes
from shared.retrieval.pieces import (
    Pieces,
    Sums,
    interpolated_pieces,
    quality_pieces,
    simple_pieces,
    sums,
)
from shared.retrieval.series import DEFAULT, Series, Treatment
from shared.retrieval.status import marked, severity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from shared.retrieval.series import Mask, Rows, Statuses, Times, Values


class Summary(StrEnum):
    """What can be asked of an interval."""

    AVERAGE = "average"
    """Time-weighted mean with Simple bounds (TimeAverage2): unknown time is left out
    of numerator and divisor."""
    AVERAGE_INTERPOLATED = "average-interpolated"
    """Time-weighted mean with Interpolated bounds (TimeAverage)."""
    AVERAGE_EVENT = "average-event"
    """Mean of the Good readings, each with equal weight (Average)."""
    TOTAL = "total"
    """Integral over the known time with Simple bounds, unit x s (Total2)."""
    TOTAL_SCALED = "total-scaled"
    """The total divided by the known share of time, as PI gives it, unit x s."""
    MIN = "min"
    """Lowest Good reading, with its time."""
    MAX = "max"
    """Highest Good reading, with its time."""
    RANGE = "range"
    """Highest minus lowest Good reading."""
    COUNT = "count"
    """Number of Good readings."""
    PERCENT_GOOD = "percent-good"
    """Share of the interval in which the reading in force was Good, in percent."""


ON_TEXT = frozenset({Summary.COUNT, Summary.PERCENT_GOOD})
"""What may be asked of a tag without numbers."""

MAX_INTERVALS = 100_000
"""Most intervals of one answer."""


class IntervalsInvalid(FedbatchError):  # noqa: N818
    """A range and interval that make no grid."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Adjacent intervals; `edges` has one more entry than there are intervals."""

    edges: Times
    partial: Mask
    """Where an interval is shorter than asked for."""

    @property
    def length_us(self) -> Values:
        """Return the length of each interval, us."""
        return np.diff(self.edges).astype(np.float64)

    def __len__(self) -> int:
        return len(self.partial)


@dataclass(frozen=True, slots=True)
class Column:
    """One summary: a value (NaN for null) and a status per interval."""

    value: Values
    status: Statuses
    time: Times | None = None
    """When a minimum or maximum was; meaningless where the value is null."""


def grid(start: int, end: int, interval: int | None) -> Grid:
    """Return the intervals of a range, us; None is one interval.

    Raises:
        IntervalsInvalid: the range is empty or reversed, the interval not positive,
            or there would be more than MAX_INTERVALS.
    """
    if end <= start:
        raise IntervalsInvalid(f"range {start}..{end}: expected the end after it")
    step = end - start if interval is None else interval
    if step <= 0:
        raise IntervalsInvalid(f"interval {step} us: expected more than 0")
    count = -(-(end - start) // step)
    if count > MAX_INTERVALS:
        raise IntervalsInvalid(
            f"{count} intervals: expected at most {MAX_INTERVALS}; ask for a shorter "
            "range or longer intervals"
        )
    edges = start + step * np.arange(count + 1, dtype=np.int64)
    edges[-1] = end
    partial = np.diff(edges) < step
    return Grid(edges, partial)


def summarise(
    series: Series,
    over: Grid,
    wanted: Collection[Summary],
    treatment: Treatment = DEFAULT,
) -> Mapping[Summary, Column]:
    """Return the asked summaries; PERCENT_GOOD is always among them.

    Args:
        series: the readings in the range, the nearest before and the nearest after
            (for Interpolated bounds also the nearest that are not Bad).
        over: the intervals.
        wanted: which summaries.
        treatment: how quality decides.
    """
    answers: dict[Summary, Column] = {}
    asked = set(wanted)
    if asked & {Summary.AVERAGE, Summary.TOTAL, Summary.TOTAL_SCALED}:
        answers |= _timed(series, over, treatment)
    if Summary.AVERAGE_INTERPOLATED in asked:
        answers[Summary.AVERAGE_INTERPOLATED] = _interpolated(series, over, treatment)
    answers |= _Events.of(series, over).answers(treatment)
    answers[Summary.PERCENT_GOOD] = _percent_good(series, over, treatment)
    asked.add(Summary.PERCENT_GOOD)
    return {
        kind: _flagged(column, over)
        for kind, column in answers.items()
        if kind in asked
    }


def _timed(series: Series, over: Grid, treatment: Treatment) -> dict[Summary, Column]:
    """Return average and totals over Simple bounds."""
    found = sums(simple_pieces(series, treatment), over.edges)
    status = _by_share(found.good_us, found.bad_us, over.length_us, treatment)
    status = np.where(found.known_us > 0, status, np.uint32(codes.BAD_NO_DATA))
    average = _divided(found.area, found.known_us / US_PER_S)
    return {
        Summary.AVERAGE: _column(average, status),
        Summary.TOTAL: _column(found.area, status),
        Summary.TOTAL_SCALED: _column(average * over.length_us / US_PER_S, status),
    }


def _interpolated(series: Series, over: Grid, treatment: Treatment) -> Column:
    found: Sums = sums(interpolated_pieces(series, treatment), over.edges)
    good = found.good_us == over.length_us
    doubt = np.where(good, codes.GOOD, codes.UNCERTAIN_DATA_SUB_NORMAL)
    status = np.where(found.known_us > 0, doubt, codes.BAD_NO_DATA).astype(np.uint32)
    return _column(_divided(found.area, found.known_us / US_PER_S), status)


def _percent_good(series: Series, over: Grid, treatment: Treatment) -> Column:
    pieces: Pieces = quality_pieces(series, treatment)
    percent = 100 * sums(pieces, over.edges).good_us / over.length_us
    return _column(percent, np.zeros(len(over), np.uint32))


@dataclass(frozen=True, slots=True)
class _Events:
    """The readings inside the intervals, and the interval of each."""

    series: Series
    interval: Rows
    count: int

    @classmethod
    def of(cls, series: Series, over: Grid) -> _Events:
        low, high = np.searchsorted(series.time, over.edges[[0, -1]], "left")
        inside = series.take(np.arange(low, high))
        interval = np.searchsorted(over.edges, inside.time, "right") - 1
        return cls(inside, interval, len(over))

    def answers(self, treatment: Treatment) -> dict[Summary, Column]:
        good = self._good()
        status = self._by_count(good, treatment)
        number = good & ~np.isnan(self.series.value)
        low = self._extreme(number, status, 1.0)
        high = self._extreme(number, status, -1.0)
        total = self._sum(np.where(number, self.series.value, 0.0))
        mean = _divided(total, self._sum(number))
        flags = (low.status | high.status) & np.uint32(codes.MULTIPLE_VALUES)
        worst = np.maximum(low.status, high.status) & ~np.uint32(codes.MULTIPLE_VALUES)
        uncertain = np.uint32(codes.UNCERTAIN_DATA_SUB_NORMAL)
        counted = np.where(severity(status) == 0, status, uncertain)
        counted = np.where(self._sum(self._all()) > 0, counted, np.uint32(codes.GOOD))
        return {
            Summary.MIN: low,
            Summary.MAX: high,
            Summary.RANGE: _column(high.value - low.value, worst, flags),
            Summary.AVERAGE_EVENT: _column(mean, status),
            Summary.COUNT: Column(self._sum(good), marked(counted, codes.CALCULATED)),
        }

    def _good(self) -> Mask:
        good: Mask = (severity(self.series.status) == 0) & self.series.is_stored()
        return good

    def _all(self) -> Mask:
        """Return rows that count for the status: readings and declared losses."""
        lost = severity(self.series.status) > 0
        return self.series.is_stored() | lost

    def _sum(self, of: NDArray[np.float64] | Mask) -> Values:
        weights = of.astype(np.float64)
        return np.bincount(self.interval, weights, self.count).astype(np.float64)

    def _by_count(self, good: Mask, treatment: Treatment) -> Statuses:
        rows = self._sum(self._all())
        limit = 1 if treatment.uncertain_is_bad else 2
        bad = self._sum(severity(self.series.status) >= limit)
        status = _by_share(self._sum(good), bad, np.maximum(rows, 1), treatment)
        return np.where(rows > 0, status, np.uint32(codes.BAD_NO_DATA))

    def _extreme(self, number: Mask, status: Statuses, sign: float) -> Column:
        """Return the lowest of sign x value, its oldest time, and how often it is."""
        value = np.where(number, sign * self.series.value, np.inf)
        lowest = np.full(self.count, np.inf)
        np.minimum.at(lowest, self.interval, value)
        there = number & (value == lowest[self.interval])
        first = np.full(self.count, -1, np.intp)
        rows = np.flatnonzero(there)[::-1]
        first[self.interval[rows]] = rows
        beyond = ~number & (sign * self.series.value < lowest[self.interval])
        doubt = (self._sum(beyond) > 0) & (severity(status) == 0)
        status = np.where(doubt, np.uint32(codes.UNCERTAIN_DATA_SUB_NORMAL), status)
        several = np.where(self._sum(there) > 1, codes.MULTIPLE_VALUES, 0)
        found = np.where(first < 0, np.nan, sign * lowest)
        time = np.append(self.series.time, 0)[first]
        return _column(found, status, several.astype(np.uint32), time)


def _by_share(good: Values, bad: Values, of: Values, treatment: Treatment) -> Statuses:
    """Return Good, Bad or Uncertain by the percentages that the treatment demands."""
    is_good = 100 * good / of >= treatment.percent_good
    is_bad = 100 * bad / of >= treatment.percent_bad
    doubt = np.where(is_bad, codes.BAD, codes.UNCERTAIN_DATA_SUB_NORMAL)
    return np.where(is_good, codes.GOOD, doubt).astype(np.uint32)


def _divided(value: Values, by: Values) -> Values:
    quotient: Values = np.full(len(value), np.nan)
    np.divide(value, by, out=quotient, where=by > 0)
    return quotient


def _column(
    value: Values,
    status: Statuses,
    flags: NDArray[np.uint32] | int = 0,
    time: Times | None = None,
) -> Column:
    """Return a calculated column: a Bad answer has no value, no value is Bad."""
    absent = np.isnan(value) & (severity(status) < 2)
    status = np.where(absent, np.uint32(codes.BAD_NO_DATA), status)
    bad = severity(status) == 2
    bits = np.where(bad, 0, np.asarray(flags)).astype(np.uint32) | np.uint32(
        codes.CALCULATED
    )
    return Column(np.where(bad, np.nan, value), marked(status, bits), time)


def _flagged(column: Column, over: Grid) -> Column:
    """Return the column with Partial where an interval is short."""
    bits = np.where(over.partial, codes.PARTIAL, 0).astype(np.uint32)
    return Column(column.value, column.status | bits, column.time)
