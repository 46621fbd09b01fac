"""Who owns which partition of a local log, and how far each group has come.

One small SQLite file per consumer group. A lease names the owner's process by id and
start time, so that a killed owner is recognised at once and a frozen one when its lease
expires. Times are the system's monotonic clock, which all processes of a boot share.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.bus.frames import checksum
from shared.bus.interface import Fenced, Position, PositionUnknown, TopicPartition
from shared.bus.segments import BUSY_TIMEOUT_S
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_SCHEMA = """
CREATE TABLE IF NOT EXISTS position (
    topic TEXT, partition INTEGER, epoch TEXT, next INTEGER, crc INTEGER,
    PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS member (name TEXT PRIMARY KEY, life TEXT);
CREATE TABLE IF NOT EXISTS lease (
    topic TEXT, partition INTEGER, member TEXT, life TEXT, process TEXT, until REAL,
    PRIMARY KEY (topic, partition));
"""
FRESH = 2 / 3
"""A lease is written anew when less than this part of it is left: few fsyncs."""

_OWNER = "SELECT member, life, process, until FROM lease WHERE topic=? AND partition=?"


@dataclass(frozen=True, slots=True)
class _Process:
    """A process of this machine, told apart from later ones with its id."""

    pid: int
    started: str
    """Clock ticks after the boot."""
    where: str
    """The boot's id and the namespace of process ids."""

    @classmethod
    def named(cls, name: str) -> _Process:
        pid, started, where = name.split("@")
        return cls(int(pid), started, where)

    def __str__(self) -> str:
        return f"{self.pid}@{self.started}@{self.where}"


def _process(pid: int) -> _Process | None:
    """Return the process that has this id now; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else _Process(pid, fields[19], _where())


def _where() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _is_dead(process: _Process) -> bool:
    """Return whether a process is known to be gone.

    One of an earlier boot is; one of another container cannot be judged by its id.
    """
    boot, _, namespace = process.where.partition(" ")
    here, _, our_namespace = _where().partition(" ")
    if boot != here:
        return True
    return namespace == our_namespace and _process(process.pid) != process


class Leases:
    """One member's hold on the partitions of a group; blocking, for one thread."""

    def __init__(self, path: Path, member: str, *, lease_s: float) -> None:
        self._path = path
        self._member = member
        self._lease_s = lease_s
        self._life = secrets.token_hex(8)
        self._connection: sqlite3.Connection | None = None

    def join(self) -> None:
        """Become the group's member of this name; an earlier life of it is fenced."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO member VALUES (?, ?)",
                (self._member, self._life),
            )

    def leave(self) -> None:
        """Give up every partition, so that others need not wait."""
        if self._connection is None:
            return
        with self._transaction() as connection:
            connection.execute("DELETE FROM lease WHERE life=?", (self._life,))
            connection.execute("DELETE FROM member WHERE life=?", (self._life,))
        self._connection.close()
        self._connection = None

    def hold(self, wanted: Collection[TopicPartition]) -> frozenset[TopicPartition]:
        """Renew what this member owns, take what nobody owns; return what it owns now.

        Raises:
            Fenced: a later life of this member has joined.
        """
        now = time.monotonic()
        mine = str(_process(os.getpid()))
        with self._transaction() as connection:
            self._check_life(connection)
            owned = frozenset(at for at in wanted if self._may_take(connection, at))
            connection.executemany(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (*_key(at), self._member, self._life, mine, now + self._lease_s)
                    for at in owned
                    if not self._is_fresh(connection, at, now)
                ],
            )
        return owned

    def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Store positions durably.

        Raises:
            Fenced: this member no longer owns one of the partitions; none is stored.
        """
        with self._transaction() as connection:
            for at, position in positions.items():
                owner = connection.execute(_OWNER, _key(at)).fetchone()
                if owner is None or owner[1] != self._life:
                    raise Fenced(
                        f"{at.topic}/{at.partition} in {self._path}: expected owner "
                        f"{self._member!r}, found {owner[0] if owner else 'nobody'!r}"
                    )
                connection.execute(
                    "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)",
                    (
                        *(*_key(at), position.epoch, position.offset),
                        _sum(at, position.epoch, position.offset),
                    ),
                )

    def committed(self, at: TopicPartition) -> Position | None:
        """Return the stored position; None when the group never stored one.

        Raises:
            PositionUnknown: what is stored fails its checksum.
        """
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT epoch, next, crc FROM position WHERE topic=? AND partition=?",
                _key(at),
            ).fetchone()
        if row is None:
            return None
        epoch, following, found = row
        if found != _sum(at, epoch, following):
            raise PositionUnknown(
                f"{at.topic}/{at.partition}: the position stored in {self._path} is "
                f"damaged: found {following!r} of epoch {epoch!r}"
            )
        return Position(epoch, following)

    def _is_fresh(
        self, connection: sqlite3.Connection, at: TopicPartition, now: float
    ) -> bool:
        owner = connection.execute(_OWNER, _key(at)).fetchone()
        return (
            owner is not None
            and owner[1] == self._life
            and bool(owner[3] > now + self._lease_s * FRESH)
        )

    def _may_take(self, connection: sqlite3.Connection, at: TopicPartition) -> bool:
        owner = connection.execute(_OWNER, _key(at)).fetchone()
        if owner is None:
            return True
        member, life, process, until = owner
        if life == self._life or member == self._member:
            return True
        return time.monotonic() > until or _is_dead(_Process.named(process))

    def _check_life(self, connection: sqlite3.Connection) -> None:
        row = connection.execute(
            "SELECT life FROM member WHERE name=?", (self._member,)
        ).fetchone()
        if row is None or row[0] != self._life:
            raise Fenced(
                f"member {self._member!r} of {self._path.stem}: another process has "
                "joined under this name"
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"group file {self._path}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # SQLite makes a WAL file for one only
                self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _key(at: TopicPartition) -> tuple[str, int]:
    return at.topic, at.partition


def _sum(at: TopicPartition, epoch: object, following: object) -> int:
    return checksum(f"{at.topic} {at.partition} {epoch} {following}".encode())
