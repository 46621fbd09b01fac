"""Readings counted by hop, minute of source time and tag: what the loss equation sums.

Each transaction adds one row of arrays per hop, so that counting costs a few bytes per
reading and never waits for another transaction; `seal` folds an hour's rows into one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.domain import US_PER_S
from shared.store.moments import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.store.pool import Connection
    from shared.wire import LedgerCounts

US_PER_MINUTE = 60 * US_PER_S
MAX_MINUTE = 2**31 - 1
"""Minutes since 1970 are kept as int4; times outside are counted at its ends."""

STORED = "stored"
DUPLICATE = "duplicate"
QUARANTINED = "quarantined"

_ADD = """
insert into ledger_part (hop, first_minute, last_minute, tags, minutes, counts)
values ($1, $2, $3, $4, $5, $6)"""

_COUNTED = """
select counted.tag, counted.minute, sum(counted.count)::bigint as count
from ledger_part part,
     unnest(part.tags, part.minutes, part.counts) as counted (tag, minute, count)
where part.hop = $1 and part.last_minute >= $2 and part.first_minute < $3
  and counted.minute >= $2 and counted.minute < $3
group by counted.tag, counted.minute
"""

_RECOUNT = """
select tag, floor(extract(epoch from time) / 60)::int as minute, count(*)
from reading where time >= $1 and time < $2 group by 1, 2"""

_SEAL = """
with taken as (
    delete from ledger_part where last_minute < $1 and not sealed
    returning hop, tags, minutes, counts
), cells as (
    select taken.hop, cell.tag, cell.minute, sum(cell.count)::int as count
    from taken, unnest(taken.tags, taken.minutes, taken.counts)
        as cell (tag, minute, count)
    group by 1, 2, 3
), folded as (
    insert into ledger_part
        (hop, first_minute, last_minute, tags, minutes, counts, sealed)
    select hop, min(minute), max(minute), array_agg(tag order by tag, minute),
           array_agg(minute order by tag, minute),
           array_agg(count order by tag, minute), true
    from cells group by hop, minute / 60, tag / 256
)
select count(*) from taken"""


@dataclass(frozen=True, slots=True)
class Cells:
    """Readings counted per tag and minute; three equally long columns."""

    tags: NDArray[np.int32]
    minutes: NDArray[np.int32]
    """Minutes of source time since 1970."""
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """All readings counted."""
        return int(self.counts.sum())


def cells(tag: NDArray[np.int32], time: NDArray[np.int64]) -> Cells:
    """Count readings per tag and minute of their source time (us UTC)."""
    minute = np.clip(time // US_PER_MINUTE, 0, MAX_MINUTE)
    key = (tag.astype(np.int64) << 32) | minute
    found, counts = np.unique(key, return_counts=True)
    return Cells(
        (found >> 32).astype(np.int32),
        (found & 0xFFFFFFFF).astype(np.int32),
        counts.astype(np.int64),
    )


async def add_cells(connection: Connection, hop: str, counted: Cells) -> None:
    """Add the counts to a hop; part of the caller's transaction."""
    if len(counted.tags):
        await connection.execute(
            _ADD,
            hop,
            int(counted.minutes.min()),
            int(counted.minutes.max()),
            counted.tags.tolist(),
            counted.minutes.tolist(),
            counted.counts.tolist(),
        )


async def add_counts(connection: Connection, counts: Sequence[LedgerCounts]) -> None:
    """Add what other processes counted, as it came on the log."""
    for hop in sorted({entry.hop for entry in counts}):
        entries = [entry for entry in counts if entry.hop == hop]
        tags = [tag for entry in entries for tag in entry.tags]
        minutes = [
            min(max(entry.minute // US_PER_MINUTE, 0), MAX_MINUTE)
            for entry in entries
            for _ in entry.tags
        ]
        numbers = [count for entry in entries for count in entry.counts]
        await add_cells(
            connection,
            hop,
            Cells(
                np.array(tags, np.int32),
                np.array(minutes, np.int32),
                np.array(numbers, np.int64),
            ),
        )


async def counted(
    connection: Connection, hop: str, start: int, end: int
) -> dict[tuple[int, int], int]:
    """Return counts by (tag, minute since 1970) of the hop.

    Args:
        connection: set to our schema.
        hop: for example `stored`.
        start: first minute, us UTC; `end`: first minute left out, us UTC.
        end: see `start`.
    """
    rows = await connection.fetch(
        _COUNTED, hop, start // US_PER_MINUTE, -(-end // US_PER_MINUTE)
    )
    return {(row["tag"], row["minute"]): row["count"] for row in rows}


async def recount(
    connection: Connection, start: int, end: int
) -> dict[tuple[int, int], int]:
    """Return what `counted` should say for `stored`, from the readings themselves."""
    rows = await connection.fetch(_RECOUNT, moment(start), moment(end))
    return {(row["tag"], row["minute"]): row["count"] for row in rows}


async def seal(connection: Connection, before: int) -> int:
    """Fold rows that counted minutes before `before` (us UTC): few an hour remain.

    Returns:
        How many rows were folded.
    """
    minute = min(max(before // US_PER_MINUTE, 0), MAX_MINUTE)
    return int(await connection.fetchval(_SEAL, minute))
