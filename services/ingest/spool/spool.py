"""A local log within a quota of disk, for the time when the real log is away."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import TYPE_CHECKING

from services.ingest.spool.losses import Losses
from shared.bus import Damaged, Position, PositionUnknown
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from shared.bus import Message, Record, TopicPartition
    from shared.bus.local import LocalBus

_log = logging.getLogger(__name__)

GIB = 1024**3
QUOTA_BYTES = 20 * GIB
RESERVE_BYTES = GIB
"""Disk that readings never take: gap records can be written when all else is full."""

ALARM_AT = 0.8
CLEAR_AT = 0.7
"""Parts of the quota at which the alarm comes and goes."""

GROUP = "relay"
"""Consumer group in the spool; its position is what the real log has for certain."""
FETCH_BYTES = 8 * 1024 * 1024
"""What a relay takes at once, about."""

_MEASURE_EVERY = 0.01
"""Appended part of the quota after which the disk is looked at again."""
_MESSAGE_BYTES = 256
"""What a record takes beside its value."""
_SCAN_BYTES = 4 * 1024 * 1024
_SCAN_TIMEOUT_S = 5.0
_SEGMENTS_PER_PARTITION = 8
_LARGEST_SEGMENT = 256 * 1024 * 1024
_SMALLEST_SEGMENT = 64 * 1024


def segment_bytes(quota_bytes: int, partitions: int) -> int:
    """Return the segment size with which a spool can give up little at a time.

    Only whole segments are deleted, and never the last one of a partition.

    >>> segment_bytes(20 * 1024**3, 16) // 1024**2
    160
    """
    share = quota_bytes // (partitions * _SEGMENTS_PER_PARTITION)
    return min(max(share, _SMALLEST_SEGMENT), _LARGEST_SEGMENT)


class Spool:
    """Appends within a quota; gives up the oldest records when it is used up.

    Bounded by: `quota_bytes` over all partitions, and disk that keeps `reserve_bytes`
    free. When full: the oldest segment of the largest partition goes; what of it was
    not relayed yet is declared first, in the log itself, as gaps of cause SPOOL_FULL
    with the source times and counts it held. Records that were on their way to the real
    log at that moment may have arrived there: their gap has no count. What was given up
    is never sent any more. If no segment can go: append raises Unavailable; the
    collector then acknowledges nothing. Order: as the local log's. Duplicates: a crash
    between declaring and deleting repeats gaps and small records, which are recognised.
    On cancel: an append is stored whole or not at all.
    """

    def __init__(
        self,
        bus: LocalBus,
        partitions: Sequence[TopicPartition],
        folder: Path,
        *,
        servers: Callable[[], Collection[str]],
        quota_bytes: int = QUOTA_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        """Watch `partitions` of the log `bus`, which lies in `folder`.

        `servers` names whose readings may be in records that cannot be read.
        """
        self._bus = bus
        self._partitions = tuple(partitions)
        self._folder = folder
        self._servers = servers
        self._quota = quota_bytes
        self._reserve = reserve_bytes
        self._relayed: dict[TopicPartition, Position] = {}
        self._sent: dict[TopicPartition, Position] = {}
        """Before here a record may be on the real log, acknowledged or not."""
        self._given_up: dict[TopicPartition, Position] = {}
        self._making_room = asyncio.Lock()
        """Held by whoever deletes, or says that records go to the real log."""
        self._used = 0
        self._unmeasured = quota_bytes  # measure before the first append
        self._free = 0
        self._alarm = False
        self._giving_up = False

    @property
    def used(self) -> float:
        """Part of the quota in use, as last measured."""
        return self._used / self._quota

    @property
    def alarm(self) -> bool:
        """Whether the spool is nearly full: the log has been away for long."""
        return self._alarm

    async def append(self, at: TopicPartition, messages: Sequence[Message]) -> Position:
        """Append durably within the quota; return the position of the first one.

        Raises:
            Unavailable: the spool is full and nothing more can be given up, or the
                disk does not take it; nothing is known to be appended.
        """
        size = sum(_MESSAGE_BYTES + len(message.value) for message in messages)
        async with self._making_room:
            await self._make_room(size)
            self._used += size
            self._unmeasured += size
        return await self._bus.append(at, messages)

    async def take_up(self) -> None:
        """Know what an earlier process moved to the real log, and may have moved.

        Raises:
            Unavailable: the disk cannot be read now.
        """
        for at in self._partitions:
            start = await self._bus.start(at)
            try:
                relayed = await self._bus.committed(GROUP, at)
            except PositionUnknown:
                relayed = None
            if relayed is None or not _is_before(start, relayed):
                relayed = start
            self._relayed[at] = relayed
            self._sent[at] = await self._behind(at, relayed, FETCH_BYTES)

    async def _behind(self, at: TopicPartition, start: Position, size: int) -> Position:
        """Return the place so many bytes behind `start`, or the end."""
        head = await self._bus.head(at)
        async with self._bus.reader({at: start}) as reader:
            while size > 0 and _is_before(start, head):
                found = await reader.poll(max_bytes=size, timeout_s=_SCAN_TIMEOUT_S)
                if not found:
                    break
                size -= sum(len(e.value) for e in found if not isinstance(e, Damaged))
                start = following(found[-1])
        return start

    async def send(self, at: TopicPartition, until: Position) -> Position | None:
        """Let what lies before `until` go to the real log; return where that begins.

        What lies before the returned place was given up and declared: it must not go
        any more. None: nothing was given up.
        """
        async with self._making_room:
            self._sent[at] = until
            return self._given_up.get(at)

    async def passed(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Take note that all before `positions` is on the real log; free its disk."""
        self._relayed.update(positions)
        free = [at for at, p in positions.items() if await self._is_passed(at, p)]
        if not free:
            return
        async with self._making_room:
            for at in free:
                while await self._is_passed(at, positions[at]):
                    await self._bus.drop_oldest_segment(at)
            await self._measure()

    async def _is_passed(self, at: TopicPartition, position: Position) -> bool:
        """Whether the oldest segment lies before `position` and may go."""
        starts = await self._bus.segment_starts(at)
        return len(starts) > 1 and _is_before(starts[1], position, or_at=True)

    async def _make_room(self, size: int) -> None:
        if self._unmeasured >= self._quota * _MEASURE_EVERY or not self._fits(size):
            await self._measure()
        if not self._fits(size):
            await self._give_up_until_it_fits(size)
        elif self._used + size < self._quota * CLEAR_AT:
            self._giving_up = False

    async def _give_up_until_it_fits(self, size: int) -> None:
        """Give up segments, each at most once: what is declared takes room, too."""
        starts = [await self._bus.segment_starts(at) for at in self._partitions]
        for _ in range(sum(map(len, starts))):
            given_up = await self._give_up_oldest()
            await self._measure()
            if self._fits(size):
                return
            if not given_up:
                break
        raise Unavailable(
            f"spool in {self._folder}: full, no segment can be given up: "
            f"{self._used} bytes used, expected {size} more within {self._quota}; "
            f"{self._free} free on the disk, expected {self._reserve} to be left"
        )

    def _fits(self, size: int) -> bool:
        return (
            self._used + size <= self._quota
            and self._free - self._unmeasured - size >= self._reserve
        )

    async def _measure(self) -> None:
        sizes = [await self._bus.size_bytes(at) for at in self._partitions]
        usage = await asyncio.to_thread(shutil.disk_usage, self._folder)
        self._used, self._free, self._unmeasured = sum(sizes), usage.free, 0
        if not self._alarm and self.used >= ALARM_AT:
            self._alarm = True
            _log.warning(
                "spool in %s: %d %% of %d bytes used; at 100 %% the oldest readings go",
                self._folder,
                100 * self.used,
                self._quota,
            )
        elif self._alarm and self.used < CLEAR_AT:
            self._alarm = False
            _log.info("spool in %s: %d %% used again", self._folder, 100 * self.used)

    async def _give_up_oldest(self) -> bool:
        """Declare and delete one segment; False when there is none to delete."""
        sizes = {at: await self._bus.size_bytes(at) for at in self._partitions}
        for at in sorted(sizes, key=lambda at: -sizes[at]):
            starts = await self._bus.segment_starts(at)
            if len(starts) < 2:
                continue
            if not self._giving_up:
                self._giving_up = True
                _log.error(
                    "spool in %s: full; giving up the oldest readings, with gaps",
                    self._folder,
                )
            declared = await self._declare(at, starts[0], starts[1])
            if declared:
                await self._bus.append(at, declared)
            self._given_up[at] = starts[1]
            return await self._bus.drop_oldest_segment(at) is not None
        return False

    async def _declare(
        self, at: TopicPartition, start: Position, end: Position
    ) -> Sequence[Message]:
        """Return gaps for, and what must outlive, the records from `start` to `end`."""
        relayed = self._relayed.get(at)
        if relayed is not None and _is_before(start, relayed):
            start = relayed
        where = (
            f"spool {at.topic}/{at.partition}: offsets {start.offset} to "
            f"{end.offset - 1} given up"
        )
        lost = Losses(self._servers(), where)
        unsure = Losses(
            self._servers(), f"{where}; some may be on the log", is_certain=False
        )
        sent = self._sent.get(at, start)
        async with self._bus.reader({at: start}) as reader:
            while _is_before(start, end):
                found = await reader.poll(
                    max_bytes=_SCAN_BYTES, timeout_s=_SCAN_TIMEOUT_S
                )
                if not found:
                    raise Unavailable(
                        f"spool {at.topic}/{at.partition}: offset {start.offset}: "
                        f"expected records up to {end.offset}, found none"
                    )
                within = [each for each in found if _is_before(place(each), end)]
                unsure.add(each for each in within if _is_before(place(each), sent))
                lost.add(each for each in within if not _is_before(place(each), sent))
                start = following(found[-1])
        self._say_letters(lost.letters + unsure.letters)
        return [*unsure.messages(), *lost.messages()]

    def _say_letters(self, letters: int) -> None:
        if letters:
            _log.error(
                "spool in %s: full; %d dead letters are given up; the ledger counts "
                "their readings as quarantined",
                self._folder,
                letters,
            )


def place(each: Record | Damaged) -> Position:
    """Return where a record, or the first damaged one, is."""
    return each.first if isinstance(each, Damaged) else each.position


def following(each: Record | Damaged) -> Position:
    """Return the position after what was delivered."""
    last = each.last if isinstance(each, Damaged) else each.position
    return Position(last.epoch, last.offset + 1)


def _is_before(one: Position, other: Position, *, or_at: bool = False) -> bool:
    """Whether `one` is before `other` in the same log."""
    return one.epoch == other.epoch and one.offset < other.offset + or_at
