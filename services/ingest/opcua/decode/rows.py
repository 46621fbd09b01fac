"""What was sent, as columns: from the message's bytes, without judging it yet.

Three ways fill the same columns: all items share one layout (strided views of the
message), items differ but are numbers (one pass finds where they start, then one
gather per column), and the odd String or array in between (parsed one by one).
`readings.py` gives the columns their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from services.ingest.opcua.decode.builtin import NUMBER_SIZE, NotNumber, not_number
from services.ingest.opcua.decode.cursor import Cursor, MalformedNotification

if TYPE_CHECKING:
    from numpy.typing import NDArray

PADDING = bytes(64)
"""Follows the message in `Cursor.data`: wide loads at its end stay inside."""

HAS_VALUE = 0x01
_HAS_STATUS = 0x02
_HAS_SOURCE = 0x04
_HAS_SERVER = 0x08
_HAS_SOURCE_PICO = 0x10
_HAS_SERVER_PICO = 0x20
_MASKS = 64

_FIELDS = (
    ("status", "<u4", _HAS_STATUS),
    ("source", "<i8", _HAS_SOURCE),
    ("source_pico", "<u2", _HAS_SOURCE_PICO),
    ("server", "<i8", _HAS_SERVER),
    ("server_pico", "<u2", _HAS_SERVER_PICO),
)
# what follows the value, in wire order (Part 6, 5.2.2.17); asyncua 2.1 reads and
# writes both picoseconds last, which agrees only where at most one follows


@dataclass(slots=True)
class Rows:
    """Equally long columns of DataValues as they were sent."""

    handle: NDArray[np.uint32]
    """Client handles; zero where the items have none (HistoryRead, Read)."""
    type_id: NDArray[np.uint8]
    """Built-in type of the Variant; 0 where there is no value."""
    bits: NDArray[np.uint64]
    """A number's own bits, zero-extended; 0 for all that is no number."""
    status: NDArray[np.uint32]
    source: NDArray[np.int64]
    """Source timestamp, 100 ns since 1601; 0 where there is none."""
    source_pico: NDArray[np.uint16]
    """10 ps above the tick of `source`; 0 where not sent."""
    server: NDArray[np.int64]
    """Server timestamp, as `source`."""
    server_pico: NDArray[np.uint16]
    """10 ps above the tick of `server`; 0 where not sent."""
    others: dict[int, NotNumber] = field(default_factory=dict)
    """Row to value, for every value that is no number."""

    def __len__(self) -> int:
        return len(self.status)


def _offsets() -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int64]]:
    """Return by mask: where each field starts behind the value, and their size."""
    places = {name: np.zeros(_MASKS, np.int64) for name, _, _ in _FIELDS}
    sizes = np.zeros(_MASKS, np.int64)
    for mask in range(_MASKS):
        for name, dtype, bit in _FIELDS:
            places[name][mask] = sizes[mask]
            sizes[mask] += np.dtype(dtype).itemsize if mask & bit else 0
    return places, sizes


_PLACE, _SIZE_BEHIND = _offsets()


def _value_sizes() -> NDArray[np.int64]:
    sizes = np.zeros(256, np.int64)
    sizes[list(NUMBER_SIZE)] = list(NUMBER_SIZE.values())
    return sizes


_VALUE_SIZE = _value_sizes()
_VALUE_BITS = np.array(
    [(1 << 8 * int(size)) - 1 for size in _VALUE_SIZE], dtype=np.uint64
)


def _item_sizes() -> list[int]:
    """Return bytes of a DataValue by (mask << 8 | next byte); 0 means look closer."""
    sizes = [0] * (256 * 256)
    for mask in range(_MASKS):
        behind = int(_SIZE_BEHIND[mask])
        for encoding in range(256):
            if not mask & HAS_VALUE:
                sizes[mask << 8 | encoding] = 1 + behind
            elif encoding == 0 or encoding in NUMBER_SIZE:
                sizes[mask << 8 | encoding] = 2 + int(_VALUE_SIZE[encoding]) + behind
    return sizes


_ITEM_SIZE = _item_sizes()


def data_values(cursor: Cursor, count: int, *, handle_size: int) -> Rows:
    """Return `count` DataValues, each behind a client handle of `handle_size` bytes.

    Args:
        cursor: at the first item; its `data` goes on for PADDING behind `end`.
        count: so many items; the caller has checked that they may fit.
        handle_size: 4 for MonitoredItemNotifications, 0 for plain DataValues.

    Raises:
        MalformedNotification: the items are cut off or are no DataValues.
    """
    rows = alike(cursor, count, handle_size=handle_size)
    return _mixed(cursor, count, handle_size) if rows is None else rows


def item_size(cursor: Cursor, handle_size: int) -> int:
    """Return the bytes of the item at the cursor, 0 where that takes a closer look."""
    at = cursor.offset + handle_size
    size = _ITEM_SIZE[cursor.data[at] << 8 | cursor.data[at + 1]]
    return handle_size + size if size else 0


def alike(cursor: Cursor, count: int, *, handle_size: int) -> Rows | None:
    """Return `count` items as `data_values`; None where they do not share a layout."""
    stride = item_size(cursor, handle_size)
    if not _share_layout(cursor, count, cursor.offset + handle_size, stride):
        return None
    rows = _uniform(cursor, count, handle_size, stride)
    cursor.offset += count * stride
    return rows


def _share_layout(cursor: Cursor, count: int, at: int, stride: int) -> bool:
    """Whether all items look like the first, whose mask is at `at`.

    Item n starts where item n-1 ends, so equal masks and types at every stride prove
    that the stride holds for all of them. A first item without a value has no type.
    """
    if not count or not stride or not cursor.data[at] & HAS_VALUE:
        return False
    if stride * count > cursor.end - cursor.offset:
        return False
    layout = np.ndarray((count,), "<u2", cursor.data, at, (stride,))
    return bool((layout == layout[0]).all())


def _uniform(cursor: Cursor, count: int, handle_size: int, stride: int) -> Rows:
    at = cursor.offset + handle_size
    mask, encoding = cursor.data[at], cursor.data[at + 1]
    behind = at + 2 + int(_VALUE_SIZE[encoding])

    def column(dtype: str, offset: int) -> NDArray[Any]:
        view = np.ndarray((count,), dtype, cursor.data, offset, (stride,))
        return np.ascontiguousarray(view)

    fields: dict[str, Any] = {
        name: column(dtype, behind + int(_PLACE[name][mask]))
        if mask & bit
        else np.zeros(count, dtype)
        for name, dtype, bit in _FIELDS
    }
    size = NUMBER_SIZE.get(encoding)
    return Rows(
        handle=column("<u4", cursor.offset) if handle_size else np.zeros(count, "<u4"),
        type_id=np.full(count, encoding, np.uint8),
        bits=column(f"<u{size}", at + 2).astype(np.uint64)
        if size
        else np.zeros(count, np.uint64),
        **fields,
    )


def _mixed(cursor: Cursor, count: int, handle_size: int) -> Rows:
    others: dict[int, NotNumber] = {}
    ends: dict[int, int] = {}
    starts = np.array(_starts(cursor, count, handle_size, others, ends), np.int64)
    data = cursor.data
    at = starts + handle_size
    layout = _gather(data, "<u2", at)
    mask, encoding = layout & 0xFF, layout >> 8
    has_value = (mask & HAS_VALUE) != 0
    encoding[~has_value] = 0
    behind = at + 1 + np.where(has_value, 1 + _VALUE_SIZE[encoding], 0)
    for row, end in ends.items():
        behind[row] = end
    fields: dict[str, Any] = {
        name: _gather(data, dtype, behind + _PLACE[name][mask]) * ((mask & bit) != 0)
        for name, dtype, bit in _FIELDS
    }
    return Rows(
        handle=_gather(data, "<u4", starts) if handle_size else np.zeros(count, "<u4"),
        type_id=(encoding & 0x3F).astype(np.uint8),
        bits=_gather(data, "<u8", at + 2) & _VALUE_BITS[encoding],
        **fields,
        others=others,
    )


def _gather(data: bytes, dtype: str, offsets: NDArray[np.int64]) -> NDArray[Any]:
    """Return the numbers that start at any byte offsets of `data`."""
    last = len(data) - np.dtype(dtype).itemsize
    found: NDArray[Any] = np.ndarray((last + 1,), dtype, data, 0, (1,))[offsets]
    return found


def _starts(
    cursor: Cursor,
    count: int,
    handle_size: int,
    others: dict[int, NotNumber],
    ends: dict[int, int],
) -> list[int]:
    """Return where each item starts and move the cursor behind the last.

    Values that are no numbers go to `others`, and where they end to `ends`.
    """
    data, sizes, offset = cursor.data, _ITEM_SIZE, cursor.offset
    starts: list[int] = []
    for row in range(count):
        if offset >= cursor.end:
            raise MalformedNotification(offset, f"{count} items", f"{row}")
        starts.append(offset)
        at = offset + handle_size
        size = sizes[data[at] << 8 | data[at + 1]]
        if size:
            offset = at + size
            continue
        cursor.offset = at
        others[row], ends[row] = _value(cursor)
        offset = ends[row] + int(_SIZE_BEHIND[data[at]])
    if offset > cursor.end:
        raise MalformedNotification(
            starts[-1], f"an item of {offset - starts[-1]} bytes", "fewer"
        )
    cursor.offset = offset
    return starts


def _value(cursor: Cursor) -> tuple[NotNumber, int]:
    """Return the value that is no number, and where it ends."""
    start = cursor.offset
    mask = cursor.u8("DataValue")
    if mask >= _MASKS:
        raise MalformedNotification(start, "a DataValue mask below 0x40", hex(mask))
    value = not_number(cursor, cursor.u8("Variant"))
    return value, cursor.offset
