"""Reads a damaged segment page by page, where SQLite refuses the whole file.

It knows SQLite's documented file format just enough to find table leaf cells in the
database file and in its WAL, and trusts nothing: a record counts only when its frame
passes its checksum. Of the WAL only frames count that SQLite wrote whole and committed
later, so that a rolled back append never comes back.

Source:
    https://www.sqlite.org/fileformat2.html, sections 1.5, 1.6, 2.1 and 4
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.bus.frames import Frame, FrameDamaged, decode
from shared.bus.segments import LARGEST_FRAME_BYTES, PAGE_BYTES, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_LEAF = 0x0D
_WAL_HEADER = 32
_FRAME_HEADER = 24
_WORDS = (8 + PAGE_BYTES) // 4
_LOCAL_MOST = PAGE_BYTES - 35
_LOCAL_LEAST = (PAGE_BYTES - 12) * 32 // 255 - 23


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page image lies."""

    at: int
    in_wal: bool


@dataclass(frozen=True, slots=True)
class _Cell:
    page: _Place
    at: int
    """Where the payload starts in the page."""
    payload: int
    """Its whole length, overflow pages included."""


class Salvage:
    """Every record of a window of offsets that can still be found in a segment.

    Holds places, not pages: memory grows with the window, not with the segment.
    """

    def __init__(self, segment: Segment, window: range) -> None:
        self._epoch = segment.epoch
        self._pages = _Pages(segment.path)
        self._cells: dict[int, list[_Cell]] = {}
        for offset, cell in self._pages.cells():
            if offset in window:
                self._cells.setdefault(offset, []).append(cell)

    def frame(self, offset: int) -> Frame | None:
        """Return the record at `offset`; None when no sound copy of it is left."""
        for cell in self._cells.get(offset, ()):
            for newest in (True, False):
                try:
                    return decode(self._epoch, offset, self._blob(cell, newest=newest))
                except FrameDamaged:
                    continue
        return None

    def run(self, first: int, most: int) -> list[Frame]:
        """Return the first unbroken run of sound records at or after offset `first`.

        Up to about `most` bytes of values, at least one record when there is any.
        """
        found: list[Frame] = []
        size = 0
        for offset in sorted(each for each in self._cells if each >= first):
            frame = self.frame(offset)
            if found and (frame is None or offset != found[-1].offset + 1):
                break
            if frame is not None:
                found.append(frame)
                size += len(frame.value)
            if size >= most:
                break
        return found

    def last_before(self, offset: int) -> Frame | None:
        """Return the last sound record of the window before `offset`."""
        earlier = sorted((each for each in self._cells if each < offset), reverse=True)
        frames = (self.frame(each) for each in earlier)
        return next((frame for frame in frames if frame is not None), None)

    def raw(self, offset: int, most: int) -> bytes:
        """Return up to `most` bytes of what lies where `offset` should be."""
        for cell in self._cells.get(offset, ()):
            return self._blob(cell, newest=True)[:most]
        return b""

    def _blob(self, cell: _Cell, *, newest: bool) -> bytes:
        payload = self._payload(cell, newest=newest)
        header, at = _varint(payload, 0)
        _, at = _varint(payload, at)
        kind, _ = _varint(payload, at)
        length = max(kind - 12, 0) // 2
        return payload[header : header + length]

    def _payload(self, cell: _Cell, *, newest: bool) -> bytes:
        local = _local_bytes(cell.payload)
        page = self._pages.image(cell.page)
        parts = [page[cell.at : cell.at + local]]
        missing = cell.payload - local
        following = _be32(page, cell.at + local) if missing > 0 else 0
        while missing > 0 and following:
            page = self._pages.page(following, newest=newest)
            if not page:
                break
            parts.append(page[4 : 4 + missing])
            missing -= PAGE_BYTES - 4
            following = _be32(page, 0)
        return b"".join(parts)


def last_sound(segment: Segment) -> Frame | None:
    """Return the sound record with the highest offset that a segment holds."""
    for offset in sorted({each for each, _ in _Pages(segment.path).cells()})[::-1]:
        frame = Salvage(segment, range(offset, offset + 1)).frame(offset)
        if frame is not None:
            return frame
    return None


def first_sound(segment: Segment) -> Frame | None:
    """Return the sound record with the lowest offset that a segment holds."""
    for offset in sorted({each for each, _ in _Pages(segment.path).cells()}):
        frame = Salvage(segment, range(offset, offset + 1)).frame(offset)
        if frame is not None:
            return frame
    return None


class _Pages:
    """Images of pages: of the database file, and newer ones of its WAL."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = _content(path.with_name(path.name + "-wal"))
        self._newest = dict(_committed(self._wal))

    def image(self, place: _Place) -> bytes:
        """Return the page image at a place; short or empty where the file ends."""
        if place.in_wal:
            return self._wal[place.at : place.at + PAGE_BYTES]
        with self._path.open("rb", buffering=0) as file:
            file.seek(place.at)
            return file.read(PAGE_BYTES)

    def page(self, number: int, *, newest: bool) -> bytes:
        """Return a page by number: its newest image, or the one in the file."""
        at = self._newest.get(number) if newest else None
        if at is not None:
            return self.image(_Place(at, in_wal=True))
        return self.image(_Place((number - 1) * PAGE_BYTES, in_wal=False))

    def cells(self) -> Iterator[tuple[int, _Cell]]:
        """Yield (offset, cell) of all that looks like a record, newest images first."""
        for at in reversed(list(self._newest.values())):
            yield from _cells(self._wal[at : at + PAGE_BYTES], _Place(at, in_wal=True))
        try:
            with self._path.open("rb") as file:
                file.seek(PAGE_BYTES)  # the first page holds the schema
                at = PAGE_BYTES
                while page := file.read(PAGE_BYTES):
                    yield from _cells(page, _Place(at, in_wal=False))
                    at += PAGE_BYTES
        except FileNotFoundError:
            return


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _cells(page: bytes, place: _Place) -> Iterator[tuple[int, _Cell]]:
    if page[0] != _LEAF:
        return
    page = page.ljust(PAGE_BYTES, b"\0")
    count = min(int.from_bytes(page[3:5], "big"), (PAGE_BYTES - 8) // 2)
    for pointer in struct.unpack_from(f">{count}H", page, 8):
        payload, at = _varint(page, pointer)
        offset, at = _varint(page, at)
        if 0 < payload <= LARGEST_FRAME_BYTES and at < PAGE_BYTES:
            yield offset, _Cell(place, at, payload)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return SQLite's variable-length integer and where it ends; 0 beyond the end."""
    value = 0
    for count in range(9):
        if at >= len(content):
            return 0, at
        byte = content[at]
        at += 1
        if count == 8:
            return (value << 8) | byte, at
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            break
    return value, at


def _local_bytes(payload: int) -> int:
    if payload <= _LOCAL_MOST:
        return payload
    spread = _LOCAL_LEAST + (payload - _LOCAL_LEAST) % (PAGE_BYTES - 4)
    return spread if spread <= _LOCAL_MOST else _LOCAL_LEAST


def _be32(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big")


def _committed(wal: bytes) -> Iterator[tuple[int, int]]:
    """Yield (page number, where its image starts) of committed WAL frames, in order."""
    size = _FRAME_HEADER + PAGE_BYTES
    count = (len(wal) - _WAL_HEADER) // size
    if count <= 0:
        return
    frames = np.frombuffer(wal, np.uint8, count * size, _WAL_HEADER)
    frames = frames.reshape(count, size)
    heads = np.ascontiguousarray(frames[:, :_FRAME_HEADER]).view(">u4")
    sound = _sound(wal, frames, heads)
    commits = np.flatnonzero(sound & (heads[:, 1] != 0))
    if not len(commits):
        return
    for index in np.flatnonzero(sound[: commits[-1] + 1]):
        at = _WAL_HEADER + int(index) * size + _FRAME_HEADER
        yield int(heads[index, 0]), at


def _sound(
    wal: bytes, frames: NDArray[np.uint8], heads: NDArray[np.uint32]
) -> NDArray[np.bool_]:
    """Return which frames continue the checksum of the frame before them."""
    order = "<u4" if sys.byteorder == "little" else ">u4"
    summed = np.concatenate((frames[:, :8], frames[:, _FRAME_HEADER:]), axis=1)
    words = np.ascontiguousarray(summed).view(order).astype(np.uint32)
    before = np.empty((len(frames), 2), np.uint32)
    before[0] = np.frombuffer(wal, ">u4", 2, 24)
    before[1:] = heads[:-1, 4:6]
    weights, carried = _fibonacci()
    found = words @ weights + before @ carried
    salt = np.frombuffer(wal, ">u4", 2, 16)
    if not (heads[:, 2:4] == salt).all(axis=1).any():
        salt = heads[0, 2:4]
    sound: NDArray[np.bool_] = (found == heads[:, 4:6]).all(axis=1)
    sound &= (heads[:, 2:4] == salt).all(axis=1)
    return sound


def _fibonacci() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return how much each word, and the sum before, weigh in a WAL checksum.

    The checksum `s0 += x0 + s1; s1 += x1 + s0` is linear modulo 2**32, so it is one
    product with Fibonacci numbers instead of a loop over words.
    """
    numbers = [0, 1]
    while len(numbers) < _WORDS + 3:
        numbers.append((numbers[-1] + numbers[-2]) & 0xFFFFFFFF)
    after = [_WORDS // 2 - 1 - index // 2 for index in range(_WORDS)]
    weights = [
        (numbers[2 * m + 1], numbers[2 * m + 2])
        if index % 2 == 0
        else (numbers[2 * m], numbers[2 * m + 1])
        for index, m in enumerate(after)
    ]
    pairs = _WORDS // 2
    carried = [
        (numbers[2 * pairs - 1], numbers[2 * pairs]),
        (numbers[2 * pairs], numbers[2 * pairs + 1]),
    ]
    return np.array(weights, np.uint32), np.array(carried, np.uint32)
