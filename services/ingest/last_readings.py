"""The last delivered reading of each tag: what a re-subscription delivers again.

A server sends every tag's current value when a subscription starts anew, although
nothing changed. Those rows are dropped here, and counted; all else is left to the
archiver, which knows everything that is stored. No clock, no waiting.
"""

from __future__ import annotations

import logging
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Self

import google_crc32c
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.readings import Block

_log = logging.getLogger(__name__)

_MAGIC = b"fedbatch last readings 1\n"
_HEAD = struct.Struct("<II")
_ROW_BYTES = 4 + 8 + 4


class LastReadings:
    """The last (time, tie) per tag, with as many entries as tags were ever seen.

    Bounded by: 16 bytes per tag. When full: never. Order: rows keep theirs.
    Duplicates: a row equal to the last one of its tag is dropped; a row that differs
    never is. On cancel: nothing waits here.

    What `fresh` passed counts as delivered: append it, repeat the append until it
    succeeds, or give it back with `forget`, else its next delivery is dropped.
    """

    def __init__(self) -> None:
        self._tag: NDArray[np.int32] = np.empty(0, np.int32)
        self._time: NDArray[np.int64] = np.empty(0, np.int64)
        self._tie: NDArray[np.int32] = np.empty(0, np.int32)
        self._seen: NDArray[np.bool_] = np.empty(0, np.bool_)

    def __len__(self) -> int:
        return int(self._seen.sum())

    def fresh(self, block: Block) -> NDArray[np.bool_]:
        """Return per row whether it is a new delivery, and remember all rows.

        A row is compared with the row of its tag before it, in this block or in an
        earlier one.
        """
        if not len(block):
            return np.empty(0, np.bool_)
        self._make_room(block.tag)
        order = np.argsort(block.tag, kind="stable")
        tag, time, tie = block.tag[order], block.time[order], block.tie[order]
        first = np.ones(len(tag), np.bool_)
        first[1:] = tag[1:] != tag[:-1]
        again = np.empty(len(tag), np.bool_)
        again[1:] = (time[1:] == time[:-1]) & (tie[1:] == tie[:-1])
        place = np.searchsorted(self._tag, tag[first])
        again[first] = (
            self._seen[place]
            & (self._time[place] == time[first])
            & (self._tie[place] == tie[first])
        )
        last = np.append(first[1:], True)
        self._time[place], self._tie[place] = time[last], tie[last]
        self._seen[place] = True
        fresh = np.empty(len(tag), np.bool_)
        fresh[order] = ~again
        return fresh

    def forget(self, block: Block) -> None:
        """Let the next row of each of the block's tags pass, whatever it is."""
        place = np.searchsorted(self._tag, block.tag)
        known = place < len(self._tag)
        place = place[known]
        self._seen[place[self._tag[place] == block.tag[known]]] = False

    def _make_room(self, tag: NDArray[np.int32]) -> None:
        place = np.searchsorted(self._tag, tag)
        known = place < len(self._tag)
        known[known] = self._tag[place[known]] == tag[known]
        if known.all():
            return
        old, grown = self._tag, np.union1d(self._tag, tag)
        place = np.searchsorted(grown, old)
        for name in ("_time", "_tie", "_seen"):
            column = getattr(self, name)
            wider = np.zeros(len(grown), column.dtype)
            wider[place] = column
            setattr(self, name, wider)
        self._tag = grown

    def save(self, path: Path, *, log: str) -> None:
        """Write everything to `path` durably; the file is whole or the old one.

        Call it only when all that `fresh` passed is durable in the log.

        Args:
            path: the file; a neighbour `*.new` is written first.
            log: identity (epoch) of the log that holds the readings.

        Raises:
            OSError: the file cannot be written; the old one is as it was.
        """
        seen = self._seen
        columns = (self._tag[seen], self._time[seen], self._tie[seen])
        name = log.encode()
        body = _HEAD.pack(len(columns[0]), len(name)) + name
        body += b"".join(column.tobytes() for column in columns)
        new = path.with_name(path.name + ".new")
        with new.open("wb") as file:
            file.write(_MAGIC + body + struct.pack("<I", google_crc32c.value(body)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @classmethod
    def restore(cls, path: Path, *, log: str) -> Self:
        """Return what was saved; empty if there is none, or it is damaged (logged).

        Empty, too, if it was saved beside another log: what that one held may be lost.

        Raises:
            OSError: the file is there but cannot be read.
        """
        last = cls()
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return last
        damage = last._load(content, log)
        if damage:
            _log.warning(
                "%s: %s; starting with no last readings: what the servers deliver "
                "again is stored once all the same",
                path,
                damage,
            )
            return cls()
        return last

    def _load(self, content: bytes, log: str) -> str:
        """Take over what a file holds; return what is wrong with it, or nothing."""
        body = content[len(_MAGIC) : -4]
        if not content.startswith(_MAGIC) or len(body) < _HEAD.size:
            return "expected a file of last readings, version 1"
        if struct.pack("<I", google_crc32c.value(body)) != content[-4:]:
            return "the checksum does not match"
        rows, name_size = _HEAD.unpack_from(body)
        start = _HEAD.size + name_size
        if len(body) != start + rows * _ROW_BYTES:
            return f"expected {rows} entries, found {len(body) - start} bytes"
        if body[_HEAD.size : start] != log.encode():
            return f"it belongs to another log than {log!r}"
        self._tag = np.frombuffer(body, np.int32, rows, start).copy()
        self._time = np.frombuffer(body, np.int64, rows, start + 4 * rows).copy()
        self._tie = np.frombuffer(body, np.int32, rows, start + 12 * rows).copy()
        self._seen = np.ones(rows, np.bool_)
        return ""
