"""The server's own history: what it published lately, read with HistoryRead raw.

Kept in memory, as columns per variable: a stopped server has forgotten it. Bounded by:
`most` values over all variables, and as many values per variable. When full: the oldest
of a variable go. Order: by source time; a value that comes late takes its place.
Duplicates: kept as published.
"""

from __future__ import annotations

import bisect
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.instants import Instant, Value

LEAST_VALUES = 64
"""Kept of each variable, however many there are."""
NOW_OR_NEVER = 2**62
"""A time after all others, us UTC."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One published value."""

    time: int
    """Source timestamp, us UTC."""
    value: Value
    status: int
    server: int
    """Server timestamp, us UTC."""


class _Column:
    """One variable's values, oldest first; `gone` were dropped before them."""

    __slots__ = ("gone", "server", "status", "time", "value")

    def __init__(self) -> None:
        self.time = array("q")
        self.server = array("q")
        self.status = array("L")
        self.value: list[Value] = []
        self.gone = 0

    def put(self, kept: Kept, most: int) -> None:
        at = len(self.time)
        if at and kept.time < self.time[-1]:
            at = bisect.bisect_right(self.time, kept.time)
        self.time.insert(at, kept.time)
        self.server.insert(at, kept.server)
        self.status.insert(at, kept.status)
        self.value.insert(at, kept.value)
        if len(self.time) >= 2 * most:
            self._drop(len(self.time) - most)

    def _drop(self, count: int) -> None:
        for column in (self.time, self.server, self.status, self.value):
            del column[:count]
        self.gone += count

    def at(self, index: int) -> Kept:
        return Kept(
            self.time[index], self.value[index], self.status[index], self.server[index]
        )


class History:
    """What a server published, by the variable's place in the server's list."""

    def __init__(self, variables: int, most: int) -> None:
        """Keep at most about `most` values over all variables; 0: keep none."""
        self._columns = [_Column() for _ in range(variables)] if most else []
        self._most = max(LEAST_VALUES, most // max(variables, 1))

    @property
    def keeps(self) -> bool:
        """Whether there is a history at all."""
        return bool(self._columns)

    def add(self, instant: Instant, server: int) -> None:
        """Keep what is published at an instant; `server` is the clock, us UTC."""
        if not self._columns:
            return
        statuses = instant.statuses or (0,) * len(instant.nodes)
        for node, value, status in zip(
            instant.nodes, instant.values, statuses, strict=True
        ):
            kept = Kept(instant.time, value, status, server)
            self._columns[node].put(kept, self._most)

    def ahead(self, node: int, start: int, end: int) -> Span:
        """Return the values of [start, end) from the oldest to the newest."""
        column = self._columns[node]
        first = bisect.bisect_left(column.time, start)
        last = bisect.bisect_left(column.time, end)
        return Span(column.gone + first, column.gone + max(first, last), step=1)

    def back(self, node: int, start: int, end: int) -> Span:
        """Return the values of (end, start] from the newest to the oldest."""
        column = self._columns[node]
        first = bisect.bisect_right(column.time, start) - 1
        last = bisect.bisect_right(column.time, end) - 1
        return Span(column.gone + first, column.gone + min(first, last), step=-1)

    def read(self, node: int, span: Span, most: int) -> tuple[list[Kept], Span | None]:
        """Return up to `most` values of a span, and what is left of it.

        Raises:
            LookupError: the span begins before what is still kept.
        """
        column = self._columns[node]
        places = range(span.first, span.end, span.step)
        taken = places[:most]
        if taken and min(taken[0], taken[-1]) < column.gone:
            raise LookupError(f"place {taken[0]}: kept from {column.gone}")
        left = None
        if len(places) > most:
            left = Span(places[most], span.end, span.step)
        return [column.at(place - column.gone) for place in taken], left


@dataclass(frozen=True, slots=True)
class Span:
    """Places of a variable's values, counted from the first that was ever kept."""

    first: int
    end: int
    """Not included."""
    step: int
