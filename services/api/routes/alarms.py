"""Alarms as they are and were, each with its explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from services.api.answers import Wanted, json_response
from services.api.bodies import alarm_body, event_body
from services.api.moments import iso, moment_us, now_us
from services.api.pages import Paged, paged
from services.api.problems import Problem
from services.api.ranges import Asked
from services.api.roles import READ
from services.api.sources import From
from shared.events import AlarmState, EventKind
from shared.store import queries_events
from shared.store.queries_events import Chosen, Span

if TYPE_CHECKING:
    from services.api.directory import Names
    from services.api.ranges import Range

router = APIRouter(tags=["alarms"])

ACTIVE = tuple(state for state in AlarmState if state.is_active)

Vessel = Annotated[str | None, Query(description="Only of this vessel.")]
AlarmId = Annotated[str, Path(description="Id of the occurrence.", max_length=200)]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alarms are asked for."""

    states: tuple[AlarmState, ...]
    priorities: list[int] | None
    vessel: str | None
    at: str | None


def alarm_filter(
    state: Annotated[
        list[AlarmState] | None,
        Query(description="Only in these states; default: those that are active."),
    ] = None,
    priority: Annotated[
        list[int] | None, Query(description="Only of these, 1 (urgent) to 4.")
    ] = None,
    vessel: Vessel = None,
    at: Annotated[
        str | None, Query(description="As they were known at this time.")
    ] = None,
) -> Filter:
    """Return the filter asked for."""
    return Filter(ACTIVE if state is None else tuple(state), priority, vessel, at)


@router.get("/alarms", openapi_extra=READ)
async def alarms(
    found: From,
    wanted: Wanted,
    asked: Paged,
    only: Annotated[Filter, Depends(alarm_filter)],
) -> Response:
    """List the alarms, the most urgent first, of equal ones the newest first.

    `since` is when the condition began, `raised` when the alarm was raised, `changed`
    when it came into its state. With `at` the list is the one that an operator saw at
    that time: what late readings changed afterwards is not in it.
    """
    now = now_us()
    moment = None if only.at is None else moment_us(only.at, "at", now)
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        chosen = Chosen(
            only.states, only.priorities, _vessel(names, only.vessel), moment
        )
        rows = await queries_events.alarms(
            connection, chosen, asked.after(2, 1), asked.limit + 1
        )
    about = {
        "configuration": names.version,
        "now": iso(now),
        "at": iso(now if moment is None else moment),
    }
    listed = [
        (alarm_body(row), (row.last.priority, row.raised, row.last.alarm))
        for row in rows
    ]
    return paged("alarms", about, listed, asked, wanted)


@router.get("/alarms/journal", openapi_extra=READ)
async def journal(
    found: From,
    wanted: Wanted,
    over: Asked,
    asked: Paged,
    vessel: Vessel = None,
    alarm: Annotated[str | None, Query(description="Only of this occurrence.")] = None,
) -> Response:
    """List the changes of alarms in [start, end) by event time, oldest first.

    Nothing of it is ever changed or deleted. `known` is when it became known, which is
    later for late readings; `actor` is who commanded it, null for the monitor itself.
    """
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        range_ = await over.resolve(connection, names, vessel)
        span = Span(range_.start, range_.end, _vessel(names, vessel), alarm)
        rows = await queries_events.journal(
            connection, span, asked.after(2), asked.limit + 1
        )
    listed = [(event_body(row.event), row.place) for row in rows]
    return paged("journal", _about(names, range_), listed, asked, wanted)


@router.get("/alarms/{alarm}", openapi_extra=READ)
async def alarm(found: From, alarm: AlarmId) -> Response:
    """Return one alarm with its explanation and its whole journal, oldest first."""
    async with found.database.read() as connection:
        stored = await queries_events.alarm(connection, alarm)
        said = await queries_events.transitions(connection, alarm)
    if stored is None:
        raise unknown_alarm(alarm)
    return json_response(
        {**alarm_body(stored), "journal": [event_body(each) for each in said]}
    )


@router.get("/detections", openapi_extra=READ)
async def detections(
    found: From,
    wanted: Wanted,
    over: Asked,
    asked: Paged,
    vessel: Vessel = None,
    tag: Annotated[
        str | None, Query(description="Only of this tag, `vessel/tag` or its id.")
    ] = None,
) -> Response:
    """List what detectors said in [start, end), oldest first.

    A `score` of 1 and above is beyond the limit; alarms rest on these.
    """
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        range_ = await over.resolve(connection, names, vessel)
        full_name = None if tag is None else names.tag(tag).full_name
        span = Span(range_.start, range_.end, _vessel(names, vessel), tag=full_name)
        rows = await queries_events.detections(
            connection, span, asked.after(2), asked.limit + 1
        )
    listed = [(event_body(row.event), row.place) for row in rows]
    return paged("detections", _about(names, range_), listed, asked, wanted)


@router.get("/events", openapi_extra=READ)
async def events(
    found: From,
    wanted: Wanted,
    over: Asked,
    asked: Paged,
    vessel: Vessel = None,
    kinds: Annotated[
        list[EventKind] | None,
        Query(alias="type", description="`batch` or `change`; default: both."),
    ] = None,
) -> Response:
    """List batch and phase starts and ends, and changes, in [start, end), oldest first.

    A change is of what decides: plant.yaml, a mode, a service that started; it belongs
    to no vessel.
    """
    _check_kinds(kinds)
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        range_ = await over.resolve(connection, names, vessel)
        span = Span(range_.start, range_.end, _vessel(names, vessel))
        rows = await queries_events.happenings(
            connection, span, kinds, asked.after(1, 2), asked.limit + 1
        )
    listed = [(event_body(row.event), row.place) for row in rows]
    return paged("events", _about(names, range_), listed, asked, wanted)


def unknown_alarm(alarm: str) -> Problem:
    """Return the problem of an id that no alarm has."""
    said = f"alarm {alarm!r:.80} is not known: expected an id of /alarms"
    return Problem(404, "unknown-alarm", "No such alarm", said)


def _check_kinds(kinds: list[EventKind] | None) -> None:
    elsewhere = {
        EventKind.ALARM: "/alarms/journal",
        EventKind.DETECTION: "/detections",
    }
    for kind in kinds or ():
        if kind in elsewhere:
            said = f"type {kind.value}: expected batch or change; see {elsewhere[kind]}"
            raise Problem(400, "parameter", "Listed elsewhere", said)


def _vessel(names: Names, vessel: str | None) -> str | None:
    return None if vessel is None else names.vessel(vessel).name


def _about(names: Names, over: Range) -> dict[str, Any]:
    return {
        "configuration": names.version,
        "now": iso(over.now),
        "start": iso(over.start),
        "end": iso(over.end),
    }
