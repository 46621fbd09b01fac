"""How it stands with those who are told of alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.store.moments import microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from shared.store.queries import Connection

_WAITING = """
select name as target, count(push.target) as waiting, min(put_at) as waiting_since,
    coalesce(max(attempts), 0) as attempts,
    coalesce((array_agg(error order by tried_at desc)
              filter (where error <> ''))[1], '') as error
from push_target left join push on push.target = name and outcome is null
where active group by name order by name"""
_STATES = """
select target, active, waiting, waiting_since, attempts, error, delivered, delivered_at,
    expired
from push_state order by target"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for an active target."""

    target: str
    waiting: int
    waiting_since: int | None
    """When the oldest was put there, us UTC; None when nothing waits."""
    attempts: int
    """Most that one of those that wait was tried."""
    error: str
    """Why the last try failed; empty when nothing failed."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """The same and what became of the others, also for a target that is no more."""

    waits: Waiting
    active: bool
    """Whether pushes are put for it now."""
    delivered: int
    delivered_at: int | None
    """When the last one was, us UTC."""
    expired: int
    """Given up because they waited too long."""


async def waiting_pushes(connection: Connection) -> list[Waiting]:
    """Return what waits for each active target, by name; costs as much as waits."""
    return [
        Waiting(**{**row, "waiting_since": _us(row["waiting_since"])})
        for row in await connection.fetch(_WAITING)
    ]


async def push_states(connection: Connection) -> list[TargetState]:
    """Return how it stands with every target, by name; looks at every push."""
    return [
        TargetState(
            Waiting(
                row["target"],
                row["waiting"],
                _us(row["waiting_since"]),
                row["attempts"],
                row["error"],
            ),
            row["active"],
            row["delivered"],
            _us(row["delivered_at"]),
            row["expired"],
        )
        for row in await connection.fetch(_STATES)
    ]


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)
