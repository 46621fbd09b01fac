"""Columns to the bytes of PostgreSQL's binary COPY, without an object per reading.

Rows are built as packed big-endian records, one layout for rows with and one for rows
without a value; text is scattered behind them. Format: PostgreSQL manual, COPY,
"Binary Format": a tuple is its number of fields, then each field's length (-1: null)
and bytes; timestamps count microseconds since 2000-01-01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.store.acceptance import EARLIEST_US as POSTGRES_EPOCH_US

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from shared.readings import Block

COLUMNS = (
    "time",
    "received",
    "generation",
    "tag",
    "tie",
    "status",
    "server",
    "value",
    "text",
)
"""Of `reading`, in the order of the bytes."""

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_NULL = -1
_FIXED = (
    ("time", ">i8"),
    ("received", ">i8"),
    ("generation", ">i8"),
    ("tag", ">i4"),
    ("tie", ">i4"),
    ("status", ">u4"),
    ("server", ">i4"),
)
_PIECE_BYTES = 256 * 1024


def _layout(*, with_value: bool) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, code in _FIXED:
        fields += [(f"{name}_bytes", ">i4"), (name, code)]
    fields.append(("value_bytes", ">i4"))
    if with_value:
        fields.append(("value", ">f8"))
    return np.dtype([*fields, ("text_bytes", ">i4")])


_LAYOUTS = {True: _layout(with_value=True), False: _layout(with_value=False)}


def encode_rows(block: Block, generation: int) -> bytes:
    """Return a whole binary COPY stream of COLUMNS for every row of `block`.

    Times must lie in what `sort_out` accepts. Rows keep their order within each of the
    four layouts (value or null, text or null), which follow one another.
    """
    parts = [_SIGNATURE]
    missing = np.isnan(block.value)
    for with_value in (True, False):
        chosen = ~missing if with_value else missing
        parts += _rows(block, chosen, generation, with_value=with_value)
    return b"".join([*parts, _END])


def _rows(
    block: Block, chosen: NDArray[np.bool_], generation: int, *, with_value: bool
) -> list[bytes]:
    if not chosen.any():
        return []
    part = block if chosen.all() else block.take(chosen)
    rows = _fixed(part, generation, with_value=with_value)
    if part.text is None:
        return [rows.tobytes()]
    has_text = part.text.is_valid().to_numpy(zero_copy_only=False)
    with_text = _with_text(rows[has_text], part.text.drop_null())
    return [rows[~has_text].tobytes(), with_text]


def _fixed(
    block: Block, generation: int, *, with_value: bool
) -> np.ndarray[Any, np.dtype[np.void]]:
    rows = np.empty(len(block), _LAYOUTS[with_value])
    rows["fields"] = len(COLUMNS)
    columns: dict[str, Any] = {
        "time": block.time - POSTGRES_EPOCH_US,
        "received": block.received - POSTGRES_EPOCH_US,
        "generation": generation,
        "tag": block.tag,
        "tie": block.tie,
        "status": block.status,
        "server": block.server,
    }
    for name, code in _FIXED:
        rows[f"{name}_bytes"] = np.dtype(code).itemsize
        rows[name] = columns[name]
    rows["value_bytes"] = 8 if with_value else _NULL
    if with_value:
        rows["value"] = block.value
    rows["text_bytes"] = _NULL
    return rows


def _with_text(
    rows: np.ndarray[Any, np.dtype[np.void]], texts: pa.StringArray
) -> bytes:
    """Return the rows, each followed by its UTF-8 text."""
    if not len(rows):
        return b""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)
    offsets = offsets[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    lengths = np.diff(offsets)
    rows["text_bytes"] = lengths
    size = rows.dtype.itemsize
    starts = np.concatenate(([0], np.cumsum(lengths + size)[:-1]))
    out = np.empty(int(size * len(rows) + lengths.sum()), np.uint8)
    out[starts[:, None] + np.arange(size)] = rows.view(np.uint8).reshape(-1, size)
    if out.size > size * len(rows):
        data = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        shift = np.repeat(starts + size - (offsets[:-1] - offsets[0]), lengths)
        out[shift + np.arange(len(data))] = data
    return out.tobytes()


async def pieces(stream: bytes) -> AsyncIterator[bytes]:
    """Yield `stream` in pieces, as asyncpg's copy_to_table wants it."""
    for start in range(0, len(stream), _PIECE_BYTES):
        yield stream[start : start + _PIECE_BYTES]
