"""Gaps for records that are given up or cannot be read. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from shared.bus import Damaged, Message, Record
from shared.domain import US_PER_S, Gap, GapCause, Kind
from shared.wire import (
    LedgerCounts,
    NotUnderstood,
    decode_readings,
    encode_gap,
    encode_ledger,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

UNKNOWN_SERVER = "unknown"
"""Named in a gap when nothing says which servers' readings a damaged record held."""

SPOOL_LOST = "spool-lost"
"""Hop of the ledger that counts readings which the spool gave up."""
_MINUTE_US = 60 * US_PER_S

_KEPT = frozenset({Kind.GAP, Kind.LEDGER, Kind.SUBSCRIPTIONS})
"""Small records whose meaning outlives the readings around them, in any later place.

Clock and liveness mean nothing later; dead letters are counted in the ledger; the
configuration is not the collector's to append.
"""


def damage_gaps(
    damaged: Damaged, servers: Collection[str], *, since: int, until: int
) -> list[Gap]:
    """Return a gap per server for records that cannot be trusted.

    Args:
        damaged: what the log delivered in place of the records.
        servers: whose readings may have been among them.
        since: start when no sound record stands before the damage, us UTC.
        until: end when none stands after it, us UTC.
    """
    start = since if damaged.after is None else damaged.after
    end = until if damaged.before is None else damaged.before
    return [
        Gap(
            server=server,
            cause=GapCause.LOG_DAMAGED,
            start=min(start, end),
            end=max(start, end),
            detail=f"{damaged.at.topic}/{damaged.at.partition}: {damaged.reason}",
        )
        for server in sorted(servers) or [UNKNOWN_SERVER]
    ]


@dataclass(slots=True)
class _Lost:
    start: int
    end: int
    cells: NDArray[np.int64]
    """(minute of source time since 1970 << 32) | tag, ascending."""
    counts: NDArray[np.int64]

    def add(self, tag: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        """Count readings."""
        cells = np.concatenate([self.cells, ((time // _MINUTE_US) << 32) | tag])
        counts = np.concatenate([self.counts, np.ones(len(tag), np.int64)])
        self.cells, place = np.unique(cells, return_inverse=True)
        self.counts = np.bincount(place, counts).astype(np.int64)

    @property
    def tags(self) -> tuple[int, ...]:
        """Whose readings are lost."""
        return tuple(np.unique(self.cells & 0xFFFFFFFF).tolist())

    def ledger(self) -> list[LedgerCounts]:
        """Return the counts by minute; the vessel is the tag's."""
        minutes = self.cells >> 32
        return [
            LedgerCounts(
                "",
                minute * _MINUTE_US,
                SPOOL_LOST,
                tuple((self.cells[minutes == minute] & 0xFFFFFFFF).tolist()),
                tuple(self.counts[minutes == minute].tolist()),
            )
            for minute in np.unique(minutes).tolist()
        ]


@dataclass(slots=True)
class Losses:
    """What goes when records are deleted unread: gaps to declare, records to keep."""

    servers: Collection[str]
    """Named for records that cannot be read."""
    where: str
    """What is deleted, for a person."""
    is_certain: bool = True
    """Whether the readings are on no other log. If not, they are not counted."""
    letters: int = 0
    """Dead letters that go: their readings are counted as quarantined already."""
    kept: list[Message] = field(default_factory=list)
    """Small records that must not go with the readings, in order."""
    _by_server: dict[str, _Lost] = field(default_factory=dict)
    _gaps: list[Gap] = field(default_factory=list)

    def add(self, found: Iterable[Record | Damaged]) -> None:
        """Take account of records that will be deleted."""
        for each in found:
            if isinstance(each, Damaged):
                times = [t for t in (each.after, each.before) if t is not None] or [0]
                self._gaps += damage_gaps(
                    each, self.servers, since=times[0], until=times[-1]
                )
            elif each.headers.get("kind") == Kind.READINGS:
                self._add_readings(each)
            elif each.headers.get("kind") == Kind.DEAD_LETTER:
                self.letters += 1
            elif each.headers.get("kind") in _KEPT:
                self.kept.append(Message(each.headers, each.value))

    def _add_readings(self, record: Record) -> None:
        try:
            header, block = decode_readings(record.headers, record.value)
        except NotUnderstood:
            server = record.headers.get("server", UNKNOWN_SERVER)
            gap = self._gap(server, record.time, record.time + 1)
            self._gaps.append(gap)
            return
        if not len(block):
            return
        first, last = int(block.time.min()), int(block.time.max()) + 1
        lost = self._by_server.setdefault(
            header.server,
            _Lost(first, last, np.empty(0, np.int64), np.empty(0, np.int64)),
        )
        lost.start, lost.end = min(lost.start, first), max(lost.end, last)
        lost.add(block.tag, block.time)

    def _gap(self, server: str, start: int, end: int) -> Gap:
        cause = GapCause.SPOOL_FULL
        return Gap(server, cause, start=start, end=end, detail=self.where)

    def messages(self) -> list[Message]:
        """Return what must be durable before the records are deleted."""
        full = [
            replace(
                self._gap(server, lost.start, lost.end),
                tags=lost.tags,
                count=int(lost.counts.sum()) if self.is_certain else None,
            )
            for server, lost in sorted(self._by_server.items())
        ]
        gaps = [Message(*encode_gap(gap)) for gap in [*full, *self._gaps]]
        counts = [
            Message(*encode_ledger(lost.ledger()))
            for _, lost in sorted(self._by_server.items())
            if self.is_certain
        ]
        return [*self.kept, *gaps, *counts]
