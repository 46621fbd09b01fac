"""Moves records from the spool to the real log, in order, and never drops one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from services.ingest.spool.losses import damage_gaps
from services.ingest.spool.spool import following
from shared.bus import Damaged, Message, Position, PositionUnknown, Record
from shared.domain import Unavailable
from shared.wire import encode_gap

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Collection,
        Iterator,
        Mapping,
        Sequence,
    )

    from shared.bus import Bus, Consumer, TopicPartition

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

GROUP = "relay"
"""Consumer group in the spool; its position is what the real log has for certain."""

SPOOL_HEADER = "spool"
"""`<epoch>:<offset>` in the spool: the same record relayed twice has it twice."""

FETCH_BYTES = 8 * 1024 * 1024
APPEND_BYTES = 1024 * 1024
_POLL_S = 1.0
_GATHER_S = 0.05
"""Pause after little was found: a few appends and one commit for many records."""
_LITTLE_RECORDS = 100
_RETRY_FIRST_S = 0.1
_RETRY_LAST_S = 5.0
_LOOK_BACK = 200
"""Last records of the real log among which a restarted relay looks for its own."""
_LOOK_BACK_S = 5.0
_RATE_SAMPLES = 64


def now_us() -> int:
    """Return the wall clock's UTC, us."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Progress:
    """What a relay has done since it started; for health and metrics."""

    records: int = 0
    bytes: int = 0
    damaged: int = 0
    """Places in the spool that could not be read; each became gaps."""
    connected: bool = True
    """Whether the real log took the last append."""
    _samples: deque[tuple[float, int]] = field(
        default_factory=lambda: deque(maxlen=_RATE_SAMPLES)
    )

    def moved(self, messages: Sequence[Message]) -> None:
        """Count what the real log acknowledged."""
        self.records += len(messages)
        self.bytes += sum(len(message.value) for message in messages)
        self._samples.append((time.monotonic(), self.records))

    @property
    def records_per_s(self) -> float:
        """Rate over the last appends; 0 before the second one."""
        if len(self._samples) < 2:
            return 0.0
        (began, before), (ended, after) = self._samples[0], self._samples[-1]
        return (after - before) / max(ended - began, 1e-9)


async def relay(  # noqa: PLR0913  two logs and the options of moving between them
    spool_bus: Bus,
    bus: Bus,
    topics: Sequence[str],
    *,
    servers: Callable[[], Collection[str]],
    passed: Callable[[Mapping[TopicPartition, Position]], Awaitable[None]]
    | None = None,
    progress: Progress | None = None,
    member: str = "relay",
    clock: Callable[[], int] = now_us,
) -> None:
    """Move records until cancelled; returns never.

    Bounded by: FETCH_BYTES in memory. When full (the real log is away): waits with
    back-off; the spool grows on disk. Order: kept within a partition. Duplicates: after
    a crash, the records whose acknowledgement was not noted; each carries
    SPOOL_HEADER, and a relay that starts looks for the last one on the real log.
    On cancel: what was not acknowledged is moved again after the next start.

    Args:
        spool_bus: the log to empty.
        bus: the log to fill; its topics are made with as many partitions.
        topics: names, the same in both.
        servers: whose readings may be in records that cannot be read (for gaps).
        passed: told after each commit what is safe on `bus` (see Spool.passed).
        progress: counts are added here.
        member: this relay's name; a second relay on one spool waits as a stand-by.
        clock: UTC, us; end of damage that nothing follows.

    Raises:
        Fenced: another relay took over this spool.
    """
    moving = _Relay(spool_bus, bus, servers, progress or Progress(), clock)
    for topic in topics:
        await moving.until_available(topic, partial(moving.make, topic))
    async with spool_bus.consumer(
        GROUP, topics, member=member, assigned=moving.starts
    ) as consumer:
        while True:
            found = await moving.until_available(
                "spool", partial(moving.poll, consumer)
            )
            positions = await moving.move(found)
            if positions:
                await moving.until_available(
                    "spool", partial(consumer.commit, positions)
                )
                if passed is not None:
                    await moving.until_available("spool", partial(passed, positions))
            if 0 < len(found) < _LITTLE_RECORDS:
                await asyncio.sleep(_GATHER_S)


class _Relay:
    """What a relay remembers while it runs."""

    def __init__(
        self,
        spool: Bus,
        bus: Bus,
        servers: Callable[[], Collection[str]],
        progress: Progress,
        clock: Callable[[], int],
    ) -> None:
        self._spool = spool
        self._bus = bus
        self._servers = servers
        self._progress = progress
        self._clock = clock
        self._next: dict[TopicPartition, Position] = {}
        self._last_time: dict[TopicPartition, int] = {}
        self._named: dict[TopicPartition, set[str]] = {}
        self._away: set[str] = set()

    async def make(self, topic: str) -> None:
        """Make the topic on the real log. Raises Unavailable."""
        await self._bus.create_topic(topic, await self._spool.partitions(topic))

    async def starts(
        self, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, Position | None]:
        """Return the position after what the real log has; None: what was committed."""
        found = {at: await self._delivered(at) for at in partitions}
        self._next.update({at: place for at, place in found.items() if place})
        return found

    async def _delivered(self, at: TopicPartition) -> Position | None:
        """Look for the last record of this spool at the end of the real log."""
        oldest, newest = await self._spool.start(at), await self._spool.head(at)
        start, head = await self._bus.start(at), await self._bus.head(at)
        offset = max(start.offset, head.offset - _LOOK_BACK)
        position = None
        async with self._bus.reader({at: Position(head.epoch, offset)}) as reader:
            while offset < head.offset:
                records = await reader.poll(
                    max_bytes=FETCH_BYTES, timeout_s=_LOOK_BACK_S
                )
                if not records:
                    break
                offset = following(records[-1]).offset
                for record in records:
                    if isinstance(record, Record):
                        position = _origin(record, oldest.epoch) or position
                        self._last_time[at] = record.time
        within = position and oldest.offset <= position.offset <= newest.offset
        return position if within else None

    async def poll(self, consumer: Consumer) -> Sequence[Record | Damaged]:
        """Return what waits in the spool; goes on behind what was given up there."""
        try:
            return await consumer.poll(max_bytes=FETCH_BYTES, timeout_s=_POLL_S)
        except PositionUnknown:
            for at in consumer.assigned():
                await self._skip_given_up(consumer, at)
            return ()

    async def _skip_given_up(self, consumer: Consumer, at: TopicPartition) -> None:
        """Go on at the oldest record; the spool may give up more meanwhile."""
        while True:
            try:
                await self._skip_once(consumer, at)
            except PositionUnknown:
                continue
            return

    async def _skip_once(self, consumer: Consumer, at: TopicPartition) -> None:
        start, head = await self._spool.start(at), await self._spool.head(at)
        here = self._next.get(at)
        if (
            here is not None
            and here.epoch == start.epoch
            and start.offset <= here.offset <= head.offset
        ):
            return
        _log.warning(
            "relay of %s/%d: %s is no longer in the spool; going on at %s",
            at.topic,
            at.partition,
            "the last position" if here is None else f"{here.epoch}:{here.offset}",
            f"{start.epoch}:{start.offset}",
        )
        await consumer.seek(at, start)
        self._next[at] = start

    async def move(
        self, found: Sequence[Record | Damaged]
    ) -> Mapping[TopicPartition, Position]:
        """Append to the real log; return the next position of each partition."""
        by_partition: dict[TopicPartition, list[Record | Damaged]] = {}
        for each in found:
            by_partition.setdefault(each.at, []).append(each)
        async with asyncio.TaskGroup() as group:
            for at, entries in by_partition.items():
                group.create_task(self._move_partition(at, entries))
        return {at: self._next[at] for at in by_partition}

    async def _move_partition(
        self, at: TopicPartition, entries: Sequence[Record | Damaged]
    ) -> None:
        messages = [message for each in entries for message in self._messages(each)]
        for batch in _batches(messages):
            await self.until_available(
                f"{at.topic}/{at.partition}", partial(self._bus.append, at, batch)
            )
            self._progress.moved(batch)
        self._next[at] = following(entries[-1])

    def _messages(self, each: Record | Damaged) -> list[Message]:
        """Return what goes to the real log in place of one entry of the spool."""
        named = self._named.setdefault(each.at, set())
        if isinstance(each, Record):
            self._last_time[each.at] = each.time
            named.update({each.headers["server"]} if "server" in each.headers else ())
            return [_marked(Message(each.headers, each.value), each.position)]
        self._progress.damaged += 1
        _log.error(
            "relay of %s/%d: %s; declared as gaps",
            each.at.topic,
            each.at.partition,
            each.reason,
        )
        gaps = damage_gaps(
            each,
            {*named, *self._servers()},
            since=self._last_time.get(each.at, 0),
            until=self._clock(),
        )
        return [_marked(Message(*encode_gap(gap)), each.last) for gap in gaps]

    async def until_available(self, what: str, call: Callable[[], Awaitable[_T]]) -> _T:
        """Repeat `call` with back-off until it succeeds."""
        pause = _RETRY_FIRST_S
        while True:
            try:
                result = await call()
            except Unavailable as error:
                if not self._away:
                    _log.warning("relay waits: %s", error)
                self._away.add(what)
                self._progress.connected = False
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_LAST_S)
                continue
            if what in self._away:
                self._away.discard(what)
                if not self._away:
                    self._progress.connected = True
                    _log.info("relay goes on")
            return result


def _marked(message: Message, position: Position) -> Message:
    mark = f"{position.epoch}:{position.offset}"
    return Message({**message.headers, SPOOL_HEADER: mark}, message.value)


def _origin(record: Record, epoch: str) -> Position | None:
    """Return the position after the spooled record that this one is a copy of."""
    found, _, offset = record.headers.get(SPOOL_HEADER, "").rpartition(":")
    return Position(epoch, int(offset) + 1) if found == epoch else None


def _batches(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Yield the messages in order, about APPEND_BYTES at a time."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        if batch and size + len(message.value) > APPEND_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.value)
    if batch:
        yield batch
