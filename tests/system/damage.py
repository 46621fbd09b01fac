"""Damage to the files of a local log, as a failing disk or a crash leaves it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from shared.bus.frames import decode
from shared.bus.segments import read_head, segments
from shared.domain import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from shared.bus.segments import Segment

NEAR = 100
"""Bytes at a record's beginning that lie on its own page."""


def head(folder: Path) -> int:
    """Return the offset after the last record."""
    found = read_head(folder, segments(folder)[-1].epoch)
    assert found is not None
    return found.next


def frames(segment: Segment) -> list[tuple[str, bytes]]:
    """Return kind and stored bytes of every record, in order."""
    query = "SELECT offset, frame FROM record ORDER BY offset"
    with closing(sqlite3.connect(segment.path)) as connection:
        rows = connection.execute(query).fetchall()
    return [
        (decode(segment.epoch, offset, frame).headers["kind"], frame)
        for offset, frame in rows
    ]


def flip(segment: Segment) -> None:
    """Flip bytes in the last record of readings, and in the last record."""
    stored = frames(segment)
    readings = [frame for kind, frame in stored if kind == Kind.READINGS]
    content = bytearray(segment.path.read_bytes())
    for frame in (readings[-1], stored[-1][1]):
        at = content.index(frame[:NEAR])
        for place in range(at + 40, at + NEAR, 7):
            content[place] ^= 0x41
    segment.path.write_bytes(content)


def cut(segment: Segment) -> None:
    """Cut the file in the last record of readings."""
    readings = [frame for kind, frame in frames(segment) if kind == Kind.READINGS]
    at = segment.path.read_bytes().index(readings[-1][:NEAR])
    os.truncate(segment.path, at + NEAR // 2)
