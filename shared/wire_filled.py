"""What came of asking a server's history about a gap: one record on topic `backfill`.

It stands behind the readings that were fetched, on each partition of the gap's tags.
The archiver answers on the same topic how fast it stores them.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from shared.domain import Gap, Kind
from shared.wire import WIRE_VERSION, NotUnderstood, decode_gap


@dataclass(frozen=True, slots=True)
class Filled:
    """A gap that was asked for, in so far as one partition's tags are concerned."""

    gap: Gap
    """As it was declared, with its end."""
    part: int
    """Partition whose readings lie before this record."""
    parts: tuple[int, ...]
    """All partitions that get such a record."""
    missing: tuple[int, ...]
    """Tags of the gap, on any partition, that may still miss readings."""
    rows: int
    """Readings that came, on all partitions."""
    proven: int
    """Tags of the gap whose history covers all of it."""
    detail: str = ""
    """Why something is missing, for a person."""


def encode_filled(filled: Filled) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `filled` record."""
    value = json.dumps(asdict(filled), sort_keys=True, separators=(",", ":")).encode()
    return {"kind": Kind.FILLED.value, "wire": str(WIRE_VERSION)}, value


def decode_filled(value: bytes) -> Filled:
    """Return what came of a gap.

    Raises:
        NotUnderstood: the bytes are no such record.
    """
    try:
        body = json.loads(value)
        gap = decode_gap(json.dumps(body["gap"]).encode())
        return Filled(
            gap=gap,
            part=int(body["part"]),
            parts=tuple(int(part) for part in body["parts"]),
            missing=tuple(int(tag) for tag in body["missing"]),
            rows=int(body["rows"]),
            proven=int(body["proven"]),
            detail=str(body["detail"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NotUnderstood(f"{Kind.FILLED} record: field {error}") from error


def encode_storing(rows_per_s: float) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `storing` record.

    Args:
        rows_per_s: readings a second that one connection to the database stores.
    """
    value = json.dumps({"rows_per_s": rows_per_s}).encode()
    return {"kind": Kind.STORING.value, "wire": str(WIRE_VERSION)}, value


def decode_storing(value: bytes) -> float:
    """Return how many readings a second the archiver stores.

    Raises:
        NotUnderstood: the bytes are no such record.
    """
    try:
        rate = float(json.loads(value)["rows_per_s"])
    except (KeyError, TypeError, ValueError) as error:
        raise NotUnderstood(f"{Kind.STORING} record: field {error}") from error
    if not (math.isfinite(rate) and rate > 0):
        raise NotUnderstood(f"{Kind.STORING} record: {rate} readings/s")
    return rate
