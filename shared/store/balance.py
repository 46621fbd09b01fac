"""The ledger's equations, held against the readings themselves.

Per tag and minute of source time: `stored` = what is in the table; and what was seen,
or put on the log, is stored, a repeat, quarantined, or given up by a full spool. Where
it is not, a declared gap must cover the minute. A minute's counts reach the database
after its readings, so a reading on its way is never called missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.store.ledger import US_PER_MINUTE
from shared.store.moments import moment

if TYPE_CHECKING:
    from shared.store.pool import Connection

_CELLS = """
with counted as (
    select cell.tag, cell.minute,
        coalesce(sum(cell.count) filter (where part.hop = 'seen'), 0) as seen,
        coalesce(sum(cell.count) filter (where part.hop = 'spooled'), 0) as spooled,
        coalesce(sum(cell.count) filter (where part.hop = 'stored'), 0) as stored,
        coalesce(sum(cell.count) filter (where part.hop in
            ('duplicate', 'quarantined', 'spool-lost')), 0) as apart
    from ledger_part part,
         unnest(part.tags, part.minutes, part.counts) as cell (tag, minute, count)
    where part.last_minute >= $1 and part.first_minute < $2
      and cell.minute >= $1 and cell.minute < $2
    group by 1, 2
), raw as (
    select tag, floor(extract(epoch from time) / 60)::int as minute, count(*) as found
    from reading where time >= $3 and time < $4 group by 1, 2
), cells as (
    select tag, minute, coalesce(seen, 0) as seen, coalesce(spooled, 0) as spooled,
           coalesce(stored, 0) as stored, coalesce(apart, 0) as apart,
           coalesce(found, 0) as found
    from counted full join raw using (tag, minute)
)"""
_TOTAL = _CELLS + "select coalesce(sum(found), 0)::bigint from cells"
_UNEQUAL = (
    _CELLS
    + """
select tag, minute, seen::bigint, spooled::bigint, stored::bigint, apart::bigint, found,
    exists (
        select from gap
        where gap.server = (select server from tag as named where named.id = cells.tag
                            order by valid_from desc limit 1)
          and (gap.tags is null or cells.tag = any(gap.tags))
          and gap.since < to_timestamp((cells.minute + 1) * 60.0)
          and (gap.until is null or gap.until >= to_timestamp(cells.minute * 60.0))
    ) as declared
from cells
where stored <> found or greatest(seen, spooled) > stored + apart
order by minute, tag limit $5"""
)


@dataclass(frozen=True, slots=True)
class Imbalance:
    """One tag and minute of source time whose counts do not add up."""

    tag: int
    minute: int
    """us UTC."""
    seen: int
    spooled: int
    stored: int
    """As the ledger says."""
    apart: int
    """Repeats, quarantined readings, and what a full spool gave up."""
    found: int
    """Readings that are in the table."""
    declared: bool
    """Whether a declared gap covers some of the minute."""

    @property
    def missing(self) -> int:
        """Readings that were there and went without a count or a gap."""
        short = max(self.seen, self.spooled) - self.stored - self.apart
        return 0 if self.declared else max(0, short)

    @property
    def is_wrong(self) -> bool:
        """Whether it is more than a declared loss."""
        return self.stored != self.found or self.missing > 0


async def total(connection: Connection, start: int, end: int) -> int:
    """Return how many readings are stored in [start, end), us UTC, counted anew."""
    return int(await connection.fetchval(_TOTAL, *_range(start, end)))


async def imbalances(
    connection: Connection, start: int, end: int, *, most: int
) -> list[Imbalance]:
    """Return what does not add up in [start, end), whole minutes of us UTC.

    At most `most`, oldest first; minutes that are short inside a declared gap are left
    out.
    """
    rows = await connection.fetch(_UNEQUAL, *_range(start, end), most)
    found = [
        Imbalance(
            tag=row["tag"],
            minute=row["minute"] * US_PER_MINUTE,
            seen=row["seen"],
            spooled=row["spooled"],
            stored=row["stored"],
            apart=row["apart"],
            found=row["found"],
            declared=row["declared"],
        )
        for row in rows
    ]
    return [one for one in found if one.is_wrong]


def _range(start: int, end: int) -> tuple[object, ...]:
    minutes = start // US_PER_MINUTE, -(-end // US_PER_MINUTE)
    return *minutes, moment(start), moment(end)
