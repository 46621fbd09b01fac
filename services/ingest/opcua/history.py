"""HistoryRead raw of one server: its readings of an interval, in requests it can take.

Order: per tag as asked, oldest first. Duplicates: a server that gives no continuation
point is asked again from its last value on, which then comes twice; whoever stores
knows readings by (tag, time, tie). Sizes that a server finds too large are halved and
remembered with its session.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from asyncua import ua

from services.ingest.opcua.decode import (
    MalformedNotification,
    PublishRefused,
    decode_history,
)
from services.ingest.opcua.naming import status_name
from services.ingest.opcua.nodes import NamespaceUnknown, resolve
from services.ingest.opcua.situations import ServerUnreachable, ServiceRefused
from services.ingest.opcua.subscription import utc_now
from shared.readings import empty

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from services.ingest.opcua.decode import NodeHistory
    from services.ingest.opcua.session import Session
    from shared.readings import Block

VALUES_PER_NODE = 1_000
"""Asked for at once of each node."""
NODES_PER_READ = 50
"""Nodes in one request, where the server allows as many."""
LONGEST_US = 30 * 86_400 * 1_000_000
"""How far back the value before an interval is looked for."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CODES = ua.StatusCodes
_TOO_MANY = frozenset(
    {
        _CODES.BadTooManyOperations,
        _CODES.BadRequestTooLarge,
        _CODES.BadResponseTooLarge,
        _CODES.BadEncodingLimitsExceeded,
        _CODES.BadNoContinuationPoints,
    }
)
_BAD = 2


@dataclass(frozen=True, slots=True)
class Wish:
    """What is still to be read of one tag."""

    tag: int
    node: ua.NodeId
    start: int
    """us UTC."""
    point: bytes | None = None
    had: int = 0
    """Values that came since `start` was asked for."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a tag's history, or why there is none."""

    tag: int
    block: Block
    refused: str = ""
    """The server's word on a tag that it gives no history of."""


async def pieces(
    session: Session, nodes: Mapping[int, str], start: int, end: int
) -> AsyncIterator[Piece]:
    """Yield the history of [start, end] of some tags, each tag's oldest first.

    Args:
        session: open.
        nodes: NodeId by tag, as plant.yaml names it.
        start: us UTC.
        end: us UTC; servers differ in whether they include it.

    Raises:
        Unavailable: one of this room's situations; what was yielded stays true.
    """
    wishes, lost = _wishes(session, nodes, start)
    for piece in lost:
        yield piece
    while wishes:
        asked = _together(wishes)[: _size(session)]
        try:
            answers = await _read(session, asked, end, VALUES_PER_NODE)
        except ServiceRefused as error:
            if error.code not in _TOO_MANY or len(asked) == 1:
                raise
            session.limits["history"] = max(1, len(asked) // 2)
            continue
        wishes = [wish for wish in wishes if wish not in asked]
        for wish, answer in zip(asked, answers, strict=True):
            yield Piece(wish.tag, answer.block, _refusal(answer))
            more = _more(wish, answer, end)
            if more is not None:
                wishes.append(more)


async def last_before(
    session: Session, nodes: Mapping[int, str], time: int
) -> tuple[dict[int, int], dict[int, str]]:
    """Return when the last value at or before `time` was, by tag; us UTC.

    The second part is the server's word on tags that it gives no history of. A tag is
    in neither when its history does not reach back that far.

    Raises:
        Unavailable: one of this room's situations.
    """
    wishes, lost = _wishes(session, nodes, time)
    found: dict[int, int] = {}
    refused = {piece.tag: piece.refused for piece in lost}
    size = _size(session)
    for first in range(0, len(wishes), size):
        asked = wishes[first : first + size]
        answers = await _read(session, asked, time - LONGEST_US, 1)
        for wish, answer in zip(asked, answers, strict=True):
            times = answer.block.time[answer.block.time <= time]
            if len(times):
                found[wish.tag] = int(times.max())
            elif _refusal(answer):
                refused[wish.tag] = _refusal(answer)
    return found, refused


def _size(session: Session) -> int:
    return min(session.limits.get("history") or NODES_PER_READ, NODES_PER_READ)


def _together(wishes: Sequence[Wish]) -> list[Wish]:
    """Return the wishes that one request can hold: it has one start for all."""
    return [wish for wish in wishes if wish.start == wishes[0].start]


def _wishes(
    session: Session, nodes: Mapping[int, str], start: int
) -> tuple[list[Wish], list[Piece]]:
    wishes, lost = [], []
    for tag, node in nodes.items():
        try:
            resolved = resolve(node, session.namespaces)
        except NamespaceUnknown as error:
            lost.append(Piece(tag, empty(), str(error)))
        else:
            wishes.append(Wish(tag, resolved, start))
    return wishes, lost


async def _read(
    session: Session, asked: Sequence[Wish], end: int, most: int
) -> list[NodeHistory]:
    request = ua.HistoryReadRequest()
    parameters = request.Parameters
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified = False
    details.StartTime = _moment(asked[0].start)
    details.EndTime = _moment(end)
    details.NumValuesPerNode = most
    details.ReturnBounds = False
    parameters.HistoryReadDetails = details
    parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    parameters.ReleaseContinuationPoints = False
    for wish in asked:
        item = ua.HistoryReadValueId()
        item.NodeId = wish.node
        item.ContinuationPoint = wish.point
        parameters.NodesToRead.append(item)
    received = utc_now()
    body = await session.raw(request, "read history")
    try:
        return decode_history(body, [wish.tag for wish in asked], received)
    except PublishRefused as error:
        message = f"{session.url}: read history: {status_name(error.status_code)}"
        raise ServiceRefused(message, error.status_code) from error
    except MalformedNotification as error:
        raise ServerUnreachable(f"{session.url}: read history: {error}") from error


def _refusal(answer: NodeHistory) -> str:
    return status_name(answer.status) if answer.status >> 30 >= _BAD else ""


def _more(wish: Wish, answer: NodeHistory, end: int) -> Wish | None:
    """Return what to ask next of a tag: by its point, or from its last value on."""
    if answer.status >> 30 >= _BAD:
        return None
    had = wish.had + len(answer.block) + len(answer.refused)
    if answer.point is not None:
        return replace(wish, point=answer.point, had=had)
    if had < VALUES_PER_NODE or not len(answer.block):
        return None
    last = int(answer.block.time.max())
    start = last if last > wish.start else last + 1
    return None if start > end else replace(wish, start=start, point=None, had=0)


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
