"""What the local log stores for one record: a checksummed frame. Pure.

A frame is CRC32C, append time, producer, the producer's sequence, headers and value.
The checksum also covers the log's epoch and the record's offset, so that a sound frame
at a wrong place is as useless as a flipped byte.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import google_crc32c

if TYPE_CHECKING:
    from collections.abc import Mapping

PRODUCER_BYTES = 8

_CRC = struct.Struct("<I")
_FIXED = struct.Struct(f"<qq{PRODUCER_BYTES}sI")
_OFFSET = struct.Struct("<q")


class FrameDamaged(ValueError):  # noqa: N818  named by situation, as everywhere here
    """Stored bytes are not what was appended at that place."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One stored record."""

    offset: int
    time: int
    """When it was appended, us UTC."""
    producer: bytes
    """Who appended it: `PRODUCER_BYTES` random bytes per writer."""
    sequence: int
    """Gapless count of the producer's records in this log, from 0."""
    headers: Mapping[str, str]
    value: bytes


def checksum(content: bytes) -> int:
    """Return the CRC32C of `content`.

    >>> hex(checksum(b"123456789"))
    '0xe3069283'
    """
    return int(google_crc32c.value(content))


def encode(epoch: str, frame: Frame) -> bytes:
    """Return the bytes to store for `frame` in the log created as `epoch`."""
    headers = json.dumps(dict(frame.headers), separators=(",", ":")).encode()
    fixed = _FIXED.pack(frame.time, frame.sequence, frame.producer, len(headers))
    body = b"".join((fixed, headers, frame.value))
    return _CRC.pack(_sum(epoch, frame.offset, body)) + body


def decode(epoch: str, offset: int, stored: object) -> Frame:
    """Return the frame stored at `offset` of the log created as `epoch`.

    Raises:
        FrameDamaged: `stored` is not bytes, is too short, or fails its checksum.
    """
    if not isinstance(stored, bytes) or len(stored) < _CRC.size + _FIXED.size:
        raise FrameDamaged(f"offset {offset}: expected a frame, found {stored!r:.40}")
    body = stored[_CRC.size :]
    expected = _CRC.unpack_from(stored)[0]
    found = _sum(epoch, offset, body)
    if found != expected:
        raise FrameDamaged(
            f"offset {offset}: CRC32C {found:08x}, expected {expected:08x}"
        )
    time, sequence, producer, length = _FIXED.unpack_from(body)
    start = _FIXED.size
    return Frame(
        offset=offset,
        time=time,
        producer=producer,
        sequence=sequence,
        headers=json.loads(body[start : start + length]),
        value=body[start + length :],
    )


def _sum(epoch: str, offset: int, body: bytes) -> int:
    place = google_crc32c.value(epoch.encode() + _OFFSET.pack(offset))
    return int(google_crc32c.extend(place, body))
