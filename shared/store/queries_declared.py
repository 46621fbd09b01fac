"""Reading what is declared: gaps, the ledger, and how far the store has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain import Gap, GapCause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.store.queries import Connection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_US = 60_000_000
_GAP = (
    "server, cause, since, until, tags, count, detail,"
    " filled, missing, fill_rows, fill_detail"
)


@dataclass(frozen=True, slots=True)
class StoredGap(Gap):
    """A declared gap, and what came of asking the server's history about it."""

    filled: int | None = None
    """When what the server still knew was stored, us UTC; None: it was not yet."""
    missing: tuple[int, ...] = ()
    """Tags that may still miss readings although it is filled."""
    rows: int | None = None
    """Readings that the server's history gave."""
    history: str = ""
    """Why the history left something out, for a person."""

    def hides(self, tags: Iterable[int]) -> bool:
        """Whether readings of one of these tags (in its scope) may be missing."""
        return self.filled is None or not set(self.missing).isdisjoint(tags)


@dataclass(frozen=True, slots=True)
class Count:
    """Readings counted at one hop in one minute of source time."""

    minute: int
    """us UTC."""
    hop: str
    tag: int
    count: int


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest stored heartbeat reading of a server."""

    server: str
    tag: int
    time: int | None
    """Source time, us UTC; None when none was ever stored."""
    received: int | None
    """When the collector had it, us UTC."""


async def gaps(
    connection: Connection,
    start: int,
    end: int,
    servers: Sequence[str] | None = None,
    tags: Sequence[int] | None = None,
) -> list[StoredGap]:
    """Return the gaps that overlap [start, end), oldest first.

    Args:
        connection: of a `Database.read` block.
        start: us UTC.
        end: us UTC; an empty range finds the gaps that hold its instant.
        servers: only of these; None for all.
        tags: only those whose scope has one of these tags; None for all.
    """
    rows = await connection.fetch(
        f"select {_GAP} from gap"
        " where since <= $2 and ($1 = $2 or since < $2)"
        " and (until is null or until > $1)"
        " and ($3::text[] is null or server = any($3))"
        " and ($4::int[] is null or tags is null or tags && $4)"
        " order by since, id",
        _time(start),
        _time(end),
        None if servers is None else list(servers),
        None if tags is None else list(tags),
    )
    return [
        StoredGap(
            server=row["server"],
            cause=GapCause(row["cause"]),
            start=_us(row["since"]),
            end=None if row["until"] is None else _us(row["until"]),
            tags=None if row["tags"] is None else tuple(row["tags"]),
            count=row["count"],
            detail=row["detail"],
            filled=None if row["filled"] is None else _us(row["filled"]),
            missing=tuple(row["missing"] or ()),
            rows=row["fill_rows"],
            history=row["fill_detail"],
        )
        for row in rows
    ]


async def ledger(
    connection: Connection, tags: Sequence[int], start: int, end: int
) -> list[Count]:
    """Return the tags' counts of the minutes that begin in [start, end)."""
    rows = await connection.fetch(
        """
        select counted.minute, part.hop, counted.tag,
               sum(counted.count)::bigint as count
        from ledger_part part,
             unnest(part.tags, part.minutes, part.counts)
                 as counted (tag, minute, count)
        where part.first_minute < $3 and part.last_minute >= $2
          and counted.minute >= $2 and counted.minute < $3 and counted.tag = any($1)
        group by counted.minute, part.hop, counted.tag
        order by counted.minute, part.hop, counted.tag""",
        list(tags),
        -(-start // _MINUTE_US),
        -(-end // _MINUTE_US),
    )
    return [
        Count(row["minute"] * _MINUTE_US, row["hop"], row["tag"], row["count"])
        for row in rows
    ]


async def beats(connection: Connection) -> list[Beat]:
    """Return the newest stored heartbeat of every server, by name."""
    rows = await connection.fetch(
        """
        select server.name as server, server.heartbeat as tag, beat.time, beat.received
        from server left join lateral (
            select time, received from reading where tag = server.heartbeat
            order by time desc, tie desc limit 1
        ) as beat on true order by server.name"""
    )
    return [
        Beat(
            row["server"],
            row["tag"],
            None if row["time"] is None else _us(row["time"]),
            None if row["received"] is None else _us(row["received"]),
        )
        for row in rows
    ]


def _time(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def _us(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
