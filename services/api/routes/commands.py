"""What people do to alarms: commands that are confirmed by the log."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Body, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.answers import json_response
from services.api.moments import iso, moment_us, now_us
from services.api.problems import Problem
from services.api.roles import ACT, COMMENT, SERVICE
from services.api.routes.alarms import AlarmId, unknown_alarm
from services.api.sources import From
from shared.domain import US_PER_S
from shared.events import Command, CommandKind, digest
from shared.store import queries_events

if TYPE_CHECKING:
    from services.api.sources import Sources

router = APIRouter(prefix="/alarms/{alarm}", tags=["commands"])

LONGEST_SHELF_US = 7 * 86_400 * US_PER_S
"""A shelf that nobody looks at again is a switched-off alarm."""

Comment = Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")]
NeededComment = Annotated[
    str, Field(max_length=1_000, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")
]


class Remark(BaseModel):
    """What may be said with a command."""

    model_config = ConfigDict(extra="forbid")
    comment: Comment = ""


class Said(BaseModel):
    """A comment."""

    model_config = ConfigDict(extra="forbid")
    comment: NeededComment


class Shelf(BaseModel):
    """How long an alarm is put aside, and why: `until` or `minutes`."""

    model_config = ConfigDict(extra="forbid")
    comment: NeededComment
    until: str | None = None
    """ISO 8601 with an offset, or `*+8h`."""
    minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)] | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who commands, and how a repeat is recognised."""

    actor: str
    key: str | None


def sender(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same for every try of one command: it takes effect once.",
        ),
    ] = None,
    x_fedbatch_actor: Annotated[
        str,
        Header(
            pattern=r"^[\w.@ \-]{1,64}$",
            description="Who you say you are, where nobody is authenticated.",
        ),
    ] = "operator",
) -> Sender:
    """Return who commands: the key's name, else a name that says nobody checked it."""
    subject: str | None = request.scope.get("subject")
    actor = f"unauthenticated:{x_fedbatch_actor}" if subject is None else subject
    return Sender(actor, idempotency_key)


By = Annotated[Sender, Depends(sender)]
Remarked = Annotated[Remark | None, Body()]


@router.post("/acknowledge", status_code=202, openapi_extra=ACT)
async def acknowledge(
    found: From, alarm: AlarmId, by: By, body: Remarked = None
) -> Response:
    """Say that somebody has seen the alarm and takes care."""
    return await _send(found, CommandKind.ACKNOWLEDGE, alarm, by, body or Remark())


@router.post("/shelve", status_code=202, openapi_extra=ACT)
async def shelve(found: From, alarm: AlarmId, by: By, body: Shelf) -> Response:
    """Put the alarm aside, at most for a week; when that is over it comes back."""
    return await _send(
        found, CommandKind.SHELVE, alarm, by, body, until=_end(body, now_us())
    )


@router.post("/unshelve", status_code=202, openapi_extra=ACT)
async def unshelve(
    found: From, alarm: AlarmId, by: By, body: Remarked = None
) -> Response:
    """Take the alarm from its shelf before its time."""
    return await _send(found, CommandKind.UNSHELVE, alarm, by, body or Remark())


@router.post("/reset", status_code=202, openapi_extra=ACT)
async def reset(found: From, alarm: AlarmId, by: By, body: Remarked = None) -> Response:
    """Let go of a latched alarm whose condition is gone."""
    return await _send(found, CommandKind.RESET, alarm, by, body or Remark())


@router.post("/take-out-of-service", status_code=202, openapi_extra=SERVICE)
async def take_out(found: From, alarm: AlarmId, by: By, body: Said) -> Response:
    """Take the alarm out of service, with a reason, until somebody puts it back."""
    return await _send(found, CommandKind.TAKE_OUT, alarm, by, body)


@router.post("/put-back-in-service", status_code=202, openapi_extra=SERVICE)
async def put_back(
    found: From, alarm: AlarmId, by: By, body: Remarked = None
) -> Response:
    """Put the alarm back in service; when its condition stands it is active at once."""
    return await _send(found, CommandKind.PUT_BACK, alarm, by, body or Remark())


@router.post("/comment", status_code=202, openapi_extra=COMMENT)
async def comment(found: From, alarm: AlarmId, by: By, body: Said) -> Response:
    """Add a comment to the alarm's journal."""
    return await _send(found, CommandKind.COMMENT, alarm, by, body)


async def _send(
    found: Sources,
    kind: CommandKind,
    alarm: str,
    by: Sender,
    body: Remark | Said | Shelf,
    *,
    until: int | None = None,
) -> Response:
    """Append the command to the log; 202 says that it is there for good.

    What becomes of it, the monitor says: on /stream and in the alarm's journal.
    """
    vessel = await _vessel_of(found, alarm)
    partition = (await found.names()).vessel(vessel).partition
    key = secrets.token_hex(16) if by.key is None else by.key
    command = Command(
        id=digest("command", by.actor, kind, alarm, key),
        kind=kind,
        alarm=alarm,
        actor=by.actor,
        time=now_us(),
        comment=body.comment.strip(),
        until=until,
    )
    sent, place, repeated = await found.commands.send(command, partition)
    answer = {
        "id": sent.id,
        "kind": sent.kind.value,
        "alarm": sent.alarm,
        "vessel": vessel,
        "actor": sent.actor,
        "time": iso(sent.time),
        "comment": sent.comment,
        "until": None if sent.until is None else iso(sent.until),
        "repeated": repeated,
        "place": f"{partition}:{place.offset}@{place.epoch}",
    }
    return json_response(answer, 202)


async def _vessel_of(found: Sources, alarm: str) -> str:
    """Return the vessel of an alarm, also of one that is not stored yet."""
    heard = found.live.alarms.get(alarm)
    if heard is not None:
        return heard.vessel
    async with found.database.read() as connection:
        stored = await queries_events.alarm(connection, alarm)
    if stored is None:
        raise unknown_alarm(alarm)
    return stored.last.vessel


def _end(shelf: Shelf, now: int) -> int:
    """Return the end of a shelf, us UTC.

    Raises:
        Problem: it is not given, given twice, over, or too far away.
    """
    if (shelf.until is None) == (shelf.minutes is None):
        said = "expected until (a time) or minutes, and not both"
        raise Problem(400, "parameter", "Until when?", said)
    if shelf.until is not None:
        end = moment_us(shelf.until, "until", now)
    else:
        end = now + round((shelf.minutes or 0) * 60 * US_PER_S)
    if not now < end <= now + LONGEST_SHELF_US:
        said = f"until {iso(end)}: expected a time within the next 7 days"
        raise Problem(400, "shelf", "Not for so long", said)
    return end
