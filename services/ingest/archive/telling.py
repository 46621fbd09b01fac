"""What the archiver tells the collector, on topic `backfill`.

Gaps that no connection to a server noticed, so that the server's history is asked for
them: what a full spool gave up, and what a damaged log lost. And how fast readings are
stored, so that filling gaps takes a part of that only.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.bus import Message, TopicPartition
from shared.domain import GapCause, Topic, Unavailable
from shared.wire import encode_gap
from shared.wire_filled import encode_storing

if TYPE_CHECKING:
    from shared.bus import Bus
    from shared.store.transaction import Content

MEASURED_ROWS = 1_000
"""Readings of a transaction that is measured: a small one takes as long as a commit."""
TOLD_S = 5.0
"""How often the rate is told while gaps are filled."""
_REMEMBERED_S = 20.0
"""Seconds of storing that count."""
_ASKED = frozenset({GapCause.SPOOL_FULL, GapCause.LOG_DAMAGED})


def asked(content: Content) -> list[Message]:
    """Return the gaps of `content` that a server's history is to be asked for."""
    if content.at.topic != Topic.PLANT:
        return []
    return [
        Message(*encode_gap(gap))
        for gap in content.gaps
        if gap.cause in _ASKED and gap.end is not None
    ]


@dataclass(slots=True)
class Pace:
    """How fast one connection stores, over the last seconds in which it did."""

    _rows: float = 0.0
    _seconds: float = 0.0
    _told_at: float = 0.0

    def stored(self, rows: int, seconds: float) -> None:
        """Take one transaction, from its begin to its commit."""
        if rows < MEASURED_ROWS:
            return
        kept = max(0.0, 1.0 - seconds / _REMEMBERED_S)
        self._rows = self._rows * kept + rows
        self._seconds = self._seconds * kept + seconds

    @property
    def rows_per_s(self) -> float | None:
        """Readings a second; None before a large transaction."""
        return self._rows / self._seconds if self._seconds > 0 else None

    async def tell(self, bus: Bus, content: Content) -> None:
        """Say it now and then, behind readings that fill a gap."""
        rate, now = self.rows_per_s, time.monotonic()
        if content.at.topic != Topic.BACKFILL or rate is None or not len(content.block):
            return
        if now < self._told_at + TOLD_S:
            return
        self._told_at = now
        at = TopicPartition(Topic.BACKFILL, content.at.partition)
        with contextlib.suppress(Unavailable):  # it is said again with the next ones
            await bus.append(at, [Message(*encode_storing(rate))])
