"""Dead letters: what could not be stored as it came, kept with its reason. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from shared.bus import Damaged, Message
from shared.domain import Kind
from shared.wire import WIRE_VERSION, encode_readings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.ingest.archive.entries import Entry
    from shared.readings import Block
    from shared.wire import ReadingsHeader

MAX_RAW_BYTES = 64 * 1024
"""Bytes of a record that are kept; its length and SHA-256 are always whole."""

_ROWS = 1_000
_ROWS_WITH_TEXT = 4
"""Rows per letter, so that the longest texts fit into MAX_RAW_BYTES."""


def record_letter(entry: Entry, reason: str) -> Message:
    """Return the letter of a whole record that could not be read or stored."""
    source = entry.source
    if isinstance(source, Damaged):
        return _letter(entry, reason, {}, source.raw)
    return _letter(entry, reason, source.headers, source.value)


def rows_letters(
    entry: Entry, reason: str, header: ReadingsHeader, refused: Block
) -> Iterator[Message]:
    """Yield letters that together hold the refused readings of a record."""
    size = _ROWS if refused.text is None else _ROWS_WITH_TEXT
    for start in range(0, len(refused), size):
        rows = np.arange(start, min(start + size, len(refused)))
        headers, value = encode_readings(refused.take(rows), header)
        yield _letter(entry, reason, headers, value)


def _letter(
    entry: Entry, reason: str, headers: Mapping[str, str], raw: bytes
) -> Message:
    at, first = entry.source.at, entry.first
    said = {
        "kind": Kind.DEAD_LETTER.value,
        "wire": str(WIRE_VERSION),
        "reason": reason[:2_000],
        "topic": at.topic,
        "partition": str(at.partition),
        "epoch": first.epoch,
        "offset": str(first.offset),
        "bytes": str(len(raw)),
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    original = {f"original-{name}": text for name, text in headers.items()}
    return Message({**said, **original}, raw[:MAX_RAW_BYTES])
