"""Which readings the store takes: pure rules on a block's columns.

A refused reading is quarantined with its reason, never dropped and never changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from shared.domain import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    NOT_A_NUMBER = "text came; plant.yaml says that the tag is a number"
    NOT_TEXT = "a number came; plant.yaml says that the tag is text or time"
    NUL = "text holds the character NUL, which the database cannot keep"


class Kinds:
    """What plant.yaml says of each tag: a number, or text.

    Tags that it does not name, and ids beyond MOST, are neither.
    """

    MOST = 4_000_000
    _NUMBER, _TEXT = 1, 2

    def __init__(self, types: Mapping[int, str]) -> None:
        """Take the type of each tag: number, boolean, enumeration, string or time."""
        known = {tag: name for tag, name in types.items() if 0 < tag < self.MOST}
        self._of = np.zeros(max(known, default=0) + 2, np.uint8)
        for tag, name in known.items():
            self._of[tag] = self._TEXT if name in {"string", "time"} else self._NUMBER
        self._any_text = bool((self._of == self._TEXT).any())

    def changed(self, block: Block) -> list[tuple[Refusal, NDArray[np.bool_]]]:
        """Return where what came is not what plant.yaml says."""
        found = []
        if block.text is not None:
            wrong = self._is(block, self._NUMBER)
            rows = np.flatnonzero(wrong)
            texts = block.text.take(pa.array(rows)).to_pylist()
            wrong[rows] = [t is not None and not _EXACT.fullmatch(t) for t in texts]
            found.append((Refusal.NOT_A_NUMBER, wrong))
        if self._any_text:
            wrong = self._is(block, self._TEXT) & ~np.isnan(block.value)
            found.append((Refusal.NOT_TEXT, wrong))
        return found

    def _is(self, block: Block, kind: int) -> NDArray[np.bool_]:
        last = len(self._of) - 1
        found: NDArray[np.bool_] = self._of[np.clip(block.tag, 0, last)] == kind
        return found


_EXACT = re.compile(r"NaN|-?Infinity|-?[0-9]+")
"""Texts of numbers that no float64 holds (see shared.readings)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Readings of a block that share a reason."""

    reason: Refusal
    rows: NDArray[np.intp]
    """Indices into the block."""


def sort_out(block: Block, kinds: Kinds | None = None) -> tuple[Block, list[Refused]]:
    """Return the readings that are stored, and those that are not, by first reason.

    Args:
        block: as it came.
        kinds: what plant.yaml says of the tags; None: nothing is said.
    """
    left = np.ones(len(block), np.bool_)
    refused = []
    findings = _findings(block)
    if kinds is not None:
        findings += kinds.changed(block)
    for reason, broken in findings:
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
