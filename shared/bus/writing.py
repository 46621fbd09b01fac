"""Appends to one local log: durable, in order, from any process of the machine."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.bus.frames import PRODUCER_BYTES, Frame, FrameDamaged, decode, encode
from shared.bus.interface import Position, TopicPartition
from shared.bus.salvage import last_sound
from shared.bus.segments import (
    BUSY_TIMEOUT_S,
    Head,
    Segment,
    connect,
    create_segment,
    is_corrupt,
    is_damage,
    prepare_to_write,
    read_head,
    segments,
    write_head,
)
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from shared.bus.interface import Message

GROUP_COMMIT_BYTES = 4 * 1024 * 1024
"""Waiting appends share one fsync up to this many bytes of values."""

_LOCK_RETRY_S = 0.001


@dataclass(slots=True)
class _Append:
    messages: Sequence[Message]
    done: asyncio.Future[Position] = field(repr=False)


class LogWriter:
    """One process's end of a log.

    Bounded by: callers wait for their own append, so at most one call's messages per
    caller are held. When full: the disk refuses, the call raises Unavailable and
    nothing of it is stored. Order: calls in the order they were made, each call's
    messages together. Duplicates: a call repeated after an error whose first attempt
    was stored after all returns that attempt's position. On cancel: an append that
    waits is withdrawn; one that is being written is stored whole or not at all.
    """

    def __init__(
        self,
        at: TopicPartition,
        folder: Path,
        *,
        segment_bytes: int,
        clock: Callable[[], int],
    ) -> None:
        self._file = LogFile(at, folder, segment_bytes=segment_bytes, clock=clock)
        self._thread = ThreadPoolExecutor(1, f"log-{at.topic}-{at.partition}")
        self._waiting: list[_Append] = []
        self._writing: asyncio.Task[None] | None = None

    async def append(self, messages: Sequence[Message]) -> Position:
        """Append durably; return the position of the first message."""
        append = _Append(messages, asyncio.get_running_loop().create_future())
        self._waiting.append(append)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        return await append.done

    async def close(self) -> None:
        """Wait for what is being written, then close the files."""
        if self._writing is not None:
            await self._writing
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._file.close)
        self._thread.shutdown()

    async def _write_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while group := self._take_group():
            calls = [append.messages for append in group]
            outcome: list[Position] | Unavailable = Unavailable("the writer stopped")
            try:
                outcome = await loop.run_in_executor(
                    self._thread, self._file.append, calls
                )
            except Unavailable as error:
                outcome = error
            finally:
                _settle(group, outcome)

    def _take_group(self) -> list[_Append]:
        self._waiting = [each for each in self._waiting if not each.done.done()]
        group: list[_Append] = []
        size = 0
        while self._waiting and size < GROUP_COMMIT_BYTES:
            append = self._waiting.pop(0)
            size += sum(len(message.value) for message in append.messages)
            group.append(append)
        return group


def _settle(group: list[_Append], outcome: list[Position] | Unavailable) -> None:
    """Tell every caller that still waits what became of its append."""
    for index, append in enumerate(group):
        if append.done.done():
            continue
        if isinstance(outcome, Unavailable):
            error = Unavailable(str(outcome))
            error.__cause__ = outcome.__cause__
            append.done.set_exception(error)
        else:
            append.done.set_result(outcome[index])


class LogFile:
    """The files of a log as a writer sees them; blocking, for one thread.

    Writers of all processes take turns by a lock on the file `lock`, which the system
    releases when its owner dies.
    """

    def __init__(
        self,
        at: TopicPartition,
        folder: Path,
        *,
        segment_bytes: int,
        clock: Callable[[], int],
    ) -> None:
        self._at = at
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._clock = clock
        self._producer = secrets.token_bytes(PRODUCER_BYTES)
        self._sequence = 0
        self._known = 0
        self._lock: int | None = None
        self._segment: Segment | None = None
        self._avoid: Segment | None = None
        self._connection: sqlite3.Connection | None = None
        self._doubtful: tuple[int, Sequence[Sequence[Message]]] | None = None
        self._repeats: list[tuple[int, Sequence[Message]]] = []

    def append(self, calls: Sequence[Sequence[Message]]) -> list[Position]:
        """Store the calls' messages in one transaction; return each call's position.

        Raises:
            Unavailable: nothing is stored, or that is unknown: repeat the same calls.
        """
        try:
            with self._turn():
                segment, connection = self._active()
                head = self._head(segment, connection)
                self._resolve_doubt(segment, connection, head)
                stored = [self._stored_before(messages) for messages in calls]
                new = [m for m, at in zip(calls, stored, strict=True) if at is None]
                firsts = iter(self._insert(new, head))
                return [
                    Position(segment.epoch, next(firsts) if at is None else at)
                    for at in stored
                ]
        except (sqlite3.Error, OSError, FrameDamaged) as error:
            if isinstance(error, sqlite3.Error) and is_corrupt(error):
                self._avoid = self._segment
            self._forget_connection()
            raise Unavailable(
                f"log {self._at.topic}/{self._at.partition} in {self._folder}: "
                f"{sum(map(len, calls))} records not acknowledged: {error}"
            ) from error

    def close(self) -> None:
        """Close the files; the next append opens them again."""
        self._forget_connection()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        lock = self._open_lock()
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOCK_RETRY_S)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    def _open_lock(self) -> int:
        if self._lock is not None and os.fstat(self._lock).st_nlink == 0:
            self.close()  # the log was deleted under us, and perhaps made anew
        if self._lock is None:
            self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        return self._lock

    def _active(self) -> tuple[Segment, sqlite3.Connection]:
        """Return the segment that is appended to, opened."""
        if self._segment is not None and self._connection is not None:
            head = read_head(self._folder, self._segment.epoch)
            if head is not None and head.base == self._segment.base:
                return self._segment, self._connection
        existing = segments(self._folder)
        if not existing:
            raise Unavailable(
                f"topic {self._at.topic!r} has no partition {self._at.partition} in "
                f"{self._folder}: create the topic first"
            )
        self._forget_connection()
        return self._open(existing[-1])

    def _open(self, segment: Segment) -> tuple[Segment, sqlite3.Connection]:
        if segment == self._avoid:
            return self._open(self._segment_after(segment))
        connection = connect(segment)
        self._segment, self._connection = segment, connection
        try:
            prepare_to_write(connection)
            self._known = _next_offset(segment, connection, self._known)
        except FrameDamaged:
            return self._open(self._segment_after(segment))
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return self._open(self._segment_after(segment))
        return segment, connection

    def _segment_after(self, damaged: Segment) -> Segment:
        """Return a new segment that leaves the damaged one, and its offsets, alone."""
        head = read_head(self._folder, damaged.epoch)
        last = last_sound(damaged)
        known = [
            damaged.base + 1,
            0 if head is None else head.next,
            0 if last is None else last.offset + 1,
        ]
        self._forget_connection()
        return create_segment(self._folder, damaged.epoch, max(known))

    def _head(self, segment: Segment, connection: sqlite3.Connection) -> int:
        head = read_head(self._folder, segment.epoch)
        following = self._known = _next_offset(segment, connection, self._known)
        return following if head is None else max(following, head.next)

    def _resolve_doubt(
        self, segment: Segment, connection: sqlite3.Connection, head: int
    ) -> None:
        """Find out whether the append that failed last was stored after all."""
        if self._doubtful is None:
            return
        first, calls = self._doubtful
        row = connection.execute(
            "SELECT frame FROM record WHERE offset = ?", (first,)
        ).fetchone()
        if row is not None and first < head:
            try:
                frame = decode(segment.epoch, first, row[0])
            except FrameDamaged:
                frame = None
            if frame and (frame.producer, frame.sequence) == self._next_identity():
                self._sequence += sum(map(len, calls))
                self._repeats = list(zip(_firsts(calls, first), calls, strict=True))
        self._doubtful = None

    def _next_identity(self) -> tuple[bytes, int]:
        return self._producer, self._sequence

    def _stored_before(self, messages: Sequence[Message]) -> int | None:
        for index, (first, before) in enumerate(self._repeats):
            if list(before) == list(messages):
                del self._repeats[index]
                return first
        return None

    def _insert(self, calls: Sequence[Sequence[Message]], head: int) -> list[int]:
        """Store the calls from offset `head` on; return each call's first offset."""
        segment, connection = self._room_for_more(head)
        rows = self._rows(segment.epoch, calls, head)
        if rows:
            self._doubtful = (head, calls)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO record VALUES (?, ?)", rows)
            connection.execute("COMMIT")
        self._known = head + len(rows)
        write_head(self._folder, segment.epoch, Head(segment.base, self._known))
        self._doubtful = None
        self._sequence += len(rows)
        return _firsts(calls, head)

    def _rows(
        self, epoch: str, calls: Sequence[Sequence[Message]], head: int
    ) -> list[tuple[int, bytes]]:
        now = self._clock()
        messages = [message for call in calls for message in call]
        return [
            (
                head + index,
                encode(
                    epoch,
                    Frame(
                        offset=head + index,
                        time=now,
                        producer=self._producer,
                        sequence=self._sequence + index,
                        headers=message.headers,
                        value=message.value,
                    ),
                ),
            )
            for index, message in enumerate(messages)
        ]

    def _room_for_more(self, head: int) -> tuple[Segment, sqlite3.Connection]:
        """Return the active segment: a new one when the present one is full."""
        segment, connection = self._active_now()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        if (
            head == segment.base
            or pages * _page_bytes(connection) < self._segment_bytes
        ):
            return segment, connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._forget_connection()
        return self._open(create_segment(self._folder, segment.epoch, head))

    def _active_now(self) -> tuple[Segment, sqlite3.Connection]:
        if self._segment is None or self._connection is None:
            raise Unavailable(f"log in {self._folder} was closed while it was written")
        return self._segment, self._connection

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._segment = self._connection = None


def _next_offset(segment: Segment, connection: sqlite3.Connection, known: int) -> int:
    """Return the offset after the last record, which must be sound unless `known`.

    Raises:
        FrameDamaged: the last record is damaged, so its offset cannot be trusted.
    """
    last = connection.execute("SELECT max(offset) FROM record").fetchone()[0]
    if last is None or last + 1 == known:
        return segment.base if last is None else known
    row = connection.execute("SELECT frame FROM record WHERE offset = ?", (last,))
    return decode(segment.epoch, last, *row.fetchone()).offset + 1


def _page_bytes(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_size").fetchone()[0])


def _firsts(calls: Sequence[Sequence[Message]], head: int) -> list[int]:
    firsts = []
    for call in calls:
        firsts.append(head)
        head += len(call)
    return firsts
