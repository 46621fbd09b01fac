"""Blocks: columns of readings that move together. Pure; never one reading at a time.

Columns (see DESIGN, "A reading, exactly"):

=========  =========  =====================================================
column     dtype      meaning
=========  =========  =====================================================
tag        int32      immutable id from plant.yaml
time       int64      source timestamp, us UTC since 1970
value      float64    number, boolean (0/1) or enumeration; NaN means null
text       string     strings, DateTime, exact integers beyond 2**53, NaN, inf
status     uint32     OPC UA StatusCode, all bits
tie        int32      digest of exact ticks, type, value bits, status and text
received   int64      when the collector had it, us UTC
server     int32      server timestamp minus `time`, us, saturating
=========  =========  =====================================================

A reading is identified by (tag, time, tie). Order within a block is arrival order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_ROWS = 5_000
"""Most rows a record holds."""

NO_SERVER_TIME = -(2**31)
"""`server` of a reading whose server timestamp was absent."""

_MIX_1, _MIX_2, _GOLDEN = (
    np.array(word, np.uint64)
    for word in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15)
)
_8, _27, _30, _31, _32 = (np.array(n, np.uint64) for n in (8, 27, 30, 31, 32))
# arrays without dimensions: a short column then costs half of what scalars do


class BlockShapeError(ValueError):
    """Columns of a block differ in length or type."""


@dataclass(frozen=True, slots=True)
class Block:
    """Readings as equally long columns; see the module for their meaning."""

    tag: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    tie: NDArray[np.int32]
    received: NDArray[np.int64]
    server: NDArray[np.int32]
    text: pa.StringArray | None = None
    """Null where a reading has no text; None when no reading of the block has any."""

    def __post_init__(self) -> None:
        rows = len(self.tag)
        for name, dtype in COLUMNS.items():
            column = getattr(self, name)
            if column.dtype != dtype or column.shape != (rows,):
                raise BlockShapeError(
                    f"column {name!r}: expected {rows} x {np.dtype(dtype)}, "
                    f"found {column.shape} x {column.dtype}"
                )
        if self.text is not None and len(self.text) != rows:
            raise BlockShapeError(
                f"column 'text': expected {rows} rows, found {len(self.text)}"
            )

    def __len__(self) -> int:
        return len(self.tag)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Block:
        """Return the rows chosen by index or by mask, in that order."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        text = None if self.text is None else self.text.take(pa.array(index))
        columns = {name: getattr(self, name)[index] for name in COLUMNS}
        return Block(**columns, text=_or_none(text))

    def with_tie(self, tie: NDArray[np.int32]) -> Block:
        """Return the same readings with another tie column."""
        return replace(self, tie=tie)


COLUMNS: dict[str, type[np.generic]] = {
    "tag": np.int32,
    "time": np.int64,
    "value": np.float64,
    "status": np.uint32,
    "tie": np.int32,
    "received": np.int64,
    "server": np.int32,
}
"""The numeric columns and their types, in wire order; `text` stands beside them."""


def _or_none(text: pa.StringArray | None) -> pa.StringArray | None:
    return None if text is None or text.null_count == len(text) else text


def merge(blocks: Sequence[Block]) -> Block:
    """Return one block with the rows of all, in order.

    Raises:
        BlockShapeError: `blocks` is empty.
    """
    if not blocks:
        raise BlockShapeError("merge needs at least one block, found none")
    if len(blocks) == 1:
        return blocks[0]
    columns = {
        name: np.concatenate([getattr(block, name) for block in blocks])
        for name in COLUMNS
    }
    texts = [
        pa.nulls(len(block), pa.string()) if block.text is None else block.text
        for block in blocks
    ]
    return Block(**columns, text=_or_none(pa.concat_arrays(texts)))


def empty() -> Block:
    """Return a block of no rows."""
    return Block(**{name: np.empty(0, dtype) for name, dtype in COLUMNS.items()})


def tie(
    ticks: NDArray[np.int64],
    type_id: NDArray[np.uint8],
    bits: NDArray[np.uint64],
    status: NDArray[np.uint32],
    text_hash: NDArray[np.uint64],
) -> NDArray[np.int32]:
    """Return the digest that tells two readings of one tag and microsecond apart.

    Args:
        ticks: exact source time, 100 ns since 1601 (OPC UA DateTime), plus the
            picoseconds field in the lowest digits where a server sends it.
        type_id: OPC UA built-in type id of the Variant; 0 for none.
        bits: the value's own bits, zero-extended to 64 (see `text_hash` for text).
        status: StatusCode.
        text_hash: a stable 64-bit hash of `text`, 0 where there is none.

    The function is part of the wire contract: it must never change.
    """
    state = ticks.view(np.uint64) + _GOLDEN
    shifted = np.empty_like(state)
    _mix(state, shifted)
    state ^= bits
    _mix(state, shifted)
    np.left_shift(status, _8, out=shifted, dtype=np.uint64)
    state ^= shifted
    state ^= type_id
    _mix(state, shifted)
    state ^= text_hash
    _mix(state, shifted)
    return (state >> _32).astype(np.uint32).view(np.int32)


def _mix(state: NDArray[np.uint64], shifted: NDArray[np.uint64]) -> None:
    """Scramble 64-bit words (the finaliser of splitmix64; Steele et al. 2014).

    In place; `shifted` is room for as many words.
    """
    np.right_shift(state, _30, out=shifted)
    state ^= shifted
    state *= _MIX_1
    np.right_shift(state, _27, out=shifted)
    state ^= shifted
    state *= _MIX_2
    np.right_shift(state, _31, out=shifted)
    state ^= shifted


SEVERITY_SHIFT = 30
"""Bits 30-31 of a StatusCode are its severity: 0 Good, 1 Uncertain, 2 Bad."""


def is_good(status: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return where the severity is Good."""
    good: NDArray[np.bool_] = (status >> np.uint32(SEVERITY_SHIFT)) == 0
    return good


def is_bad(status: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return where the severity is Bad (the reserved severity 3 counts as Bad)."""
    bad: NDArray[np.bool_] = (status >> np.uint32(SEVERITY_SHIFT)) >= 2
    return bad
