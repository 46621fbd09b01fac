"""Gaps for records that are given up or cannot be read. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.bus import Damaged, Message, Record
from shared.domain import Gap, GapCause, Kind
from shared.wire import NotUnderstood, decode_readings, encode_gap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

UNKNOWN_SERVER = "unknown"
"""Named in a gap when nothing says which servers' readings a damaged record held."""

_OF_THE_MOMENT = frozenset({Kind.CLOCK, Kind.LIVENESS})
"""Kinds that mean nothing later: silence says the same."""


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
            end=end,
            detail=f"{damaged.at.topic}/{damaged.at.partition}: {damaged.reason}",
        )
        for server in sorted(servers) or [UNKNOWN_SERVER]
    ]


@dataclass(slots=True)
class _Lost:
    start: int
    end: int
    count: int | None


@dataclass(slots=True)
class Losses:
    """What goes when records are deleted unread: gaps to declare, records to keep."""

    servers: Collection[str]
    """Named for records that cannot be read."""
    where: str
    """What is deleted, for a person."""
    kept: list[Message] = field(default_factory=list)
    """Records whose meaning outlives the readings around them, in order."""
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
            elif each.headers.get("kind") not in _OF_THE_MOMENT:
                self.kept.append(Message(each.headers, each.value))

    def _add_readings(self, record: Record) -> None:
        try:
            header, block = decode_readings(record.headers, record.value)
        except NotUnderstood:
            names = [record.headers.get("server", UNKNOWN_SERVER)]
            self._lose(names[0], record.time, record.time + 1, None)
            return
        if len(block):
            first, last = int(block.time.min()), int(block.time.max())
            self._lose(header.server, first, last + 1, len(block))

    def _lose(self, server: str, start: int, end: int, count: int | None) -> None:
        lost = self._by_server.get(server)
        if lost is None:
            self._by_server[server] = _Lost(start, end, count)
            return
        lost.start, lost.end = min(lost.start, start), max(lost.end, end)
        known = lost.count is not None and count is not None
        lost.count = (lost.count or 0) + (count or 0) if known else None

    def messages(self) -> list[Message]:
        """Return what must be durable before the records are deleted."""
        full = [
            Gap(
                server=server,
                cause=GapCause.SPOOL_FULL,
                start=lost.start,
                end=lost.end,
                count=lost.count,
                detail=self.where,
            )
            for server, lost in sorted(self._by_server.items())
        ]
        gaps = [Message(*encode_gap(gap)) for gap in [*full, *self._gaps]]
        return [*self.kept, *gaps]
