"""How good the alarms are to the people who get them: figures of ISA-18.2."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response

from services.api.answers import json_response
from services.api.moments import iso
from services.api.problems import Problem
from services.api.ranges import Asked
from services.api.roles import READ
from services.api.routes.alarms import Vessel
from services.api.sources import From
from shared.alarm_kpis import Kpis, kpis
from shared.alarm_kpis import Response as Responses
from shared.store.queries_kpis import turns

if TYPE_CHECKING:
    from shared.alarm_kpis import Stale

router = APIRouter(tags=["alarms"])

MOST_TURNS = 200_000
TARGETS = {
    "per_10_min": 1.0,
    "flood_percent": 1.0,
    "top_percent": 5.0,
    "chattering": 0,
    "fleeting": 0,
    "stale": 4,
}
"""At most, per operator: what ISA-18.2 and EEMUA 191 call acceptable."""
PRIORITY_TARGETS = {1: 5.0, 2: 15.0, 3: 80.0}
"""About so many percent of the alarms."""
TOP_MEANS = 200
"""Of fewer alarms ten checks are more than 5 % whatever they are."""


@router.get("/alarms/kpis", openapi_extra=READ)
async def alarm_kpis(
    found: From,
    over: Asked,
    vessel: Vessel = None,
    operators: Annotated[
        int, Query(ge=1, le=100, description="Among whom the alarms are shared.")
    ] = 1,
) -> Response:
    """Return how many alarms came in [start, end), which, and what became of them.

    Counted is each time an alarm begins to wait for somebody; priority 4 and late
    revisions are in no figure. Rates and floods are counted in regular intervals of 10
    minutes from `start`: a flood begins with more than 10 alarms per operator and ends
    before an interval of fewer than 5. `chattering` are checks of three and more alarms
    within a minute, `fleeting` alarms that returned within one, `stale` those that
    stood for more than a day. `response` is from when an alarm was known until it was
    acknowledged. An end in the future is now.
    """
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        name = None if vessel is None else names.vessel(vessel).name
        range_ = await over.resolve(connection, names, name)
        start, end = range_.start, min(range_.end, range_.now)
        if start >= end:
            said = f"start {iso(start)}: expected a time in the past"
            raise Problem(400, "range", "Nothing to count yet", said)
        said_then = await turns(connection, start, end, name, MOST_TURNS + 1)
    if len(said_then) > MOST_TURNS:
        said = f"more than {MOST_TURNS} changes of alarms: expected a shorter range"
        raise Problem(400, "range", "Too much to count at once", said)
    figures = await asyncio.to_thread(kpis, said_then, start, end, operators)
    about = {"configuration": names.version, "now": iso(range_.now), "vessel": name}
    return json_response({**about, **_body(figures)})


def _body(of: Kpis) -> dict[str, Any]:
    values = {
        "per_10_min": of.per_10_min,
        "flood_percent": of.flood_percent,
        "top_percent": of.top_percent,
        "chattering": len(of.chattering),
        "fleeting": of.fleeting,
        "stale": len(of.stale),
    }
    return {
        "start": iso(of.start),
        "end": iso(of.end),
        "operators": of.operators,
        "alarms": of.alarms,
        "most_in_10_min": of.most_in_10_min,
        "waiting": of.waiting,
        "states": {state.value: count for state, count in of.states.items()},
        "figures": {
            name: {
                "value": value,
                "at_most": TARGETS[name],
                "met": _met(of, name, value),
            }
            for name, value in values.items()
        },
        "priorities": [
            {
                "priority": priority,
                "alarms": count,
                "percent": of.percent(count),
                "about": PRIORITY_TARGETS[priority],
            }
            for priority, count in enumerate(of.priorities, 1)
        ],
        "response": _response(of.response),
        "floods": [
            {"start": iso(each.start), "end": iso(each.end), "alarms": each.alarms}
            for each in of.floods
        ],
        "frequent": [
            {
                "check": each.check,
                "alarms": each.alarms,
                "percent": of.percent(each.alarms),
            }
            for each in of.frequent
        ],
        "chattering": [
            {"check": each.check, "most_per_min": each.most_per_min}
            for each in of.chattering
        ],
        "stale": [_stale(each) for each in of.stale],
    }


def _met(of: Kpis, name: str, value: float | None) -> bool | None:
    """Return whether a figure is acceptable; None where it says nothing yet."""
    if value is None or (name == "top_percent" and of.alarms < TOP_MEANS):
        return None
    return value <= TARGETS[name]


def _response(of: Responses) -> dict[str, Any]:
    return {
        "acknowledged": of.acknowledged,
        "median_s": of.median_s,
        "p90_s": of.p90_s,
        "longest_s": of.longest_s,
    }


def _stale(of: Stale) -> dict[str, Any]:
    return {
        "alarm": of.alarm,
        "check": of.check,
        "since": iso(of.since),
        "until": None if of.until is None else iso(of.until),
    }
