"""Files of one local log: segments named by epoch and first offset, and its witness.

A log is a folder. Each segment is a SQLite file `<epoch>-<first offset>.segment` in WAL
mode; the last one is appended to, the others are sealed. `head` is the witness: a
checksummed note of the next offset, written after each commit, by which a reader
notices that committed records disappeared from the end of the log.
"""

from __future__ import annotations

import os
import re
import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.bus.frames import checksum
from shared.domain import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

PAGE_BYTES = 4096
"""SQLite's page size, fixed so that salvage needs no readable file header."""

SUFFIX = ".segment"
BUSY_TIMEOUT_S = 10.0
LARGEST_FRAME_BYTES = 64 * 1024 * 1024
"""SQLite refuses larger values: a flipped length must not ask for a gigabyte."""

_NAME = re.compile(rf"([0-9a-f]{{16}})-(\d{{19}}){SUFFIX}")
_WITNESS = struct.Struct("<qqI")
_NOT_NOW = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
    }
)
_CORRUPT = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
)


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of a log; ordered by its first offset."""

    base: int
    """Offset of its first record."""
    epoch: str
    path: Path


@dataclass(frozen=True, slots=True)
class Head:
    """What the witness says."""

    base: int
    """First offset of the segment that is appended to."""
    next: int
    """Where the next record will be, at least."""


def segments(folder: Path) -> list[Segment]:
    """Return the segments of a log, oldest first; none when there is no such log.

    Raises:
        Unavailable: segments of two different logs lie in one folder, or there is no
            folder where one was expected.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208  a missing folder is an answer here
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unavailable(
            f"{folder}: expected the folder of a log: {error.strerror}"
        ) from error
    found = sorted(
        Segment(int(match[2]), match[1], folder / name)
        for name in names
        if (match := _NAME.fullmatch(name))
    )
    if len({segment.epoch for segment in found}) > 1:
        raise Unavailable(
            f"{folder} holds segments of several logs: expected one epoch, found "
            + ", ".join(sorted({segment.epoch for segment in found}))
        )
    return found


def create_segment(folder: Path, epoch: str, base: int) -> Segment:
    """Make an empty segment, whole or not at all; one that exists is left alone.

    Raises:
        OSError, sqlite3.Error: the disk does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{epoch}-{base:019d}{SUFFIX}"
    unfinished = folder / f"{path.name}.{os.getpid()}.new"
    try:
        _write_empty(unfinished)
        path.hardlink_to(unfinished)
    except FileExistsError:
        pass
    finally:
        _unlink(unfinished)
    sync(folder)
    return Segment(base, epoch, path)


def _write_empty(path: Path) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE record (offset INTEGER PRIMARY KEY, frame BLOB NOT NULL)"
        )
    sync(path)


def connect(segment: Segment) -> sqlite3.Connection:
    """Open a segment that exists, for one thread at a time, in autocommit.

    Raises:
        Unavailable: the file is gone or cannot be opened now.
    """
    try:
        connection = sqlite3.connect(
            f"{segment.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise Unavailable(
            f"segment {segment.path} cannot be opened: {error}"
        ) from error
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_FRAME_BYTES)
    connection.text_factory = bytes
    return connection


def prepare_to_write(connection: sqlite3.Connection) -> None:
    """Set durability, and fold what an earlier process left in the WAL into the file.

    Uncommitted pages never reach the WAL (no spill), so what salvage finds there was
    committed.
    """
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_spill=OFF")
    connection.execute("PRAGMA journal_size_limit=67108864")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether what is stored caused `error`, not a lock or a full disk."""
    return _code(error) not in _NOT_NOW


def is_corrupt(error: sqlite3.Error) -> bool:
    """Return whether SQLite no longer recognises its own file."""
    return _code(error) in _CORRUPT


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)) & 0xFF


def delete(segment: Segment) -> None:
    """Remove a segment's files; connections that hold it open keep what they see."""
    _unlink(segment.path)


def _unlink(path: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)


def size_bytes(folder: Path) -> int:
    """Return the bytes that a log's files occupy."""
    try:
        with os.scandir(folder) as entries:
            return sum(_size(entry) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0


def read_head(folder: Path, epoch: str) -> Head | None:
    """Return the witness; None when it is absent, damaged or of another log."""
    try:
        stored = (folder / "head").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(stored) != _WITNESS.size:
        return None
    base, following, found = _WITNESS.unpack(stored)
    return Head(base, following) if found == _sum(epoch, base, following) else None


class Witness:
    """The witness as bytes, cheap to look at often: whether it changed at all."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "head")
        self._descriptor: int | None = None

    def stored(self) -> bytes:
        """Return the bytes as they are; empty when there are none yet."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY)
            except (FileNotFoundError, NotADirectoryError):
                return b""
        return os.pread(self._descriptor, _WITNESS.size, 0)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write_head(folder: Path, epoch: str, head: Head) -> None:
    """Replace the witness. Not fsynced: an older one after a power cut is harmless."""
    stored = _WITNESS.pack(head.base, head.next, _sum(epoch, head.base, head.next))
    descriptor = os.open(folder / "head", os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(descriptor, stored, 0)
    finally:
        os.close(descriptor)


def _sum(epoch: str, base: int, following: int) -> int:
    return checksum(f"{epoch} {base} {following}".encode())


def sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
