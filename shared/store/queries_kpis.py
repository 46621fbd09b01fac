"""The journal as the figures of an alarm system need it: without explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.alarm_kpis import Turn
from shared.events import AlarmState, Cause
from shared.store.moments import microseconds, moment

if TYPE_CHECKING:
    from shared.store.queries import Connection

_TURNS = """
select alarm, check_name, priority, cause, before, after, time, known
from alarm_transition
where time < $2 and ($3::text is null or vessel = $3)
  and (time >= $1 or alarm in (
    select alarm from (
        select distinct on (alarm) alarm, after from alarm_transition
        where time < $1 order by alarm, id desc
    ) as last where after <> 'normal'))
order by id limit $4"""


async def turns(
    connection: Connection, start: int, end: int, vessel: str | None, limit: int
) -> list[Turn]:
    """Return the transitions of [start, end), and the earlier ones of what then stood.

    Args:
        connection: of a `Database.read` block.
        start: us UTC.
        end: us UTC.
        vessel: only of this one; None for all.
        limit: most transitions to return, the oldest.
    """
    rows = await connection.fetch(_TURNS, moment(start), moment(end), vessel, limit)
    return [
        Turn(
            row["alarm"],
            row["check_name"],
            row["priority"],
            Cause(row["cause"]),
            AlarmState(row["before"]),
            AlarmState(row["after"]),
            microseconds(row["time"]),
            microseconds(row["known"]),
        )
        for row in rows
    ]
