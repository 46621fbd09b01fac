"""Moves records from the spool to the real log, in order, and never drops one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from services.ingest.spool.losses import damage_gaps
from services.ingest.spool.spool import FETCH_BYTES, GROUP, following
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

    from services.ingest.spool.spool import Spool
    from shared.bus import Bus, Consumer, TopicPartition
    from shared.bus.local import LocalBus

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

SPOOL_HEADER = "spool"
"""`<epoch>:<offset>` in the spool: the same record relayed twice has it twice."""

APPEND_BYTES = 1024 * 1024
_POLL_S = 1.0
_GATHER_S = 0.05
"""Pause after little was found: a few appends and one commit for many records."""
_LITTLE_RECORDS = 100
_RETRY_FIRST_S = 0.1
_RETRY_LAST_S = 5.0
_LOOK_BACK_FIRST = 200
"""Last records of the real log among which a restarted relay looks for its own."""
_LOOK_BACK_LAST = 12_800
"""More are read, eight times each, while others (the API, collectors on the same
partition) wrote so many behind it."""
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
    spool_bus: LocalBus,
    bus: Bus,
    topics: Sequence[str],
    *,
    servers: Callable[[], Collection[str]],
    quota: Spool | None = None,
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
        quota: gives up the oldest of `spool_bus` when it is full; it is told what goes
            to `bus`, and what is safe there.
        progress: counts are added here.
        member: this relay's name; a second relay on one spool waits as a stand-by.
        clock: UTC, us; end of damage that nothing follows.

    Raises:
        Fenced: another relay took over this spool.
    """
    moving = _Relay(spool_bus, bus, servers, progress or Progress(), clock, quota)
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
                if quota is not None:
                    await moving.until_available(
                        "spool", partial(quota.passed, positions)
                    )
            if 0 < len(found) < _LITTLE_RECORDS:
                await asyncio.sleep(_GATHER_S)


class _Relay:
    """What a relay remembers while it runs."""

    def __init__(
        self,
        spool: LocalBus,
        bus: Bus,
        servers: Callable[[], Collection[str]],
        progress: Progress,
        clock: Callable[[], int],
        quota: Spool | None,
    ) -> None:
        self._spool = spool
        self._bus = bus
        self._servers = servers
        self._progress = progress
        self._clock = clock
        self._quota = quota
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
        """Return the position after what the real log has, else what was committed."""
        found = {at: await self._start(at) for at in partitions}
        self._next.update(found)
        return found

    async def _start(self, at: TopicPartition) -> Position:
        """Return where to go on, within what the spool has now."""
        oldest, newest = await self._spool.start(at), await self._spool.head(at)
        position = await self._delivered(at, oldest.epoch)
        if position is None:
            with contextlib.suppress(PositionUnknown):
                position = await self._spool.committed(GROUP, at)
        if position is None:
            return oldest
        within = oldest.offset <= position.offset <= newest.offset
        if position.epoch == oldest.epoch and within:
            return position
        self._say_skipped(at, position, oldest)
        return oldest

    async def _delivered(self, at: TopicPartition, epoch: str) -> Position | None:
        """Look for the last record of this spool at the end of the real log."""
        start, head = await self._bus.start(at), await self._bus.head(at)
        look = _LOOK_BACK_FIRST
        while True:
            offset = max(start.offset, head.offset - look)
            position = await self._last_of(at, epoch, offset, head)
            if position or offset == start.offset or look >= _LOOK_BACK_LAST:
                return position
            look *= 8

    async def _last_of(
        self, at: TopicPartition, epoch: str, offset: int, head: Position
    ) -> Position | None:
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
                        position = _origin(record, epoch) or position
                        self._last_time[at] = record.time
        return position

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
        self._say_skipped(at, here, start)
        await consumer.seek(at, start)
        self._next[at] = start

    def _say_skipped(
        self, at: TopicPartition, last: Position | None, start: Position
    ) -> None:
        _log.warning(
            "relay of %s/%d: %s is no longer in the spool; going on at %s",
            at.topic,
            at.partition,
            "the last position" if last is None else f"{last.epoch}:{last.offset}",
            f"{start.epoch}:{start.offset}",
        )

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
        sized = [(following(each), m) for each in entries for m in self._messages(each)]
        for some in _batches(sized):
            batch = await self._not_given_up(at, some)
            if batch:
                await self.until_available(
                    f"{at.topic}/{at.partition}", partial(self._bus.append, at, batch)
                )
                self._progress.moved(batch)
        self._next[at] = following(entries[-1])

    async def _not_given_up(
        self, at: TopicPartition, batch: Sequence[_Sent]
    ) -> list[Message]:
        """Return what may still go: the rest was declared lost since it was read."""
        first = None
        if self._quota is not None:
            first = await self._quota.send(at, batch[-1][0])
        least = 0 if first is None else first.offset
        return [message for after, message in batch if after.offset > least]

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


_Sent = tuple[Position, Message]
"""A message, and the place in the spool behind what it stands for."""


def _batches(messages: Sequence[_Sent]) -> Iterator[list[_Sent]]:
    """Yield the messages in order, about APPEND_BYTES at a time."""
    batch: list[_Sent] = []
    size = 0
    for message in messages:
        if batch and size + len(message[1].value) > APPEND_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message[1].value)
    if batch:
        yield batch
