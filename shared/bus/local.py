"""The log in files of one machine: durable, for several processes, without a server.

Folders: `<root>/<topic>/<partition>/` holds a log's segments, `<root>/groups/` a file
per consumer group. See `segments`, `frames`, `writing`, `reading` and `leases`.
"""

from __future__ import annotations

import asyncio
import fcntl
import re
import secrets
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from shared.bus.consuming import LocalConsumer, LocalReader, Tails
from shared.bus.interface import Position, TopicPartition
from shared.bus.leases import Leases
from shared.bus.reading import LogReader, edge_time
from shared.bus.segments import create_segment, delete, segments, size_bytes
from shared.bus.writing import LogWriter
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from shared.bus.interface import Assigned, Message
    from shared.bus.segments import Segment

SEGMENT_BYTES = 256 * 1024 * 1024
LEASE_S = 10.0

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_GROUPS = "groups"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A segment that was deleted whole: what is no longer in the log."""

    first: Position
    last: Position
    """Both ends included."""
    first_time: int | None
    """Append time of its first record, us UTC; None when it could not be read."""
    last_time: int | None
    size_bytes: int


def now_us() -> int:
    """Return the wall clock's UTC, us."""
    return time.time_ns() // 1000


class LocalBus:
    """The local log; see Bus.

    Bounded by: the disk; the owner watches `size_bytes` and drops segments. When full:
    append raises Unavailable, nothing is half-written. Order: kept within a partition,
    whichever process appends. Duplicates: see LogWriter. On cancel: see LogWriter.
    """

    def __init__(
        self,
        root: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        lease_s: float = LEASE_S,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._root = root
        self._segment_bytes = segment_bytes
        self._lease_s = lease_s
        self._clock = clock
        self._writers: dict[TopicPartition, LogWriter] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        while self._writers:
            _, writer = self._writers.popitem()
            await writer.close()

    async def create_topic(self, topic: str, partitions: int) -> None:
        """As Bus.create_topic.

        Raises:
            ValueError: the name cannot be a topic's.
            Unavailable: the disk does not take it.
        """
        _check_name("topic", topic)
        await asyncio.to_thread(self._create, topic, partitions)

    async def partitions(self, topic: str) -> int:
        """As Bus.partitions."""
        return await asyncio.to_thread(self._count, topic)

    async def append(self, at: TopicPartition, messages: Sequence[Message]) -> Position:
        """As Bus.append; appends that wait at the same time share one fsync."""
        writer = self._writers.get(at)
        if writer is None:
            writer = self._writers[at] = LogWriter(
                at,
                self._folder(at),
                segment_bytes=self._segment_bytes,
                clock=self._clock,
            )
        return await writer.append(messages)

    async def head(self, at: TopicPartition) -> Position:
        """As Bus.head. Raises Unavailable when there is no such partition."""
        return await asyncio.to_thread(self._ask, at, LogReader.head)

    async def start(self, at: TopicPartition) -> Position:
        """As Bus.start. Raises Unavailable when there is no such partition."""
        return await asyncio.to_thread(self._ask, at, LogReader.start)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        member: str,
        assigned: Assigned | None = None,
    ) -> LocalConsumer:
        """As Bus.consumer; `member` may be any text."""
        _check_name("group", group)
        path = self._root / _GROUPS / f"{group}.sqlite"
        return LocalConsumer(
            Tails(self._folder, group),
            Leases(path, member, lease_s=self._lease_s),
            lambda: self._all_of(topics),
            lease_s=self._lease_s,
            assigned=assigned,
        )

    def reader(self, positions: Mapping[TopicPartition, Position]) -> LocalReader:
        """As Bus.reader."""
        return LocalReader(Tails(self._folder, "reader"), positions)

    async def committed(self, group: str, at: TopicPartition) -> Position | None:
        """Return what a group committed, without being a member; None: nothing yet.

        Raises:
            PositionUnknown: what is stored fails its checksum.
            Unavailable: the group's file cannot be read now.
        """
        _check_name("group", group)
        return await asyncio.to_thread(self._committed, group, at)

    async def size_bytes(self, at: TopicPartition) -> int:
        """Return what a partition occupies on the disk."""
        return await asyncio.to_thread(size_bytes, self._folder(at))

    async def segment_starts(self, at: TopicPartition) -> list[Position]:
        """Return where each segment of a partition starts, oldest first."""
        listed = await asyncio.to_thread(segments, self._folder(at))
        return [Position(segment.epoch, segment.base) for segment in listed]

    async def drop_oldest_segment(self, at: TopicPartition) -> Dropped | None:
        """Delete the oldest segment and say what it held.

        None when only the segment that is appended to is left, which always stays.
        """
        return await asyncio.to_thread(self._drop, at, None)

    async def drop_segments(self, at: TopicPartition, before: int) -> list[Dropped]:
        """Delete the segments whose last record was appended before `before`, us UTC.

        A segment that cannot be read stays, and those after it.
        """
        dropped = []
        while (one := await asyncio.to_thread(self._drop, at, before)) is not None:
            dropped.append(one)
        return dropped

    def _folder(self, at: TopicPartition) -> Path:
        return self._root / at.topic / str(at.partition)

    def _all_of(self, topics: Sequence[str]) -> list[TopicPartition]:
        return [
            TopicPartition(topic, number)
            for topic in topics
            for number in range(self._count(topic))
        ]

    def _count(self, topic: str) -> int:
        count = 0
        while segments(self._folder(TopicPartition(topic, count))):
            count += 1
        return count

    def _create(self, topic: str, partitions: int) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with (self._root / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for number in range(self._count(topic), partitions):
                    folder = self._folder(TopicPartition(topic, number))
                    create_segment(folder, secrets.token_hex(8), 0)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(
                f"topic {topic!r} with {partitions} partitions cannot be made in "
                f"{self._root}: {error}"
            ) from error

    def _ask(
        self, at: TopicPartition, question: Callable[[LogReader], Position]
    ) -> Position:
        reader = LogReader(at, self._folder(at))
        try:
            return question(reader)
        finally:
            reader.close()

    def _committed(self, group: str, at: TopicPartition) -> Position | None:
        path = self._root / _GROUPS / f"{group}.sqlite"
        leases = Leases(path, "", lease_s=self._lease_s)
        try:
            return leases.committed(at)
        finally:
            leases.leave()

    def _drop(self, at: TopicPartition, before: int | None) -> Dropped | None:
        listed = segments(self._folder(at))
        if len(listed) < 2:
            return None
        oldest, following = listed[:2]
        last_time = edge_time(oldest, last=True)
        if before is not None and (last_time is None or last_time >= before):
            return None
        dropped = Dropped(
            first=Position(oldest.epoch, oldest.base),
            last=Position(oldest.epoch, following.base - 1),
            first_time=edge_time(oldest, last=False),
            last_time=last_time,
            size_bytes=_file_bytes(oldest),
        )
        delete(oldest)
        return dropped


def _file_bytes(segment: Segment) -> int:
    try:
        return segment.path.stat().st_size
    except FileNotFoundError:
        return 0


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name) or (what == "topic" and name == _GROUPS):
        raise ValueError(
            f"{what} {name!r}: expected lower-case letters, digits, '.', '_', '-', "
            f"at most 100, and not {_GROUPS!r}"
        )
