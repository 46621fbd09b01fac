"""Pushes that wait for their targets, and the one process that may send them.

The transaction that stores an alarm's transition puts the pushes here (a trigger of
migration 3), so that a push without its alarm, or the other way round, cannot be.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.events import AlarmTransition, EventKind
from shared.store.pool import naming_situations, open_connection, where
from shared.wire import NotUnderstood
from shared.wire_events import decode_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from datetime import timedelta

    import asyncpg

    from shared.settings import DatabaseSettings

_log = logging.getLogger(__name__)

_LOOK_S = 2.0
"""Pause between tries to become the one that sends."""
_ANSWER_S = 20.0
"""Longest that the database may take for one statement here."""
_KEPT_ALIVE = (
    "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5;"
    " set tcp_keepalives_count = 3; set client_connection_check_interval = '2s'"
)
"""So that the lock of a machine that vanished is free after 25 s, not two hours, and
that of a process that was killed while it waited for an answer after 2 s."""
_LOCK = "select pg_try_advisory_lock(hashtextextended('fedbatch push ' || $1, 0))"
_REGISTER = """
insert into push_target (name) select unnest($1::text[])
on conflict (name) do update set active = true where not push_target.active"""
_WITHDRAW = """
with gone as (
    update push_target set active = false where active and name <> all ($1::text[])
    returning name
)
update push set outcome = 'withdrawn', ended_at = clock_timestamp()
from gone where push.target = gone.name and push.outcome is null
returning push.target"""
_DUE = """
select push.target, push.transition, push.attempts, said.identity, said.body::text
from push join alarm_transition as said on said.id = push.transition
where push.target = $1 and push.outcome is null
  and push.not_before <= clock_timestamp()
order by push.transition limit $2"""
_DELIVERED = """
update push set outcome = 'delivered', ended_at = clock_timestamp(),
    tried_at = clock_timestamp(), attempts = attempts + 1, error = ''
where target = $1 and transition = $2"""
_FAILED = """
update push set tried_at = clock_timestamp(), attempts = attempts + 1, error = $3,
    not_before = clock_timestamp() + $4::interval
where target = $1 and transition = $2"""
_EXPIRE = """
update push set outcome = 'expired', ended_at = clock_timestamp()
where outcome is null and put_at < clock_timestamp() - $1::interval
returning target"""
_ERROR_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Push:
    """One transition that one target has to be told of."""

    target: str
    transition: int
    """Place in the journal."""
    attempts: int
    """Failed so far."""
    id: str
    """The same for every delivery of this transition: what receivers know it by."""
    body: str
    """The transition as it is stored, JSON."""

    def said(self) -> AlarmTransition:
        """Return the transition. Raises NotUnderstood."""
        event = decode_event({"kind": EventKind.ALARM.value}, self.body.encode())
        if not isinstance(event, AlarmTransition):
            raise NotUnderstood(f"transition {self.transition}: expected an alarm's")
        return event


class Outbox:
    """The pushes, for the process that holds the lock on them.

    Bounded by: pushes of priority 1 and 2 within the time after which they expire.
    When full: cannot be; rows are on disk. Order: `due` gives those of a target as
    they stand in the journal. Duplicates: a push is due until `delivered` has been
    committed. On cancel: the connection is closed, which frees the lock.
    """

    def __init__(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        settings: DatabaseSettings,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()

    async def owned(self) -> bool:
        """Return whether the lock is ours now; asks for it."""
        rows = await self._fetch(_LOCK, self._settings.namespace)
        return bool(rows[0][0])

    async def register(self, targets: Collection[str]) -> int:
        """Put pushes for exactly these targets from now on.

        What waits for a target that is no more is withdrawn. A new target is told of
        nothing that was before it.

        Returns:
            How many pushes were withdrawn.
        """
        names = sorted(targets)
        await self._fetch(_REGISTER, names)
        return len(await self._fetch(_WITHDRAW, names))

    async def due(self, target: str, limit: int) -> list[Push]:
        """Return what the target is to be told now, the oldest first."""
        rows = await self._fetch(_DUE, target, limit)
        return [Push(*row) for row in rows]

    async def delivered(self, push: Push) -> None:
        """Note that the target has it."""
        await self._fetch(_DELIVERED, push.target, push.transition)

    async def failed(self, push: Push, error: str, pause: timedelta) -> None:
        """Note why it was not taken; it is due again after the pause."""
        short = error[:_ERROR_CHARACTERS]
        await self._fetch(_FAILED, push.target, push.transition, short, pause)

    async def expire(self, age: timedelta) -> list[str]:
        """End what has waited longer than `age`; return each one's target."""
        return [row["target"] for row in await self._fetch(_EXPIRE, age)]

    async def _fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Run one statement; those of several targets wait for each other."""
        async with self._one_at_a_time:
            with naming_situations(self._settings):
                return await self._connection.fetch(
                    statement, *values, timeout=_ANSWER_S
                )


@asynccontextmanager
async def open_outbox(settings: DatabaseSettings) -> AsyncIterator[Outbox]:
    """Own the pushes for the length of the block; waits while another process does.

    Raises:
        Unavailable: the database went away, also while waiting.
        AccessRefused: it refuses the user or the database.
    """
    async with open_connection(settings) as connection:
        with naming_situations(settings):
            await connection.execute(_KEPT_ALIVE)
        outbox = Outbox(connection, settings)
        waited = False
        while not await outbox.owned():
            if not waited:
                _log.info("waiting: another process sends; %s", where(settings))
                waited = True
            await asyncio.sleep(_LOOK_S)
        _log.info("sending pushes of %s", where(settings))
        yield outbox
