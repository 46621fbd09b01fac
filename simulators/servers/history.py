"""The server's own history: what it published lately, read with HistoryRead raw.

Rows of some dozens of instants are one page, sorted by variable and time, so that a
variable's part is found at once. Pages are kept in memory or in files; see
simulators.servers.history_files. A stopped server without files has forgotten them.

Bounded by: `most` values over all variables. When full: the oldest pages go. Order: by
source time; a value that comes late takes its place. Duplicates: kept as published.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from simulators.instants import Columns, Value

INSTANTS_PER_PAGE = 64
ROWS_PER_PAGE = 65_536
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


@dataclass(frozen=True, slots=True)
class Span:
    """What is to be read of a variable."""

    at: int
    """us UTC of the first value."""
    end: int
    """us UTC, not included."""
    step: int
    """1: from old to new; -1: back."""
    skip: int = 0
    """Values at `at` that were read already."""
    begun: bool = False
    """Whether values before `at` were read already."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows sorted by variable, of each by source time, then as published."""

    node: NDArray[np.int32]
    time: NDArray[np.int64]
    server: NDArray[np.int64]
    number: NDArray[np.float64]
    """NaN: a text or null."""
    status: NDArray[np.uint32]
    texts: Mapping[int, str]
    """By row."""

    def kept(self, row: int) -> Kept:
        """Return one row."""
        number = float(self.number[row])
        bare = None if number != number else number  # noqa: PLR0124  NaN
        return Kept(
            int(self.time[row]),
            self.texts.get(row, bare),
            int(self.status[row]),
            int(self.server[row]),
        )


class Shelf(Protocol):
    """Where pages are kept."""

    def put(self, page: Page) -> int:
        """Keep a page; return its number, higher than those before."""

    def get(self, number: int) -> Page:
        """Return a page."""

    def drop(self, number: int) -> None:
        """Forget a page; it is the oldest."""


class Memory:
    """A shelf that ends with the process."""

    def __init__(self) -> None:
        self._pages: dict[int, Page] = {}
        self._next = 0

    def put(self, page: Page) -> int:
        """Keep a page."""
        self._next += 1
        self._pages[self._next] = page
        return self._next

    def get(self, number: int) -> Page:
        """Return a page."""
        return self._pages[number]

    def drop(self, number: int) -> None:
        """Forget a page."""
        del self._pages[number]


@dataclass(frozen=True, slots=True)
class _Bounds:
    number: int
    first: int
    last: int
    rows: int


@dataclass(slots=True)
class _Open:
    """Instants that are no page yet."""

    columns: list[tuple[Columns, int, int]] = field(default_factory=list)
    rows: int = 0


class History:
    """What a server published, by the variable's place in the server's list."""

    def __init__(
        self,
        most: int,
        shelf: Shelf | None = None,
        *,
        instants: int = INSTANTS_PER_PAGE,
    ) -> None:
        """Keep about `most` values over all variables; 0: keep none.

        Args:
            most: values.
            shelf: where; default: in memory.
            instants: of a page at most; what is no page yet is in memory.
        """
        self._most, self._instants = most, instants
        self._shelf = shelf or Memory()
        self._open = _Open()
        self._page: Page | None = None
        self._bounds: list[_Bounds] = []
        self._rows = 0
        self._gone = -NOW_OR_NEVER

    @property
    def keeps(self) -> bool:
        """Whether there is a history at all."""
        return self._most > 0

    def found(self, number: int, page: Page) -> None:
        """Take over a page that is on the shelf already."""
        if len(page.node):
            self._bound(number, page)
        self._forget()

    def add(self, columns: Columns, time: int, server: int) -> None:
        """Keep what is published at `time`, us UTC; `server` is the clock."""
        if not self._most or not len(columns.nodes):
            return
        self._open.columns.append((columns, time, server))
        self._open.rows += len(columns.nodes)
        self._page = None
        many = len(self._open.columns) >= self._instants
        if many or self._open.rows >= ROWS_PER_PAGE:
            self.close_page()

    def close_page(self) -> None:
        """Put what is in no page yet onto the shelf."""
        if self._open.columns:
            page = _page(self._open.columns)
            self._open, self._page = _Open(), None
            self._bound(self._shelf.put(page), page)
            self._forget()

    def _bound(self, number: int, page: Page) -> None:
        first, last = int(page.time.min()), int(page.time.max())
        self._bounds.append(_Bounds(number, first, last, len(page.node)))
        self._rows += len(page.node)

    def _forget(self) -> None:
        while self._rows > self._most and len(self._bounds) > 1:
            oldest = self._bounds.pop(0)
            self._rows -= oldest.rows
            self._gone = max(self._gone, oldest.last)
            self._shelf.drop(oldest.number)

    def ahead(self, start: int, end: int) -> Span:
        """Return the values of [start, end) from the oldest to the newest."""
        return Span(start, end, step=1)

    def back(self, start: int, end: int) -> Span:
        """Return the values of (end, start] from the newest to the oldest."""
        return Span(start, end, step=-1)

    def read(self, node: int, span: Span, most: int) -> tuple[list[Kept], Span | None]:
        """Return up to `most` values of a span, and what is left of it.

        Raises:
            LookupError: the span goes on in what is no longer kept.
        """
        if span.begun and span.at <= self._gone:
            raise LookupError(f"time {span.at}: kept after {self._gone}")
        wanted = most + span.skip + 1
        found = self._rows_of(node, span, wanted)
        taken = found[span.skip : span.skip + most]
        if len(found) <= span.skip + most:
            return taken, None
        at = found[span.skip + most].time
        skip = sum(one.time == at for one in found[: span.skip + most])
        return taken, Span(at, span.end, span.step, skip, begun=True)

    def _rows_of(self, node: int, span: Span, wanted: int) -> list[Kept]:
        """Return at least `wanted` rows of a span in order, if there are so many."""
        found: list[Kept] = []
        for page, edge in self._pages(span):
            if len(found) >= wanted:
                found.sort(key=lambda one: span.step * one.time)
                if span.step * found[wanted - 1].time < span.step * edge:
                    break
            found += _within(page(), node, span)
        found.sort(key=lambda one: span.step * one.time)
        return found

    def _pages(self, span: Span) -> Iterator[tuple[_Load, int]]:
        """Yield pages that may hold rows, with the time at which they begin."""
        bounds = [*self._bounds]
        if self._open.columns:
            self._page = self._page or _page(self._open.columns)
            page = self._page
            first, last = int(page.time.min()), int(page.time.max())
            bounds.append(_Bounds(-1, first, last, len(page.node)))
        if span.step > 0:
            near = [b for b in bounds if b.last >= span.at and b.first < span.end]
            near.sort(key=lambda b: b.first)
        else:
            near = [b for b in bounds if b.first <= span.at and b.last > span.end]
            near.sort(key=lambda b: -b.last)
        for one in near:
            edge = one.first if span.step > 0 else one.last
            yield _Load(self, one.number), edge

    def page(self, number: int) -> Page:
        """Return a page of the shelf; -1: the one that is not there yet."""
        if number < 0 and self._page is not None:
            return self._page
        return self._shelf.get(number)


@dataclass(frozen=True, slots=True)
class _Load:
    history: History
    number: int

    def __call__(self) -> Page:
        return self.history.page(self.number)


def _within(page: Page, node: int, span: Span) -> list[Kept]:
    first = int(np.searchsorted(page.node, node))
    last = int(np.searchsorted(page.node, node, "right"))
    times = page.time[first:last]
    if span.step > 0:
        inside = (times >= span.at) & (times < span.end)
    else:
        inside = (times <= span.at) & (times > span.end)
    rows = (first + np.flatnonzero(inside)).tolist()
    return [page.kept(row) for row in rows[:: span.step]]


def _page(instants: list[tuple[Columns, int, int]]) -> Page:
    counts = [len(columns.nodes) for columns, _, _ in instants]
    node = np.concatenate([columns.nodes for columns, _, _ in instants])
    time = np.repeat(np.array([time for _, time, _ in instants], np.int64), counts)
    server = np.repeat(np.array([s for _, _, s in instants], np.int64), counts)
    texts: dict[int, str] = {}
    begin = 0
    for (columns, _, _), count in zip(instants, counts, strict=True):
        texts |= {begin + row: text for row, text in columns.texts.items()}
        begin += count
    order = np.lexsort((time, node))
    number = np.concatenate([columns.numbers for columns, _, _ in instants])
    status = np.concatenate([columns.statuses for columns, _, _ in instants])
    if texts:
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        texts = {int(place[row]): text for row, text in texts.items()}
    return Page(
        node[order], time[order], server[order], number[order], status[order], texts
    )
