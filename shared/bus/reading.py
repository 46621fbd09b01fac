"""Reads one local log in order, past any damage, which it declares."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from contextlib import closing
from typing import TYPE_CHECKING

from shared.bus.frames import Frame, FrameDamaged, decode
from shared.bus.interface import Damaged, Position, PositionUnknown, Record
from shared.bus.salvage import Salvage, first_sound, last_sound
from shared.bus.segments import Head, Segment, connect, is_damage, read_head, segments
from shared.domain import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from shared.bus.interface import TopicPartition

MOST_RAW_BYTES = 64 * 1024
MOST_PRODUCERS = 1024
"""Producers whose last sequence a reader remembers, the most recent ones."""

_WINDOW = 65_536
_BEFORE = 1_024
"""Offsets that salvage looks at: this many after a damaged one, and before it."""

_LAST = "SELECT offset, frame FROM record ORDER BY offset DESC LIMIT 1"
_ROWS = "SELECT offset, frame FROM record WHERE offset >= ? ORDER BY offset"


class LogReader:
    """A place in one log; blocking, for one thread.

    Two kinds of loss are told apart. Where offsets are damaged or missing, `Damaged`
    covers them. Where offsets are complete but a producer's sequence jumps (the end of
    the log was lost and written again), `Damaged` stands between two records: its last
    offset is one less than its first.
    """

    def __init__(self, at: TopicPartition, folder: Path) -> None:
        self._at = at
        self._folder = folder
        self._segments: list[Segment] = []
        self._open: tuple[Segment, sqlite3.Connection] | None = None
        self._sequences: OrderedDict[bytes, int] = OrderedDict()
        self._last: tuple[int, int] | None = None  # offset and time of the last record

    def close(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open[1].close()
        self._open = None

    def start(self) -> Position:
        """Return the oldest position kept. Raises Unavailable when there is no log."""
        first = self._list()[0]
        return Position(first.epoch, first.base)

    def head(self) -> Position:
        """Return where the next record will be. Raises Unavailable."""
        epoch = self._list()[-1].epoch
        witness = read_head(self._folder, epoch)  # before the records it speaks of
        return Position(epoch, self._end(self._list()[-1], witness))

    def check(self, position: Position) -> None:
        """Raise PositionUnknown unless reading can start at `position`."""
        start, head = self.start(), self.head()
        within = start.offset <= position.offset <= head.offset
        if position.epoch != head.epoch or not within:
            raise PositionUnknown(
                f"{self._at.topic}/{self._at.partition}: position {position.offset} of "
                f"epoch {position.epoch}: expected {start.offset} to {head.offset} of "
                f"epoch {head.epoch}"
            )

    def read(self, position: Position, most: int) -> list[Record | Damaged]:
        """Return what is at `position` and after it, up to about `most` bytes.

        At least one record when there is any; the last one may exceed `most`. Records
        of one segment only: read again for more. Empty at the head.

        Raises:
            PositionUnknown: the log was made anew, or no longer reaches back so far.
            Unavailable: the log is locked or gone.
        """
        if self._last is None or self._last[0] != position.offset - 1:
            self._forget()
        witness = read_head(self._folder, position.epoch)  # before its records
        segment, end = self._segment_of(position)
        if end is None:
            end = self._end(segment, witness)
        if position.offset > end:
            self.check(position)
        if position.offset >= end:
            return []
        frames = self._rows(segment, position.offset, end, most)
        if frames:
            return self._records(segment.epoch, frames)
        return self._around_damage(segment, position.offset, end, most)

    def _list(self) -> list[Segment]:
        self._segments = segments(self._folder)
        if not self._segments:
            raise Unavailable(
                f"topic {self._at.topic!r} has no partition {self._at.partition} in "
                f"{self._folder}"
            )
        return self._segments

    def _segment_of(self, position: Position) -> tuple[Segment, int | None]:
        """Return the segment that holds `position` and its end; None while it grows."""
        listed = self._list()
        if listed[-1].epoch != position.epoch or position.offset < listed[0].base:
            self.check(position)
        at = max(i for i, each in enumerate(listed) if each.base <= position.offset)
        return listed[at], listed[at + 1].base if at + 1 < len(listed) else None

    def _connection(self, segment: Segment) -> sqlite3.Connection:
        if self._open is not None and self._open[0] == segment:
            return self._open[1]
        self.close()
        connection = connect(segment)
        self._open = (segment, connection)
        return connection

    def _end(self, segment: Segment, witness: Head | None) -> int:
        """Return the offset after the last record of the segment that grows."""
        known = segment.base if witness is None else max(witness.next, segment.base)
        try:
            row = self._connection(segment).execute(_LAST).fetchone()
            if row is None or row[0] < known:
                return known
            return decode(segment.epoch, *row).offset + 1
        except FrameDamaged:
            pass
        except sqlite3.Error as error:
            self._damage_or_raise(segment, error)
        frame = last_sound(segment)
        return known if frame is None else max(known, frame.offset + 1)

    def _rows(self, segment: Segment, first: int, end: int, most: int) -> list[Frame]:
        """Return sound records from offset `first` on; none when that one is not."""
        frames: list[Frame] = []
        size = 0
        try:
            with closing(self._connection(segment).execute(_ROWS, (first,))) as rows:
                for offset, stored in rows:
                    if offset >= end or offset != first + len(frames):
                        break
                    frames.append(decode(segment.epoch, offset, stored))
                    size += len(stored)
                    if size >= most:
                        break
        except FrameDamaged:
            return frames
        except sqlite3.Error as error:
            self._damage_or_raise(segment, error)
        return frames

    def _damage_or_raise(self, segment: Segment, error: sqlite3.Error) -> None:
        self.close()
        if not is_damage(error):
            raise Unavailable(
                f"segment {segment.path} cannot be read now: {error}"
            ) from error

    def _around_damage(
        self, segment: Segment, first: int, end: int, most: int
    ) -> list[Record | Damaged]:
        """Return the damaged range at `first`, and what is sound after it.

        Raises:
            PositionUnknown: the segment was deleted while it was read.
        """
        if segment not in self._list():
            self.check(Position(segment.epoch, first))
        window = range(first - _BEFORE, min(end, first + _WINDOW))
        salvage = Salvage(segment, window)
        found = salvage.run(first, most)
        following = found[0].offset if found else window.stop
        if following == first:
            return self._records(segment.epoch, found)
        damaged = Damaged(
            at=self._at,
            first=Position(segment.epoch, first),
            last=Position(segment.epoch, following - 1),
            reason=f"records {first} to {following - 1} of {segment.path.name} are "
            "missing or fail their checksum",
            after=self._time_before(segment, salvage, first),
            before=found[0].time if found else self._time_after(segment),
            raw=salvage.raw(first, MOST_RAW_BYTES),
        )
        self._forget()
        return [damaged, *self._records(segment.epoch, found)]

    def _time_before(
        self, segment: Segment, salvage: Salvage, first: int
    ) -> int | None:
        if self._last is not None:
            return self._last[1]
        frame = salvage.last_before(first)
        if frame is not None:
            return frame.time
        earlier = [each for each in self._segments if each.base < segment.base]
        return edge_time(earlier[-1], last=True) if earlier else None

    def _time_after(self, segment: Segment) -> int | None:
        later = [each for each in self._segments if each.base > segment.base]
        return edge_time(later[0], last=False) if later else None

    def _records(self, epoch: str, frames: list[Frame]) -> list[Record | Damaged]:
        records: list[Record | Damaged] = []
        for frame in frames:
            position = Position(epoch, frame.offset)
            expected = self._sequences.get(frame.producer, frame.sequence - 1) + 1
            if frame.sequence != expected:
                records.append(self._jump(position, frame, expected))
            self._remember(frame)
            records.append(
                Record(self._at, position, frame.time, frame.headers, frame.value)
            )
        return records

    def _jump(self, position: Position, frame: Frame, expected: int) -> Damaged:
        return Damaged(
            at=self._at,
            first=position,
            last=Position(position.epoch, position.offset - 1),
            reason=f"before offset {position.offset}: producer {frame.producer.hex()} "
            f"continues at {frame.sequence}, expected {expected}",
            after=None if self._last is None else self._last[1],
            before=frame.time,
        )

    def _forget(self) -> None:
        self._sequences.clear()
        self._last = None

    def _remember(self, frame: Frame) -> None:
        self._last = (frame.offset, frame.time)
        self._sequences[frame.producer] = frame.sequence
        self._sequences.move_to_end(frame.producer)
        if len(self._sequences) > MOST_PRODUCERS:
            self._sequences.popitem(last=False)


def edge_time(segment: Segment, *, last: bool) -> int | None:
    """Return the append time of a segment's first or last sound record, us UTC."""
    order = "DESC" if last else "ASC"
    query = f"SELECT offset, frame FROM record ORDER BY offset {order} LIMIT 1"
    try:
        with closing(connect(segment)) as connection:
            row = connection.execute(query).fetchone()
        return None if row is None else decode(segment.epoch, *row).time
    except (sqlite3.Error, FrameDamaged):
        frame = last_sound(segment) if last else first_sound(segment)
        return None if frame is None else frame.time
