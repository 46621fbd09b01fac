"""Up to which source time everything of a server is stored, as far as readings tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.domain import US_PER_S
from shared.store.moments import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.store.pool import Connection

TOGETHER_US = 5 * US_PER_S
"""Tags whose last readings are no further apart end at one time."""
SILENT_US = 3600 * US_PER_S
"""A tag that was not heard for longer before a loss is not called cut off by it."""
_STEPS_US = (30 * US_PER_S, 120 * US_PER_S, 600 * US_PER_S)
"""Slow tags are declared together by how far they are behind: four lists at most."""

_NEWEST = """
with carried as (
    select distinct tag.id, tag.server
    from tag join vessel on vessel.name = tag.vessel
    where vessel.partition = $1 and tag.report = 'each'
    and not tag.retired and not vessel.retired
)
select server, id, time, received
from carried cross join lateral (
    select time, received from reading
    where tag = carried.id order by time desc, tie desc limit 1
) as last
where time <= received + interval '5 seconds'"""


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a server's stored readings end."""

    time: int
    """Source time, us UTC: what is lost of any tag is newer, but of those in `slow`."""
    slow: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """Tags behind the others, with the earliest of their newest source times."""


@dataclass(frozen=True, slots=True)
class Newest:
    """A tag's newest stored reading."""

    tag: int
    time: int
    """us UTC."""
    received: int
    """us UTC of the collector."""


async def reached(connection: Connection, partition: int) -> dict[str, Reached]:
    """Return where the readings of a partition's servers end; see `ends`.

    A server without readings of tags that report each sample is left out.
    """
    rows = await connection.fetch(_NEWEST, partition)
    of: dict[str, list[Newest]] = {}
    for row in rows:
        newest = Newest(
            row["id"], microseconds(row["time"]), microseconds(row["received"])
        )
        of.setdefault(row["server"], []).append(newest)
    return {server: ends(newest) for server, newest in of.items()}


def ends(newest: Iterable[Newest]) -> Reached:
    """Return where a server's readings end, of its tags' newest ones (not empty).

    A reading that is lost is newer than its tag's newest, also while a server sends
    its past. Most tags end together; those that are slow, or sent late, are named, as a
    gap of the whole server that began with them would be as wide as the slowest.

    >>> ends([Newest(1, 99_000_000, 99_000_000), Newest(2, 40_000_000, 98_000_000)])
    Reached(time=99000000, slow=((40000000, (2,)),))
    """
    known = list(newest)
    last, heard = max(one.time for one in known), max(one.received for one in known)
    together = [
        one
        for one in known
        if max(last - one.time, heard - one.received) <= TOGETHER_US
    ]
    time = min((one.time for one in together), default=last)
    behind = [
        one for one in known if one.time < time and heard - one.received <= SILENT_US
    ]
    return Reached(time, tuple(_lists({one.tag: one.time for one in behind}, time)))


def _lists(
    behind: Mapping[int, int], time: int
) -> Iterable[tuple[int, tuple[int, ...]]]:
    """Yield the tags by how far they are behind, with the first time of each list."""
    steps: dict[int, list[int]] = {}
    for tag, newest in sorted(behind.items()):
        step = sum(time - newest > limit for limit in _STEPS_US)
        steps.setdefault(step, []).append(tag)
    for _, tags in sorted(steps.items()):
        yield min(behind[tag] for tag in tags), tuple(tags)
