"""New readings and events as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from services.api.answers import moments
from services.api.bodies import event_body
from services.api.known import gap_body
from services.api.live import Fresh, Listener, Lost, Only, opened
from services.api.problems import Problem
from services.api.roles import READ
from services.api.sources import From
from shared.bus import Damaged, Position, PositionUnknown, TopicPartition
from shared.domain import Gap, Topic
from shared.events import AlarmTransition, BatchEvent, Change, Detection
from shared.readings import Block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from services.api.directory import Names
    from services.api.live import Live, Places
    from services.api.sources import Sources

router = APIRouter(tags=["values"])

KEEP_ALIVE_S = 5.0
_PREFIX: dict[str, str] = {Topic.PLANT: "", Topic.EVENTS: "e"}
_FETCH_BYTES = 1024 * 1024
_FETCH_S = 1.0
_PLACE = re.compile(r"(e?)(\d+):(\d+)@([^,]+)")
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z


class What(StrEnum):
    """Types of events on the stream that can be asked for."""

    READINGS = "readings"
    GAP = "gap"
    ALARM = "alarm"
    BATCH = "batch"
    CHANGE = "change"
    DETECTION = "detection"


_TYPES: dict[What, type] = {
    What.READINGS: Block,
    What.GAP: Gap,
    What.ALARM: AlarmTransition,
    What.BATCH: BatchEvent,
    What.CHANGE: Change,
    What.DETECTION: Detection,
}
_UNASKED = tuple(what for what in What if what is not What.DETECTION)


@router.get("/stream", openapi_extra=READ)
async def stream(
    found: From,
    tag: Annotated[
        list[str] | None,
        Query(description="Only readings of these tags, and events of their vessels."),
    ] = None,
    vessel: Annotated[str | None, Query(description="Only of this vessel.")] = None,
    types: Annotated[
        list[What] | None,
        Query(alias="type", description="Only these; default: all but detections."),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="Go on after this event.")
    ] = None,
) -> Response:
    """Send new readings, alarms and batch events as they arrive (server-sent events).

    Types: `readings` (columns), `gap` (a declared gap), `alarm` (a change of an alarm
    with its explanation), `batch` (a batch or phase began or ended), `change` (of what
    decides), `detection` (only when asked for), `damaged` (records of the log that
    cannot be read) and `lost` (this client was too slow and missed `count` readings or
    events; at most 256 records wait for a client). The `id` of an event is a place in
    the log: a client that reconnects with `Last-Event-ID` goes on after it. A reading
    may come twice (delivered again after a reconnect); (tag, time, tie) names it, and
    `id` in the data names an alarm's change. Every 5 s without an event there is a
    comment.
    """
    names = await found.names()
    listener = _listener(names, tag, vessel, types or _UNASKED)
    places = None if last_event_id is None else _places(last_event_id)
    return StreamingResponse(
        _events(found, names, listener, places),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


def _listener(
    names: Names, tag: list[str] | None, vessel: str | None, types: Iterable[What]
) -> Listener:
    tags, vessels = None, None
    if vessel is not None:
        vessels = frozenset({names.vessel(vessel).name})
        tags = frozenset(each.id for each in names.tags_of(vessel))
    if tag:
        chosen = [names.tag(text) for text in tag]
        tags = frozenset(each.id for each in chosen)
        vessels = frozenset(each.vessel for each in chosen if each.vessel is not None)
    only = Only(vessels, frozenset(_TYPES[what] for what in types))
    return Listener({}, tags, only)


async def _events(
    found: Sources, names: Names, listener: Listener, places: Places | None
) -> AsyncIterator[bytes]:
    """Yield what was missed, then what comes; ids tell what was really sent."""
    live = found.live
    while not await _placed(live):  # else the first ids would lack places
        yield b": waiting for the log\n\n"
    if live.closed:
        return
    listener.places = {**live.places, **(places or {})}
    sent = dict(listener.places)
    while _behind(listener.places, live.places):
        async for item in _missed(live, listener):
            if isinstance(item, Lost):
                sent.update(listener.places)
            yield _event(item, names, sent)
    with live.listening(listener):
        yield b"retry: 1000\n: following\n\n"
        async for event in _following(found, names, listener, sent):
            yield event


async def _following(
    found: Sources, names: Names, listener: Listener, sent: Places
) -> AsyncIterator[bytes]:
    """Yield what comes, and comments while nothing does."""
    while True:
        try:
            taken = await _soon(listener)
        except TimeoutError:
            yield b": alive\n\n"
            continue
        if taken is None:
            return
        if isinstance(taken, Fresh) and _unknown(taken, names):
            names = await found.names()
        yield _event(taken, names, sent)


async def _placed(live: Live) -> bool:
    """Wait a while until the places of the log are known, or never will be."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KEEP_ALIVE_S):
            await live.placed.wait()
    return live.placed.is_set()


async def _soon(listener: Listener) -> Fresh | Lost | None:
    async with asyncio.timeout(KEEP_ALIVE_S):
        return await listener.take()


async def _missed(live: Live, listener: Listener) -> AsyncIterator[Fresh | Lost]:
    """Yield what the client missed, until it has what the tail of the log has."""
    try:
        async with live.bus.reader(listener.places) as reader:
            while _behind(listener.places, live.places):
                for item in await reader.poll(
                    max_bytes=_FETCH_BYTES, timeout_s=_FETCH_S
                ):
                    wanted = listener.wanted(opened(item))
                    if wanted is not None:
                        yield wanted
    except PositionUnknown as error:
        listener.places = dict(live.places)
        yield Lost(None, f"Last-Event-ID: {error}")


def _behind(places: Places, of: Places) -> bool:
    """Whether there is more to read; an epoch that is no more has to be found out."""
    return any(
        places[at].epoch != tail.epoch or places[at].offset < tail.offset
        for at, tail in of.items()
    )


def _unknown(item: Fresh, names: Names) -> bool:
    block = item.what
    if not isinstance(block, Block):
        return False
    return any(int(tag) not in names.tags for tag in np.unique(block.tag))


def _event(item: Fresh | Lost, names: Names, sent: Places) -> bytes:
    """Return the event; `sent` moves behind its record."""
    if isinstance(item, Fresh):
        sent[item.at] = item.next
    body = _body(item, names)
    place = ",".join(
        f"{_PREFIX[at.topic]}{at.partition}:{position.offset}@{position.epoch}"
        for at, position in sorted(sent.items())
    )
    data = orjson.dumps(body, option=_OPTIONS).decode()
    return f"event: {body['type']}\nid: {place}\ndata: {data}\n\n".encode()


def _body(item: Fresh | Lost, names: Names) -> dict[str, Any]:
    if isinstance(item, Lost):
        return {"type": "lost", "count": item.count, "reason": item.reason}
    what, at = item.what, item.at
    if isinstance(what, Block):
        return {"type": "readings", "origin": item.origin, **_columns(what, names)}
    if isinstance(what, Gap):
        return {"type": "gap", **gap_body(what, names)}
    if what is None or isinstance(what, Damaged):
        place = {"topic": at.topic, "partition": at.partition}
        return {"type": "damaged", **place, "reason": what.reason if what else ""}
    return event_body(what)


def _columns(block: Block, names: Names) -> dict[str, Any]:
    known = (names.tags.get(tag) for tag in block.tag.tolist())
    columns = {
        "tag": [None if tag is None else tag.full_name for tag in known],
        "id": block.tag,
        "time": moments(block.time),
        "value": block.value,
        "status": block.status,
        "tie": block.tie,
    }
    if block.text is not None:
        columns["text"] = block.text.to_pylist()
    return columns


def _places(last_event_id: str) -> Places:
    places: Places = {}
    for part in last_event_id.split(","):
        match = _PLACE.fullmatch(part)
        if match is None:
            said = f"Last-Event-ID {last_event_id!r:.80}: expected the id of an event"
            raise Problem(400, "last-event-id", "Not an event's id", said)
        events, partition, offset, epoch = match.groups()
        at = TopicPartition(Topic.EVENTS if events else Topic.PLANT, int(partition))
        places[at] = Position(epoch, int(offset))
    return places
