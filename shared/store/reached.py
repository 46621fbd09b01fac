"""Up to which source time everything of a server is stored, as far as readings tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.store.moments import microseconds

if TYPE_CHECKING:
    from shared.store.pool import Connection

_REACHED = """
with carried as (
    select distinct tag.id, tag.server
    from tag join vessel on vessel.name = tag.vessel
    where vessel.partition = $1 and tag.report = 'each'
    and not tag.retired and not vessel.retired
), newest as (
    select server, time, max(received) over (partition by server) - received as before
    from carried cross join lateral (
        select time, received from reading
        where tag = carried.id order by time desc, tie desc limit 1
    ) as last
    where time <= received + interval '5 seconds'
)
select server, min(time) as time from newest
where before <= interval '5 seconds' group by server"""


async def reached(connection: Connection, partition: int) -> dict[str, int]:
    """Return the source time, us UTC, after which readings may be missing, by server.

    It is the oldest newest reading among the tags that report each sample and were
    received within 5 s of the server's last: a reading that is lost is newer, also
    while a server sends its past. A server without such readings is left out.
    """
    rows = await connection.fetch(_REACHED, partition)
    return {row["server"]: microseconds(row["time"]) for row in rows}
