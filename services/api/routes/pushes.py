"""How it stands with those who are told of urgent alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from services.api.answers import json_response
from services.api.health import is_stuck
from services.api.moments import iso, now_us
from services.api.roles import READ
from services.api.sources import From
from shared.store.queries_pushes import push_states

if TYPE_CHECKING:
    from shared.store.queries_pushes import TargetState

router = APIRouter(tags=["alarms"])


@router.get("/pushes", openapi_extra=READ)
async def pushes(found: From) -> Response:
    """List the targets of pushes and what waits for each.

    `stuck` is a target whose oldest push has waited for more than a minute; it makes
    `/health/ready` red. `active` is false for one that is configured no more.
    """
    now = now_us()
    async with found.database.read() as connection:
        states = await push_states(connection)
    targets = [_target(state, now) for state in states]
    return json_response({"now": iso(now), "targets": targets})


def _target(state: TargetState, now: int) -> dict[str, Any]:
    waits = state.waits
    return {
        "target": waits.target,
        "active": state.active,
        "stuck": state.active and is_stuck(waits, now),
        "waiting": waits.waiting,
        "waiting_since": _optional(waits.waiting_since),
        "attempts": waits.attempts,
        "error": waits.error,
        "delivered": state.delivered,
        "delivered_at": _optional(state.delivered_at),
        "expired": state.expired,
    }


def _optional(time: int | None) -> str | None:
    return None if time is None else iso(time)
