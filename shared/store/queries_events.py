"""Reading what the monitor said: alarms, their journal, detections, batch events.

A page is `limit` rows from behind `after` on, the place of the last row of the page
before; the caller asks for one row more to learn whether there are more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.events import AlarmTransition, BatchEvent, Change, Detection, EventKind
from shared.store.moments import microseconds, moment, optional_moment
from shared.wire import NotUnderstood
from shared.wire_events import decode_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from shared.events import AlarmState
    from shared.store.queries import Connection
    from shared.wire_events import Event

_ALARM = "alarm, vessel, priority, state, raised, changed, body"
_LATEST = f"select {_ALARM} from alarm"
_KNOWN_AT = """
select last.alarm, last.vessel, last.priority, last.after as state, last.body,
       (select time from alarm_transition as first where first.alarm = last.alarm
        order by id limit 1) as raised,
       coalesce(
           (select time from alarm_transition as turn where turn.alarm = last.alarm
            and turn.id <= last.id and turn.before <> turn.after
            order by id desc limit 1), last.time) as changed
from (select distinct on (alarm) * from alarm_transition where known <= $8
      order by alarm, id desc) as last"""
_CHOSEN = """
where ($1::text[] is null or state = any($1))
  and ($2::int[] is null or priority = any($2))
  and ($3::text is null or vessel = $3)
  and ($4::int is null or (priority, $5::timestamptz, $6::text)
                          > ($4, raised, alarm))
order by priority, raised desc, alarm desc limit $7"""
_HAPPENED = """
select kind, key, time, body from (
    select 'batch' as kind, id as key, time, body from batch_event
    where $4::text is null or vessel = $4
    union all
    select 'change', lpad(id::text, 19, '0'), time, body from change
    where $4::text is null
) as happened
where time >= $1 and time < $2 and ($3::text[] is null or kind = any($3))
  and ($5::timestamptz is null or (time, kind, key) > ($5, $6::text, $7::text))
order by time, kind, key limit $8"""


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An occurrence in the state it has, or had at the time asked for."""

    raised: int
    """Time of its first transition, us UTC."""
    changed: int
    """When it came into its state, us UTC."""
    last: AlarmTransition
    """Its newest transition."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which alarms are wanted; None takes all."""

    states: Sequence[AlarmState] | None = None
    priorities: Sequence[int] | None = None
    vessel: str | None = None
    at: int | None = None
    """As they were known at this time, us UTC; None for now."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which events are wanted: [start, end) in us UTC, and of what; None takes all."""

    start: int
    end: int
    vessel: str | None = None
    alarm: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One stored event and its place in the order of its list."""

    event: Event
    place: tuple[str, ...]


async def alarms(
    connection: Connection,
    chosen: Chosen,
    after: tuple[int, int, str] | None,
    limit: int,
) -> list[StoredAlarm]:
    """Return alarms, the most urgent first, of equal ones the newest first.

    Args:
        connection: of a `Database.read` block.
        chosen: which ones.
        after: priority, `raised` and id of the last one of the page before.
        limit: of the page.
    """
    urgency, raised, alarm = (None, None, None) if after is None else after
    rows = await connection.fetch(
        f"select {_ALARM} from ({_LATEST if chosen.at is None else _KNOWN_AT})"
        f" as known {_CHOSEN}",
        None if chosen.states is None else [state.value for state in chosen.states],
        None if chosen.priorities is None else list(chosen.priorities),
        chosen.vessel,
        *(urgency, optional_moment(raised), alarm, limit),
        *(() if chosen.at is None else (moment(chosen.at),)),
    )
    return [_alarm(row) for row in rows]


async def alarm(connection: Connection, name: str) -> StoredAlarm | None:
    """Return the occurrence with this id; None when none is stored."""
    row = await connection.fetchrow(f"{_LATEST} where alarm = $1", name)
    return None if row is None else _alarm(row)


async def transitions(connection: Connection, name: str) -> list[AlarmTransition]:
    """Return the journal of one occurrence, oldest first."""
    rows = await connection.fetch(
        "select body from alarm_transition where alarm = $1 order by id", name
    )
    return [_transition(row["body"]) for row in rows]


async def journal(
    connection: Connection, span: Span, after: tuple[int, int] | None, limit: int
) -> list[Row]:
    """Return transitions by event time, oldest first; place: time and number."""
    return await _page(
        connection,
        EventKind.ALARM,
        "alarm_transition where ($3::text is null or vessel = $3)"
        " and ($4::text is null or alarm = $4)",
        (span.start, span.end, span.vessel, span.alarm),
        after,
        limit,
    )


async def detections(
    connection: Connection, span: Span, after: tuple[int, int] | None, limit: int
) -> list[Row]:
    """Return detections by event time, oldest first; place: time and number."""
    return await _page(
        connection,
        EventKind.DETECTION,
        "detection where ($3::text is null or vessel = $3)"
        " and ($4::text is null or tag = $4)",
        (span.start, span.end, span.vessel, span.tag),
        after,
        limit,
    )


async def happenings(
    connection: Connection,
    span: Span,
    kinds: Sequence[EventKind] | None,
    after: tuple[int, str, str] | None,
    limit: int,
) -> list[Row]:
    """Return batch events and changes, oldest first; changes have no vessel.

    Place: time, kind and key.
    """
    time, kind, key = (None, None, None) if after is None else after
    rows = await connection.fetch(
        _HAPPENED,
        moment(span.start),
        moment(span.end),
        None if kinds is None else [kind.value for kind in kinds],
        span.vessel,
        *(optional_moment(time), kind, key, limit),
    )
    return [
        Row(
            _event(EventKind(row["kind"]), row["body"]),
            (str(microseconds(row["time"])), row["kind"], row["key"]),
        )
        for row in rows
    ]


async def _page(
    connection: Connection,
    kind: EventKind,
    of: str,
    asked: tuple[int, int, str | None, str | None],
    after: tuple[int, int] | None,
    limit: int,
) -> list[Row]:
    time, number = (None, None) if after is None else after
    rows = await connection.fetch(
        f"select id, time, body from {of} and time >= $1 and time < $2"
        " and ($5::timestamptz is null or (time, id) > ($5, $6::bigint))"
        " order by time, id limit $7",
        *(moment(asked[0]), moment(asked[1]), *asked[2:]),
        *(optional_moment(time), number, limit),
    )
    return [
        Row(
            _event(kind, row["body"]),
            (str(microseconds(row["time"])), str(row["id"])),
        )
        for row in rows
    ]


def _alarm(row: asyncpg.Record) -> StoredAlarm:
    return StoredAlarm(
        microseconds(row["raised"]),
        microseconds(row["changed"]),
        _transition(row["body"]),
    )


def _transition(body: str) -> AlarmTransition:
    event = _event(EventKind.ALARM, body)
    if not isinstance(event, AlarmTransition):
        raise NotUnderstood(f"stored event {body:.200}: expected a transition")
    return event


def _event(
    kind: EventKind, body: str
) -> AlarmTransition | Detection | BatchEvent | Change:
    return decode_event({"kind": kind.value}, body.encode())
