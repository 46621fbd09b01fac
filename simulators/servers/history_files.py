"""Pages of a server's history in files, so that a restarted server still has them.

`history-<number>.pages` in the server's folder: pages one after the other, each with
its length and a checksum. A page that a kill has cut short is left out, and cut off.

Bounded by: what the history drops; a file goes when all its pages are dropped. When
full (the disk): the write fails and the simulator stops. Order: as put. Duplicates:
none. On cancel: the last page is there whole or not at all.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.servers.history import Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

PAGES_PER_FILE = 256
_HEAD = struct.Struct("<4sIII")
"""Mark, rows, bytes of the texts, checksum of all that follows."""
_MARK = b"fbh1"
_TYPES = (
    ("node", np.dtype("<i4")), ("time", np.dtype("<i8")), ("server", np.dtype("<i8")),
    ("number", np.dtype("<f8")), ("status", np.dtype("<u4")),
)  # fmt: skip
_ROW = sum(kind.itemsize for _, kind in _TYPES)


@dataclass(slots=True)
class _Place:
    path: Path
    offset: int
    length: int


class Files:
    """A shelf in a folder."""

    def __init__(self, folder: Path) -> None:
        """Open what the folder has; `pages` yields it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._places: dict[int, _Place] = {}
        self._next = 0
        self._file: IO[bytes] | None = None
        self._written = 0

    def pages(self) -> Iterator[tuple[int, Page]]:
        """Yield, once, the pages of earlier runs with their numbers, oldest first."""
        for path in sorted(self._folder.glob("history-*.pages")):
            whole = 0
            for offset, length, page in _read(path):
                self._next += 1
                self._places[self._next] = _Place(path, offset, length)
                whole = offset + length
                yield self._next, page
            if whole < path.stat().st_size:
                with path.open("r+b") as file:
                    file.truncate(whole)

    def put(self, page: Page) -> int:
        """Write a page; it is in the kernel's hands on return."""
        if self._file is None or self._written >= PAGES_PER_FILE:
            self._new_file()
        assert self._file is not None  # noqa: S101  made just now
        body = _packed(page)
        self._next += 1
        path = self._folder / self._file.name
        self._places[self._next] = _Place(path, self._file.tell(), len(body))
        self._file.write(body)
        self._written += 1
        return self._next

    def _new_file(self) -> None:
        self.close()
        number = self._next + 1
        taken = [path.stem for path in self._folder.glob("history-*.pages")]
        if taken:
            number = max(
                number, 1 + max(int(stem.rpartition("-")[2]) for stem in taken)
            )
        path = self._folder / f"history-{number:012d}.pages"
        self._file = path.open("xb", buffering=0)
        self._written = 0

    def get(self, number: int) -> Page:
        """Read a page."""
        place = self._places[number]
        with place.path.open("rb") as file:
            file.seek(place.offset)
            return _unpacked(file.read(place.length))

    def drop(self, number: int) -> None:
        """Forget the oldest page; remove its file when it was the last one in it."""
        gone = self._places.pop(number)
        left = next(iter(self._places.values()), None)
        if left is None or left.path != gone.path:
            gone.path.unlink()

    def close(self) -> None:
        """Close the file that is written."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _packed(page: Page) -> bytes:
    columns = [getattr(page, name).astype(kind).tobytes() for name, kind in _TYPES]
    texts = json.dumps(dict(page.texts)).encode()
    body = b"".join([*columns, texts])
    return _HEAD.pack(_MARK, len(page.node), len(texts), zlib.crc32(body)) + body


def _unpacked(body: bytes) -> Page:
    _, rows, _, _ = _HEAD.unpack_from(body)
    at, columns = _HEAD.size, dict[str, Any]()
    for name, kind in _TYPES:
        columns[name] = np.frombuffer(body, kind, rows, at)
        at += rows * kind.itemsize
    texts = {int(row): text for row, text in json.loads(body[at:]).items()}
    return Page(**columns, texts=texts)


def _read(path: Path) -> Iterator[tuple[int, int, Page]]:
    """Yield offset, length and content of each whole page of a file."""
    with path.open("rb") as file:
        while True:
            offset = file.tell()
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            mark, rows, texts, checksum = _HEAD.unpack(head)
            body = file.read(rows * _ROW + texts)
            if mark != _MARK or zlib.crc32(body) != checksum:
                return
            yield offset, len(head) + len(body), _unpacked(head + body)
