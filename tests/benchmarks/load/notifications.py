"""Pre-encoded notifications: bytes of OPC UA Binary whose values and times are patched.

Every value follows from its item and its tick, so that whoever finds a reading later
can say whether it is right, and a sum over any ticks is known beforehand. Pure.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

EPOCH_TICKS = 116_444_736_000_000_000
"""1970-01-01 in 100 ns since 1601-01-01."""
UNCERTAIN = 0x4000_0000
BAD = 0x8031_0000
"""BadNoCommunication, of every twentieth item of a mixed stream."""
_MODULUS = 100_003

_BOOLEAN, _INT32, _INT64, _FLOAT, _DOUBLE, _DATETIME = 1, 6, 8, 10, 11, 13
_MIXED_TYPES = (_DOUBLE, _FLOAT, _INT32, _INT64, _BOOLEAN)
_DTYPES = {_BOOLEAN: "u1", _INT32: "<i4", _INT64: "<i8", _FLOAT: "<f4", _DOUBLE: "<f8"}
_VALUE, _STATUS, _SOURCE, _SERVER = 0x01, 0x02, 0x04, 0x08
_MIXED_MASKS = (
    _VALUE | _SOURCE | _SERVER,
    _VALUE | _SOURCE,
    _VALUE | _STATUS | _SOURCE | _SERVER,
)
_HEAD = struct.Struct("<IB")
_CHUNK_HEAD = struct.Struct("<4sIIIII")
_PUBLISH_RESPONSE = b"\x01\x00\x3d\x03"
_REPUBLISH_RESPONSE = b"\x01\x00\x43\x03"
_DATA_CHANGE = b"\x01\x00\x2b\x03\x01"
_NONE = struct.pack("<i", -1)
# FourByte NodeIds of i=829, i=835 and i=811 (binary body)


class Layout(StrEnum):
    """What the items of a notification look like."""

    UNIFORM = "uniform"
    """Double, source and server timestamp, Good."""
    MIXED = "mixed"
    """Five types, four masks, a seventh Uncertain or so, every twentieth Bad."""


class Kind(NamedTuple):
    """How one item is sent."""

    type_id: int
    mask: int
    status: int


def kind_of(index: int, layout: Layout) -> Kind:
    """Return how the item of that index is sent.

    >>> kind_of(3, Layout.UNIFORM)
    Kind(type_id=11, mask=13, status=0)
    >>> hex(kind_of(40, Layout.MIXED).status)
    '0x80310000'
    """
    if layout is Layout.UNIFORM:
        return Kind(_DOUBLE, _MIXED_MASKS[0], 0)
    if index % 20 == 0:
        return Kind(0, _STATUS | _SOURCE | _SERVER, BAD)
    mask = _MIXED_MASKS[index % 3]
    return Kind(_MIXED_TYPES[index % 5], mask, UNCERTAIN if mask & _STATUS else 0)


def values(index: NDArray[np.int64], tick: int, layout: Layout) -> NDArray[np.float64]:
    """Return what the items hold at a tick: whole numbers below 100 003; NaN if Bad."""
    number = (index * 7_919 + tick * 104_729) % _MODULUS
    if layout is Layout.UNIFORM:
        return number.astype(np.float64)
    boolean = index % 5 == _MIXED_TYPES.index(_BOOLEAN)
    number = np.where(boolean, number & 1, number)
    return np.where(index % 20 == 0, np.nan, number)


class Encoded:
    """The MonitoredItemNotifications of some items, kept as bytes to be patched.

    Args:
        index: of each item, deciding its value and how it is sent.
        handle: the client's handle of each item.
        layout: see there.
    """

    def __init__(
        self, index: NDArray[np.int64], handle: Sequence[int], layout: Layout
    ) -> None:
        self.index = index
        self._layout = layout
        self._bytes = bytearray()
        sources: list[int] = []
        servers: list[int] = []
        values_at: dict[int, list[int]] = {}
        rows: dict[int, list[int]] = {}
        for row, (i, h) in enumerate(zip(index.tolist(), handle, strict=True)):
            kind = kind_of(i, layout)
            self._bytes += _HEAD.pack(h, kind.mask)
            if kind.mask & _VALUE:
                self._bytes.append(kind.type_id)
                values_at.setdefault(kind.type_id, []).append(len(self._bytes))
                rows.setdefault(kind.type_id, []).append(row)
                self._bytes += bytes(np.dtype(_DTYPES[kind.type_id]).itemsize)
            if kind.mask & _STATUS:
                self._bytes += struct.pack("<I", kind.status)
            sources.append(len(self._bytes))
            self._bytes += bytes(8)
            if kind.mask & _SERVER:
                servers.append(len(self._bytes))
                self._bytes += bytes(8)
        self._times = np.array(sources + servers, np.intp)
        self._values = {
            t: (np.array(at, np.intp), np.array(rows[t], np.intp))
            for t, at in values_at.items()
        }

    def __len__(self) -> int:
        return len(self.index)

    def at(self, tick: int, time: int) -> bytes:
        """Return the items' bytes at a tick, with source and server time `time`."""
        now = values(self.index, tick, self._layout)
        for type_id, (offsets, rows) in self._values.items():
            view = _anywhere(self._bytes, _DTYPES[type_id])
            view[offsets] = now[rows].astype(_DTYPES[type_id])
        _anywhere(self._bytes, "<i8")[self._times] = time * 10 + EPOCH_TICKS
        return bytes(self._bytes)


def _anywhere(data: bytearray, dtype: str) -> NDArray[Any]:
    """Return a view of `data` as numbers that start at any byte."""
    count = len(data) - np.dtype(dtype).itemsize + 1
    return np.ndarray((count,), dtype, data, 0, (1,))


def clock_item(handle: int, time: int) -> bytes:
    """Return the notification of a DateTime that says its own time (a heartbeat)."""
    ticks = time * 10 + EPOCH_TICKS
    mask = _VALUE | _SOURCE | _SERVER
    return _HEAD.pack(handle, mask) + struct.pack("<Bqqq", _DATETIME, *[ticks] * 3)


def message(items: bytes, count: int, sequence: int, time: int) -> bytes:
    """Return a NotificationMessage; without items it is a keep-alive."""
    head = struct.pack("<Iq", sequence, time * 10 + EPOCH_TICKS)
    if not count:
        return head + struct.pack("<i", 0)
    body = struct.pack("<i", count) + items + _NONE
    return (
        head + struct.pack("<i", 1) + _DATA_CHANGE + struct.pack("<i", len(body)) + body
    )


def publish_response(
    handle: int, subscription: int, available: Sequence[int], message: bytes
) -> bytes:
    """Return the response to a PublishRequest of that handle."""
    return b"".join(
        (
            _response_head(_PUBLISH_RESPONSE, handle),
            struct.pack("<Ii", subscription, len(available)),
            struct.pack(f"<{len(available)}I", *available),
            b"\0",
            message,
            _NONE + _NONE,
        )
    )


def republish_response(handle: int, message: bytes) -> bytes:
    """Return the response to a RepublishRequest of that handle."""
    return _response_head(_REPUBLISH_RESPONSE, handle) + message


def _response_head(type_id: bytes, handle: int) -> bytes:
    return type_id + struct.pack("<qIIBiHB", EPOCH_TICKS, handle, 0, 0, -1, 0, 0)


def chunks(
    body: bytes, channel: tuple[int, int], request: int, sequence: int, limit: int
) -> Iterator[bytes]:
    """Yield the chunks of a message, at most `limit` bytes each.

    Args:
        body: from the type id on.
        channel: ids of secure channel and token.
        request: id of the request that it answers.
        sequence: number of the first chunk.
        limit: what the client takes.
    """
    room = limit - _CHUNK_HEAD.size
    for number, start in enumerate(range(0, len(body), room)):
        part = body[start : start + room]
        kind = b"MSGF" if start + room >= len(body) else b"MSGC"
        size = len(part) + _CHUNK_HEAD.size
        yield _CHUNK_HEAD.pack(kind, size, *channel, sequence + number, request) + part
