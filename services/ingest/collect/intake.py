"""From a decoded notification to the log: count, drop repeats, split, hand over."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.ingest.collect.gaps import NEVER, Front, ahead_of, marking
from services.ingest.collect.writer import Rows
from shared.domain import US_PER_S, Kind, Origin
from shared.wire import ReadingsHeader, encode_readings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.ingest.collect.ledger import Ledger
    from services.ingest.collect.losses import Losses
    from services.ingest.collect.plan import Layout, Plan
    from services.ingest.collect.writer import Writer
    from services.ingest.last_readings import LastReadings
    from services.ingest.opcua.decode import Publish
    from shared.readings import Block

_YEAR_2000 = 946_684_800 * US_PER_S
_DAY_US = 86_400 * US_PER_S


@dataclass(frozen=True, slots=True)
class Source:
    """Where the readings of a notification come from."""

    server: str
    session: str
    configuration: int
    origin: Origin
    fetched: bool = False
    """Whether it was republished: the server's queues may have overflowed since."""


class Intake:
    """One server's way into the writer.

    Bounded by: the writer. When full: the caller asks the server for no more. Order:
    as the notifications come. Duplicates: immediate re-deliveries are dropped and
    counted. On cancel: what is not durable is not acknowledged.
    """

    def __init__(
        self,
        layout: Layout,
        writer: Writer,
        *,
        last: LastReadings,
        ledger: Ledger,
        losses: Losses,
        dead_letter: Callable[[dict[str, str], bytes], None],
    ) -> None:
        self._layout = layout
        self._writer = writer
        self._last = last
        self._ledger = ledger
        self._losses = losses
        self._dead_letter = dead_letter
        self.durable = Front()
        """What is on the log."""
        self._newest: NDArray[np.int64] = np.empty(0, np.int64)

    def follow(self, plan: Plan, tags: NDArray[np.int32]) -> None:
        """Take a configuration and the handles of its tags."""
        self._layout.follow(plan, tags)
        self._ledger.follow(tags)
        self.durable.grow(len(tags))
        self._losses.grow(len(tags))
        more = len(tags) - len(self._newest)
        self._newest = np.append(self._newest, np.full(more, NEVER))

    def take(
        self, publish: Publish, source: Source, received: int, safe: Callable[[], None]
    ) -> None:
        """Hand a notification's readings to the writer.

        Args:
            publish: with its readings in order of arrival.
            source: what their records say of them.
            received: us UTC.
            safe: called once every reading of it is durable, at once if none is new.
        """
        block = publish.block
        handle = self._layout.handles(block.tag)
        self._declare_overflow(publish, handle)
        self._newest[handle] = block.time
        believed = marking(block.time, block.status, block.received)
        ahead = ahead_of(block.time, block.received)
        self._losses.observe(
            handle[believed],
            block.time[believed],
            more=publish.more,
            received=None if source.fetched else received,
            valueless=handle[~believed & ~ahead],
            ahead=block.time[ahead],
        )
        mark = _Mark(handle[believed], block.time[believed], publish.more)
        delivery = _Delivery(self, publish, mark, safe)
        new = self._without_repeats(block, delivery)
        strange = _strange(new.time, new.received)
        if strange.any():
            self._quarantine(new.take(strange), source, delivery)
            new = new.take(~strange)
        self._count_refused(delivery)
        self._split(new, source, delivery)

    def _without_repeats(self, block: Block, delivery: _Delivery) -> Block:
        fresh = self._last.fresh(block)
        if fresh.all():
            return block
        delivery.count(block.tag[~fresh], block.time[~fresh], "duplicate")
        return block.take(fresh)

    def _split(self, new: Block, source: Source, delivery: _Delivery) -> None:
        partition = self._layout.partition[self._layout.handles(new.tag)]
        wanted = np.unique(partition).tolist()
        delivery.parts = max(1, len(wanted))
        for number in wanted:
            chosen = partition == number
            block = new if chosen.all() else new.take(chosen)
            rows = Rows(
                block,
                source.server,
                source.session,
                delivery.publish.sequence,
                source.origin,
                source.configuration,
            )
            done = functools.partial(delivery.part_done, block.tag, block.time)
            self._writer.put(number, rows, done)
        if not wanted:
            delivery.part_done(new.tag, new.time)

    def _declare_overflow(self, publish: Publish, handle: NDArray[np.intp]) -> None:
        if not len(publish.overflow):
            return
        of = self._layout.handles(publish.overflow)
        first = np.array([np.flatnonzero(handle == h)[0] for h in of], np.intp)
        before = self._newest[of]
        known = before != NEVER
        self._losses.overflowed(
            publish.overflow[known],
            before[known],
            publish.block.time[first[known]],
        )

    def _count_refused(self, delivery: _Delivery) -> None:
        """Count values that are no rows; a text that was only cut off is a row."""
        publish = delivery.publish
        block = publish.block
        gone = [
            what
            for what in publish.refused
            if not ((block.tag == what.tag) & (block.time == what.time)).any()
        ]
        if not gone:
            return
        tags = np.array([what.tag for what in gone], np.int32)
        times = np.array([what.time for what in gone], np.int64)
        delivery.count(tags, times, "quarantined")

    def _quarantine(self, block: Block, source: Source, delivery: _Delivery) -> None:
        """Keep readings of impossible times where they harm no watermark."""
        delivery.count(block.tag, block.time, "quarantined")
        number = delivery.publish.sequence
        header = ReadingsHeader(
            source.origin,
            source.server,
            source.session,
            (number, number),
            source.configuration,
        )
        headers, value = encode_readings(block, header)
        reason = "source time before 2000 or more than a day ahead of the collector"
        self._dead_letter(
            headers | {"kind": Kind.DEAD_LETTER.value, "reason": reason}, value
        )

    def recount(self, blocks: Sequence[Block]) -> None:
        """Count what an earlier collector put on the log and did not count."""
        for block in blocks:
            known = block.take(np.isin(block.tag, self._layout.tags))
            self.count(known.tag, known.time, "spooled")

    def count(self, tag: NDArray[np.int32], time: NDArray[np.int64], hop: str) -> None:
        """Count readings as seen, and where they went."""
        self._ledger.count(self._layout.handles(tag), time, "seen", hop)

    def settle(self, mark: _Mark) -> None:
        """Move the front of what is on the log."""
        each = self._layout.each[mark.handle]
        self.durable.observe(mark.handle[each], mark.time[each], more=mark.more)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Readings of a notification whose source times can be believed."""

    handle: NDArray[np.intp]
    time: NDArray[np.int64]
    more: bool


class _Delivery:
    """Counts the partitions that a notification still waits for.

    The ledger counts what is over: rows of a partition once they are durable there, the
    others with the last partition. A crash before that counts nothing.
    """

    def __init__(
        self,
        intake: Intake,
        publish: Publish,
        mark: _Mark,
        safe: Callable[[], None],
    ) -> None:
        self._intake = intake
        self.publish = publish
        self._mark = mark
        self._safe = safe
        self._others: list[tuple[NDArray[np.int32], NDArray[np.int64], str]] = []
        self.parts = 0

    def count(self, tag: NDArray[np.int32], time: NDArray[np.int64], hop: str) -> None:
        """Count readings that are no rows, once all is done."""
        self._others.append((tag, time, hop))

    def part_done(self, tag: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        """One partition has its rows."""
        self._intake.count(tag, time, "spooled")
        self.parts -= 1
        if self.parts == 0:
            for other in self._others:
                self._intake.count(*other)
            self._intake.settle(self._mark)
            self._safe()


def _strange(time: NDArray[np.int64], received: NDArray[np.int64]) -> NDArray[np.bool_]:
    strange: NDArray[np.bool_] = (time < _YEAR_2000) | (time > received + _DAY_US)
    return strange
