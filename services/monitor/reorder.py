"""A vessel's readings and clocks in the order of their source times. Pure.

Whatever arrives in another order within `HOLD_US` comes out in the same order, cut into
the same instants, so that the journal does not depend on the way readings took.
docs/decisions/0009-monitor-state.md tells why each rule is as it is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shared.domain import US_PER_S
from shared.readings import Block, empty, merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence, Set

    from numpy.typing import NDArray

HOLD_US = 2 * US_PER_S
"""Readings wait until the vessel's watermark is this far past their cell's begin."""
CELL_US = US_PER_S // 5
"""Readings are handed over in cells of so much source time, counted from 1970: tags
with source times of their own would be a call each. Less than HOLD_US late is in time
whatever its place in the cell."""
TICK_US = US_PER_S
"""While the source runs behind the clock, its own time passes in steps not shorter."""
MOST_ROWS = 50_000
"""Readings that wait at most; then the older half goes early."""


@dataclass(frozen=True, slots=True)
class Instant:
    """All readings of a cell, or of its part between two clocks, by time, tag, tie."""

    time: int
    """Of the last of them."""
    block: Block


@dataclass(frozen=True, slots=True)
class Passed:
    """Time that went by: everything up to `now` has been delivered."""

    now: int
    alive: Mapping[int, bool]


@dataclass(slots=True)
class Marks:
    """The times that govern a buffer, us UTC; None while nothing was seen."""

    released: int | None = None
    """Readings up to here are out; what comes for it is late."""
    watermark: int | None = None
    """The newest source time, never ahead of its receipt."""
    received: int | None = None
    """When that reading was received."""
    clock: int | None = None
    """The newest clock record."""
    passed: int | None = None
    """The last time that was let pass."""
    late: int = 0
    """Readings that came too late."""
    repeated: int = 0
    """Readings that came again."""


class Reorder:
    """Holds one vessel's readings until none before them can be expected.

    Bounded by: `MOST_ROWS` readings. When full: the older half is released early.
    Order: by source time, tag and tie; clocks after the readings of their time.
    Duplicates: equal readings that wait together, and a repeat of a tag's last released
    one, are dropped and counted.
    """

    def __init__(self, patience_us: int, *, may_be_silent: bool = True) -> None:
        """Make an empty buffer.

        Args:
            patience_us: a source is live while its newest reading was received within
                this of its source time, and silent when it was heard of longer ago.
            may_be_silent: whether a source that was never heard counts as silent; not
                a simulated one, whose past is still to come.
        """
        self._patience = patience_us
        self._may_be_silent = may_be_silent
        self.marks = Marks()
        self._held: list[Block] = []
        self._rows = 0
        self._earliest: int | None = None
        self._clocks: deque[Passed] = deque()
        self._last: dict[int, tuple[int, int]] = {}

    def add(self, block: Block, *, moves: bool = True) -> Block:
        """Take readings in; return those that are too late, in source-time order.

        Args:
            block: in any order; times are sound (not before 2000, not days ahead). What
                a tag says first is never late: a value that changes once a month is
                known by it.
            moves: whether their times say how far the source is (not manual entries).
        """
        late = self._late(block)
        if moves:
            self._mark(block)
        if not late.any():
            self._hold(block)
            return empty()
        self._hold(block.take(~late))
        return self._unseen(_sorted(block.take(late)))

    def past(self, block: Block) -> Block:
        """Return what came of a tag's past, in source-time order, without repeats.

        Of tags that were heard, and up to what was released: anything else will come,
        or is known, by itself.
        """
        return self._unseen(_sorted(block.take(self._late(block))))

    def _late(self, block: Block) -> NDArray[np.bool_]:
        if self.marks.released is None:
            return np.zeros(len(block), np.bool_)
        late: NDArray[np.bool_] = block.time <= self.marks.released
        if late.any():
            late &= np.isin(block.tag, list(self._last))
        return late

    def _mark(self, block: Block) -> None:
        if len(block) == 0:
            return
        reach = np.minimum(block.time, block.received)
        newest = int(reach.max())
        marks = self.marks
        if marks.watermark is None or newest >= marks.watermark:
            received = int(block.received[reach == newest].min())
            if newest == marks.watermark and marks.received is not None:
                received = min(received, marks.received)
            marks.watermark, marks.received = newest, received

    def _hold(self, block: Block) -> None:
        if len(block) == 0:
            return
        self._held.append(block)
        self._rows += len(block)
        first = int(block.time.min())
        self._earliest = first if self._earliest is None else min(first, self._earliest)

    def _unseen(self, late: Block) -> Block:
        """Leave out repeats of what each tag said last."""
        again = np.array(
            [
                self._last.get(tag) == (time, tie)
                for tag, time, tie in zip(
                    late.tag.tolist(),
                    late.time.tolist(),
                    late.tie.tolist(),
                    strict=True,
                )
            ],
            np.bool_,
        )
        self.marks.repeated += int(again.sum())
        self.marks.late += int((~again).sum())
        return late.take(~again)

    def clock(self, now: int, alive: Mapping[int, bool]) -> None:
        """Take in a clock record: the collector's UTC and what is proven alive."""
        marks = self.marks
        marks.clock = now if marks.clock is None else max(now, marks.clock)
        at = self._source_now(marks.clock)
        if at is None:
            return
        newest = self._clocks[-1].now if self._clocks else marks.passed
        if newest is None or at > newest:
            self._clocks.append(Passed(at, alive))

    def _source_now(self, now: int) -> int | None:
        """Return what time it is at the source; None while only its readings say so."""
        marks = self.marks
        if marks.watermark is None or marks.received is None:
            return now if self._may_be_silent else None
        if marks.received - marks.watermark <= self._patience:
            return now
        heard = now - marks.received
        return marks.watermark + heard if heard > self._patience else None

    def release(self, alive: Mapping[int, bool]) -> list[Instant | Passed]:
        """Return what is due, oldest first.

        Args:
            alive: what is proven alive now; goes with the time that passes while the
                source runs behind the clock.
        """
        bound = self._bound()
        if bound is None:
            return []
        if self.marks.released is not None:
            bound = max(bound, self.marks.released)
        self.marks.released = bound
        rows = self._due(bound)
        clocks = [each.now for each in self._clocks if each.now <= bound]
        instants = [] if rows is None else list(_instants(rows, clocks))
        return self._merged(instants, bound, alive)

    def _bound(self) -> int | None:
        """Return up to which source time everything has come, as far as one waits."""
        marks = self.marks
        reached = [] if marks.watermark is None else [marks.watermark]
        now = None if marks.clock is None else self._source_now(marks.clock)
        if now is not None and (reached or self._clocks):
            reached.append(now - self._patience)
        bound = _cell_end(max(reached) - HOLD_US) if reached else None
        if self._rows <= MOST_ROWS:
            return bound
        times = np.concatenate([block.time for block in self._held])
        half = _cell_end(int(np.partition(times, len(times) // 2)[len(times) // 2]))
        return half if bound is None else max(bound, half)

    def _due(self, bound: int) -> Block | None:
        if self._earliest is None or self._earliest > bound:
            return None
        held = merge(self._held)
        is_due = held.time <= bound
        due = _sorted(held.take(is_due))
        kept = _first_of_equals(due)
        if not kept.all():
            self.marks.repeated += int((~kept).sum())
            due = due.take(kept)
        self._held, self._rows, self._earliest = [], 0, None
        self._hold(held.take(~is_due))
        self._last.update(_keys(due))
        return due

    def _merged(
        self, instants: list[Instant], bound: int, alive: Mapping[int, bool]
    ) -> list[Instant | Passed]:
        """Return instants with the clocks between them, and the time they make pass."""
        merged: list[Instant | Passed] = []
        for instant in instants:
            merged += self._clocks_until(int(instant.block.time[0]) - 1)
            merged.append(instant)
            if self._is_behind(instant) and self._ticks(instant.time):
                self.marks.passed = instant.time
                merged.append(Passed(instant.time, alive))
        merged += self._clocks_until(bound)
        return merged

    def _clocks_until(self, bound: int) -> Iterator[Passed]:
        while self._clocks and self._clocks[0].now <= bound:
            due = self._clocks.popleft()
            if self.marks.passed is None or due.now > self.marks.passed:
                self.marks.passed = due.now
                yield due

    def _is_behind(self, instant: Instant) -> bool:
        lag = int(instant.block.received.min()) - instant.time
        return lag > self._patience

    def _ticks(self, time: int) -> bool:
        return self.marks.passed is None or time >= self.marks.passed + TICK_US

    def follow(self, tags: Set[int]) -> None:
        """Let waiting clocks speak of these tags; of new ones nothing is proven."""
        self._clocks = deque(
            each
            if each.alive.keys() == tags
            else Passed(each.now, {tag: each.alive.get(tag, False) for tag in tags})
            for each in self._clocks
        )

    def waiting(self) -> tuple[Block, list[Passed]]:
        """Return the readings and clocks that wait, in order; for the checkpoint."""
        rows = _sorted(merge(self._held)) if self._held else empty()
        return rows, list(self._clocks)

    def last(self) -> dict[int, tuple[int, int]]:
        """Return (time, tie) of each tag's last released reading."""
        return dict(self._last)

    def restore(
        self,
        marks: Marks,
        rows: Block,
        clocks: list[Passed],
        last: Mapping[int, tuple[int, int]],
    ) -> None:
        """Go on from what `marks`, `waiting` and `last` returned."""
        self.marks = replace(marks)
        self._held, self._rows, self._earliest = [], 0, None
        self._hold(rows)
        self._clocks = deque(clocks)
        self._last = dict(last)


def _keys(block: Block) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield (tag, (time, tie)) of each reading."""
    keys = zip(block.time.tolist(), block.tie.tolist(), strict=True)
    return zip(block.tag.tolist(), keys, strict=True)


def _sorted(block: Block) -> Block:
    return block.take(np.lexsort((block.tie, block.tag, block.time)))


def _first_of_equals(block: Block) -> NDArray[np.bool_]:
    kept = np.ones(len(block), np.bool_)
    kept[1:] = (
        (block.time[1:] != block.time[:-1])
        | (block.tag[1:] != block.tag[:-1])
        | (block.tie[1:] != block.tie[:-1])
    )
    return kept


def _cell_end(time: int) -> int:
    """Return the last microsecond of the cell that has `time`."""
    return (time // CELL_US + 1) * CELL_US - 1


def _instants(block: Block, clocks: Sequence[int]) -> Iterator[Instant]:
    """Cut readings in source-time order where a cell or a clock's time ends."""
    cells = block.time // CELL_US
    cuts = np.flatnonzero(cells[1:] != cells[:-1]) + 1
    if clocks:
        between = np.searchsorted(block.time, np.array(clocks), side="right")
        cuts = np.union1d(cuts, between[(between > 0) & (between < len(block))])
    ends = [*cuts.tolist(), len(block)]
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        if end > first:
            yield Instant(int(block.time[end - 1]), _part(block, first, end))


def _part(block: Block, first: int, end: int) -> Block:
    """Return consecutive rows without copying them."""
    if (first, end) == (0, len(block)):
        return block
    rows = slice(first, end)
    text = None if block.text is None else block.text.slice(first, end - first)
    return Block(
        tag=block.tag[rows],
        time=block.time[rows],
        value=block.value[rows],
        status=block.status[rows],
        tie=block.tie[rows],
        received=block.received[rows],
        server=block.server[rows],
        text=None if text is None or text.null_count == len(text) else text,
    )
