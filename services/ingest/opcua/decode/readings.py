"""What was sent becomes readings: DESIGN, "A reading, exactly", as one function.

Rules that need a decision are in the docstring of `block_of`; the fast and the slow
path both end here, so that a reading is the same whichever way it came.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from services.ingest.opcua.decode.builtin import LAST_TICKS, BuiltIn
from shared.readings import NO_SERVER_TIME, Block, is_bad, tie
from shared.wire import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from services.ingest.opcua.decode.rows import Rows

EPOCH_TICKS = 116_444_736_000_000_000
"""1970-01-01 in 100 ns since 1601-01-01."""
_TICKS_PER_US = 10
_PICO_PER_TICK = 10_000
"""The picoseconds fields count 10 ps; 9 999 and all above mean the last (Part 4)."""
_EXACT_INTEGER = 2**53
"""Every integer up to here is a float64 exactly."""
_SATURATED = 2**31 - 1
_INFO_TYPE = np.uint32(0x0C00)
_INFO_DATA_VALUE = np.uint32(0x0400)
_INFO_BITS = np.uint32(0x03FF)
_OVERFLOW = np.uint32(0x0080)
# of a StatusCode (Part 4, 7.39)

_DTYPE = {
    BuiltIn.BOOLEAN: "<u8",
    BuiltIn.SBYTE: "<i1",
    BuiltIn.BYTE: "<u8",
    BuiltIn.INT16: "<i2",
    BuiltIn.UINT16: "<u8",
    BuiltIn.INT32: "<i4",
    BuiltIn.UINT32: "<u8",
    BuiltIn.INT64: "<i8",
    BuiltIn.UINT64: "<u8",
    BuiltIn.FLOAT: "<f4",
    BuiltIn.DOUBLE: "<f8",
}
_QUIET_NAN = {BuiltIn.FLOAT: 0x7FC0_0000, BuiltIn.DOUBLE: 0x7FF8_0000_0000_0000}


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that no reading can hold, named so that a person can act."""

    tag: int
    what: str
    """What came instead: `array of DOUBLE`, `text of 9000 bytes, sha256 ...`."""
    time: int
    """The reading's time, us UTC: the minute of the ledger that counts it."""
    kept: bool
    """Whether the row is in the block all the same (its text null, its status kept)."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The readings of some rows and what was left out of them."""

    block: Block
    refused: tuple[Refused, ...]
    unknown_handles: int


def microseconds(ticks: int) -> int:
    """Return us UTC since 1970 of 100 ns since 1601, rounded down.

    >>> microseconds(EPOCH_TICKS + 19)
    1
    """
    return (min(max(ticks, 0), LAST_TICKS) - EPOCH_TICKS) // _TICKS_PER_US


def block_of(
    rows: Rows,
    tag: NDArray[np.int32],
    *,
    received: int | NDArray[np.int64],
    otherwise: int,
) -> Decoded:
    """Return the readings that `rows` are.

    * Time: the source timestamp; without one (absent, or the null DateTime) the server
      timestamp with `server` 0; without both `otherwise` with NO_SERVER_TIME.
    * Bad status: null value and text, whatever was sent along; such a reading's
      identity ignores what was sent along, too.
    * The Overflow bit belongs to the delivery: it is kept, and ignored by the identity.
    * NaN, infinities, integers beyond 2**53: null value, exact text. All NaNs are one
      (Part 6, 5.2.2.3).
    * Text that is longer than MAX_TEXT_BYTES, not UTF-8, or holds U+0000 (which no
      database column can) stays as a row with null text and is named in `refused`.
    * Arrays and structures are no rows and are named in `refused`.

    Args:
        rows: as they were sent; changed in place.
        tag: tag id per row; negative where the handle is unknown: counted, no row.
        received: when the collector had it, us UTC; of all rows, or of each.
        otherwise: time of rows without any timestamp, us UTC.
    """
    _forget_bad(rows)
    value, texts = _values(rows)
    ticks, time, server = _times(rows, otherwise)
    hashes = np.zeros(len(rows), np.uint64)
    refused = _representable(tag, time, texts, hashes)
    block = Block(
        tag=tag,
        time=time,
        value=value,
        status=rows.status,
        tie=tie(ticks, rows.type_id, rows.bits, of_the_reading(rows.status), hashes),
        received=np.full(len(rows), received, np.int64),
        server=server,
        text=_text_column(texts, len(rows)),
    )
    return _left_in(rows, block, refused)


def of_the_reading(status: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the status as far as it belongs to the reading and not to its delivery.

    The Overflow bit says that a queue dropped what came before; the same reading read
    from history has none, and an InfoType without any bit. Part of the wire contract.

    >>> sent = np.array([0x480, 0x400, 0x401], np.uint32)
    >>> [hex(code) for code in of_the_reading(sent)]
    ['0x0', '0x0', '0x401']
    """
    told = (status & _INFO_TYPE) == _INFO_DATA_VALUE
    if not told.any():
        return status
    kept = np.where(told, status & ~_OVERFLOW, status)
    bare = told & ((kept & _INFO_BITS) == 0)
    lasting: NDArray[np.uint32] = np.where(bare, kept & ~_INFO_TYPE, kept)
    return lasting


def _forget_bad(rows: Rows) -> None:
    if not rows.status.any():
        return
    bad = is_bad(rows.status)
    if bad.any():
        rows.type_id[bad] = BuiltIn.NULL
        rows.bits[bad] = 0
        rows.others = {row: value for row, value in rows.others.items() if not bad[row]}


def _values(rows: Rows) -> tuple[NDArray[np.float64], dict[int, bytes]]:
    """Return `value` and, by row, the bytes of `text`; makes `bits` canonical."""
    texts = {
        row: other.text for row, other in rows.others.items() if other.text is not None
    }
    if not len(rows):
        return np.empty(0), texts
    types = rows.type_id
    if (types == types[0]).all():
        return _numbers(int(types[0]), rows.bits, None, texts), texts
    value = np.full(len(rows), np.nan)
    for type_id in np.flatnonzero(np.bincount(types)):
        index = np.flatnonzero(types == type_id)
        bits = rows.bits[index]
        value[index] = _numbers(int(type_id), bits, index, texts)
        rows.bits[index] = bits
    return value, texts


def _numbers(
    type_id: int,
    bits: NDArray[np.uint64],
    index: NDArray[np.intp] | None,
    texts: dict[int, bytes],
) -> NDArray[np.float64]:
    """Return the values of one type; adds exact texts by row, makes bits canonical.

    `index` has the row of each; None where they are all rows.
    """
    dtype = _DTYPE.get(BuiltIn(type_id))
    if dtype is None:
        return np.full(len(bits), np.nan)
    if type_id == BuiltIn.BOOLEAN:
        np.minimum(bits, 1, out=bits)
    size = int(dtype[2])
    sent = (bits if size == 8 else bits.astype(f"<u{size}")).view(dtype)
    if dtype[1] == "f":
        beyond = ~np.isfinite(sent)
    elif type_id in {BuiltIn.INT64, BuiltIn.UINT64}:
        beyond = (sent > _EXACT_INTEGER) | (sent < -_EXACT_INTEGER)
    else:
        return sent.astype(np.float64)
    if not beyond.any():
        return sent.astype(np.float64)
    for row in np.flatnonzero(beyond):
        at = int(row) if index is None else int(index[row])
        texts[at] = _exact(sent[row].item())
    if dtype[1] == "f":
        bits[np.isnan(sent)] = _QUIET_NAN[BuiltIn(type_id)]
    value = np.where(beyond, sent.dtype.type(0), sent).astype(np.float64)
    value[beyond] = np.nan
    return value


def _exact(number: float) -> bytes:
    special = {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}
    text = str(number)
    return special.get(text, text.encode())


def _times(
    rows: Rows, otherwise: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Return exact ticks for the tie, `time` and `server`."""
    source, server = _within(rows.source), _within(rows.server)
    pico = rows.source_pico
    ticks = source
    if not source.all():
        unstamped = source == 0
        ticks = np.where(unstamped, server, source)
        pico = np.where(unstamped, rows.server_pico, pico)
        ticks[ticks == 0] = otherwise * _TICKS_PER_US + EPOCH_TICKS
    time = (ticks - EPOCH_TICKS) // _TICKS_PER_US
    offset = (server - EPOCH_TICKS) // _TICKS_PER_US - time
    offset = np.minimum(np.maximum(offset, -_SATURATED), _SATURATED).astype(np.int32)
    if not server.all():
        offset[server == 0] = NO_SERVER_TIME
    if pico.any():
        exact = np.minimum(pico, _PICO_PER_TICK - 1).astype(np.int64)
        ticks = np.where(exact != 0, ticks * _PICO_PER_TICK + exact, ticks)
    return ticks, time, offset


def _within(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(ticks) or ticks.view(np.uint64).max() <= LAST_TICKS:
        return ticks  # seen without its sign, a negative number is a large one
    within: NDArray[np.int64] = np.minimum(np.maximum(ticks, 0), LAST_TICKS)
    return within


def _representable(
    tag: NDArray[np.int32],
    time: NDArray[np.int64],
    texts: dict[int, bytes],
    hashes: NDArray[np.uint64],
) -> dict[int, Refused]:
    """Take out of `texts` what no reading can hold; fill in the hashes of all."""
    refused = {}
    for row, text in list(texts.items()):
        hashes[row] = text_hash(text)
        what = _unrepresentable(text)
        if what:
            del texts[row]
            refused[row] = Refused(int(tag[row]), what, int(time[row]), kept=True)
    return refused


def text_hash(text: bytes) -> int:
    """Return the stable 64-bit hash that a text (UTF-8) adds to the tie.

    Part of the wire contract: it must never change.

    >>> text_hash(b"")
    13020603013274838756
    """
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _unrepresentable(text: bytes) -> str:
    if len(text) > MAX_TEXT_BYTES:
        why = f"text of {len(text)} bytes (at most {MAX_TEXT_BYTES})"
    elif b"\0" in text:
        why = "text with U+0000"
    elif not _is_utf8(text):
        why = "text that is not UTF-8"
    else:
        return ""
    return f"{why}, sha256 {hashlib.sha256(text).hexdigest()}"


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text_column(texts: Mapping[int, bytes], count: int) -> pa.StringArray | None:
    if not texts:
        return None
    return pa.array([texts.get(row) for row in range(count)], pa.string())


def _left_in(rows: Rows, block: Block, refused: dict[int, Refused]) -> Decoded:
    """Drop rows of unknown handles and refused values."""
    for row, other in rows.others.items():
        if other.refused is not None:
            refused[row] = Refused(
                int(block.tag[row]), other.refused, int(block.time[row]), kept=False
            )
    if not rows.others and not refused and (not len(rows) or block.tag.min() >= 0):
        return Decoded(block, (), 0)
    unknown = block.tag < 0
    drop = unknown.copy()
    drop[[row for row, what in refused.items() if not what.kept]] = True
    named = tuple(
        what for _, what in sorted(refused.items(), key=_row) if what.tag >= 0
    )
    return Decoded(
        block=block.take(~drop) if drop.any() else block,
        refused=named,
        unknown_handles=int(unknown.sum()),
    )


def _row(entry: tuple[int, Refused]) -> int:
    return entry[0]
