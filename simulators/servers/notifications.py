"""Data changes as bytes of OPC UA Binary (Part 6, 5.2), whole columns at a time. Pure.

asyncua encodes each notification as an object, in 15 us; an array of doubles is one
copy. A DataValue always has status, source and server timestamp here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

BOOLEAN, INT32, DOUBLE, STRING = 1, 6, 11, 12
"""Built-in types, as a Variant's first byte."""
NEVER = 0
"""The null DateTime: a value that was never published has no times."""
OVERFLOW = 0x0480
"""InfoType DataValue with the Overflow bit."""
_WITH_VALUE, _WITHOUT, _STATUS_ONLY = 0x0F, 0x0E, 0x02
"""Fields that a DataValue has: value, status, source and server timestamp."""
_DOUBLES = np.dtype(
    [
        ("handle", "<u4"), ("fields", "u1"), ("type", "u1"), ("value", "<f8"),
        ("status", "<u4"), ("source", "<i8"), ("server", "<i8"),
    ]
)  # fmt: skip
_HEAD, _TAIL = struct.Struct("<IB"), struct.Struct("<Iqq")
_NO_DIAGNOSTICS = struct.pack("<i", 0)


@dataclass(slots=True)
class Rows:
    """Notifications of one source time, for items of one subscription."""

    slots: NDArray[np.int32]
    """Of the items; see simulators.servers.feed."""
    handles: NDArray[np.uint32]
    types: NDArray[np.uint8]
    """Built-in types of the items' variables."""
    numbers: NDArray[np.float64]
    """NaN: null, or a text."""
    statuses: NDArray[np.uint32]
    source: int
    """OPC UA DateTime, as `server`."""
    server: int
    texts: Mapping[int, str] = field(default_factory=dict)
    """By row."""

    def without(self, gone: NDArray[np.bool_]) -> Rows:
        """Return these rows but for those that are gone."""
        left = np.flatnonzero(~gone)
        place = {int(row): at for at, row in enumerate(left) if int(row) in self.texts}
        return Rows(
            self.slots[left],
            self.handles[left],
            self.types[left],
            self.numbers[left],
            self.statuses[left],
            self.source,
            self.server,
            {at: self.texts[row] for row, at in place.items()},
        )


def data_change(chunks: Sequence[Rows]) -> bytes:
    """Return the body of one DataChangeNotification, in the order of the chunks."""
    count = sum(len(rows.slots) for rows in chunks)
    parts = [struct.pack("<i", count)]
    for rows in chunks:
        parts += _encoded(rows)
    return b"".join([*parts, _NO_DIAGNOSTICS])


def _encoded(rows: Rows) -> list[bytes]:
    plain = (rows.types == DOUBLE) & ~np.isnan(rows.numbers)
    if plain.all():
        return [_doubles(rows, slice(None))]
    others = [_one(rows, row) for row in np.flatnonzero(~plain).tolist()]
    return [_doubles(rows, plain), *others]


def _doubles(rows: Rows, which: NDArray[np.bool_] | slice) -> bytes:
    handles = rows.handles[which]
    made = np.empty(len(handles), _DOUBLES)
    made["handle"], made["fields"], made["type"] = handles, _WITH_VALUE, DOUBLE
    made["value"], made["status"] = rows.numbers[which], rows.statuses[which]
    made["source"], made["server"] = rows.source, rows.server
    return made.tobytes()


def _one(rows: Rows, row: int) -> bytes:
    """Return what is no double: a text, a boolean, an integer, or null."""
    handle, status = int(rows.handles[row]), int(rows.statuses[row])
    if rows.source == NEVER:
        return struct.pack("<IBI", handle, _STATUS_ONLY, status)
    value = _variant(
        int(rows.types[row]), float(rows.numbers[row]), rows.texts.get(row)
    )
    head = _HEAD.pack(handle, _WITH_VALUE if value else _WITHOUT)
    return head + value + _TAIL.pack(status, rows.source, rows.server)


def _variant(kind: int, number: float, text: str | None) -> bytes:
    if text is not None:
        body = text.encode()
        return struct.pack("<Bi", STRING, len(body)) + body
    if number != number:  # noqa: PLR0124  NaN
        return b""
    if kind == BOOLEAN:
        return struct.pack("<B?", BOOLEAN, number != 0.0)
    if kind == INT32:
        return struct.pack("<Bi", INT32, int(number))
    return struct.pack("<Bd", DOUBLE, number)
