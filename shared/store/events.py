"""Storing what the monitor said: an append-only journal, and each alarm's latest state.

Records come in the order of their partition, and an alarm's all come on one. One that
was published twice, by a monitor that was killed before it knew, is stored once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.events import AlarmTransition, BatchEvent, Change, Detection
from shared.store.moments import moment
from shared.wire_events import encode_event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.store.pool import Connection
    from shared.wire_events import Event

_TRANSITION = """
insert into alarm_transition (topic_at, identity, alarm, check_name, vessel, priority,
    cause, before, after, time, known, actor, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict do nothing"""
_LATEST = """
insert into alarm (alarm, check_name, vessel, priority, state, raised, changed, batch,
    phase, simulated, body)
values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)
on conflict (alarm) do update set priority = excluded.priority, state = excluded.state,
    changed = case when alarm.state = excluded.state then alarm.changed
                   else excluded.changed end,
    batch = excluded.batch, phase = excluded.phase, body = excluded.body"""
_DETECTION = """
insert into detection (topic_at, identity, check_name, vessel, tag, time, score, body)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"""
_BATCH = """
insert into batch_event (topic_at, id, vessel, batch, phase, began, time, body)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"""
_CHANGE = """
insert into change (topic_at, identity, what, time, actor, body)
values ($1, $2, $3, $4, $5, $6) on conflict do nothing"""


@dataclass(frozen=True, slots=True)
class Said:
    """An event and where it came from."""

    topic_at: str
    """`<epoch>/<partition>/<offset>` on topic `events`."""
    event: Event


def identity(event: Event) -> str:
    """Return a digest of everything the event says: 32 hex digits."""
    return _digest(encode_event(event)[1])


async def store_events(connection: Connection, said: Iterable[Said]) -> None:
    """Store events in order; part of the caller's transaction."""
    for one in said:
        _, body = encode_event(one.event)
        place = (one.topic_at, _digest(body))
        match one.event:
            case AlarmTransition() as transition:
                await _store_transition(connection, place, transition, body.decode())
            case Detection() as found:
                await connection.execute(
                    _DETECTION,
                    *(*place, found.check, found.vessel, found.tag),
                    *(moment(found.time), found.score, body.decode()),
                )
            case BatchEvent() as event:
                await connection.execute(
                    _BATCH,
                    *(one.topic_at, event.id, event.vessel, event.batch, event.phase),
                    *(event.began, moment(event.time), body.decode()),
                )
            case Change() as change:
                await connection.execute(
                    _CHANGE,
                    *(*place, change.what, moment(change.time), change.actor),
                    body.decode(),
                )


async def _store_transition(
    connection: Connection, place: tuple[str, str], said: AlarmTransition, body: str
) -> None:
    status = await connection.execute(
        _TRANSITION,
        *(*place, said.alarm, said.check, said.vessel, said.priority),
        *(said.cause.value, said.before.value, said.after.value),
        *(moment(said.time), moment(said.known), said.actor, body),
    )
    if status.endswith(" 0"):
        return
    await connection.execute(
        _LATEST,
        *(said.alarm, said.check, said.vessel, said.priority, said.after.value),
        *(moment(said.time), said.batch, said.phase, said.simulated, body),
    )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
