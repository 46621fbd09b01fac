"""Which readings the store takes: pure rules on a block's columns.

A refused reading is quarantined with its reason, never dropped and never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from shared.domain import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.readings import Block

EARLIEST_US = 946_684_800 * US_PER_S
"""2000-01-01 UTC: no reading of a plant is older."""
LATEST_US = 7_258_118_400 * US_PER_S
"""2200-01-01 UTC: a time of receipt beyond it is a broken record."""
AHEAD_US = 86_400 * US_PER_S
"""A source time this far ahead of its receipt is a broken clock's."""
FUTURE_US = 5 * US_PER_S
"""A source time further ahead of its receipt than this is stored as `future`."""


class Refusal(StrEnum):
    """Why a reading is quarantined."""

    TOO_OLD = "source time before 2000-01-01"
    TOO_NEW = "source time more than 1 day ahead of its receipt"
    RECEIVED = "time of receipt outside 2000 to 2200"
    NUL = "text holds the character NUL, which the database cannot keep"


@dataclass(frozen=True, slots=True)
class Refused:
    """Readings of a block that share a reason."""

    reason: Refusal
    rows: NDArray[np.intp]
    """Indices into the block."""


def sort_out(block: Block) -> tuple[Block, list[Refused]]:
    """Return the readings that are stored, and those that are not, by first reason."""
    left = np.ones(len(block), np.bool_)
    refused = []
    for reason, broken in _findings(block):
        rows = np.flatnonzero(broken & left)
        if len(rows):
            refused.append(Refused(reason, rows))
            left[rows] = False
    return (block.take(left) if refused else block), refused


def _findings(block: Block) -> list[tuple[Refusal, NDArray[np.bool_]]]:
    received_wrong = (block.received < EARLIEST_US) | (block.received >= LATEST_US)
    received = np.where(received_wrong, EARLIEST_US, block.received)
    found = [
        (Refusal.RECEIVED, received_wrong),
        (Refusal.TOO_OLD, block.time < EARLIEST_US),
        (Refusal.TOO_NEW, block.time > received + AHEAD_US),
    ]
    if block.text is not None:
        found.append((Refusal.NUL, _holds_nul(block)))
    return found


def _holds_nul(block: Block) -> NDArray[np.bool_]:
    texts = block.text
    data = None if texts is None else texts.buffers()[2]
    if texts is None or data is None or 0 not in np.frombuffer(data, np.uint8):
        return np.zeros(len(block), np.bool_)
    return np.array([t is not None and "\0" in t for t in texts.to_pylist()], np.bool_)


def is_future(block: Block) -> NDArray[np.bool_]:
    """Return where the source's clock was ahead of the receipt by more than 5 s."""
    future: NDArray[np.bool_] = block.time > block.received + FUTURE_US
    return future
