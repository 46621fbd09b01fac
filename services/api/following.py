"""What one client is told: first what it missed, then what comes, each with its place.

The place of an event (its id) says how far every partition of the log was told, so that
a client that comes back with it, over whichever transport, goes on behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import orjson
from fastapi import Depends, Header, Query

from services.api.answers import moments
from services.api.bodies import event_body
from services.api.known import gap_body
from services.api.live import Fresh, Listener, Lost, Only, opened
from services.api.problems import Problem
from shared.bus import Damaged, Position, PositionUnknown, TopicPartition
from shared.domain import Gap, Topic
from shared.events import AlarmTransition, BatchEvent, Change, Detection
from shared.readings import Block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.directory import Names
    from services.api.live import Live, Places
    from services.api.sources import Sources

KEEP_ALIVE_S = 5.0
"""Longest time without a word to the client."""
_PREFIX: dict[str, str] = {Topic.PLANT: "", Topic.EVENTS: "e"}
_FETCH_BYTES = 1024 * 1024
_FETCH_S = 1.0
_PLACE = re.compile(r"(e?)(\d+):(\d+)@([^,]+)")
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z


class What(StrEnum):
    """Types of events that can be asked for."""

    READINGS = "readings"
    GAP = "gap"
    ALARM = "alarm"
    BATCH = "batch"
    CHANGE = "change"
    DETECTION = "detection"


class Sign(StrEnum):
    """Words that hold no event, only how far the client is."""

    WAITING = "waiting"
    """The places of the log are not known yet."""
    FOLLOWING = "following"
    """What was missed has been told; from here on events are new."""
    ALIVE = "alive"


_TYPES: dict[What, type] = {
    What.READINGS: Block,
    What.GAP: Gap,
    What.ALARM: AlarmTransition,
    What.BATCH: BatchEvent,
    What.CHANGE: Change,
    What.DETECTION: Detection,
}
_UNASKED = tuple(what for what in What if what is not What.DETECTION)


@dataclass(frozen=True, slots=True)
class Told:
    """One word to the client."""

    event: str
    """Type of the event, or a Sign."""
    place: str
    """Where to go on behind it; empty where nothing is known yet."""
    data: dict[str, Any] | None = None
    """None for a Sign."""

    def json(self) -> str:
        """Return the data."""
        return orjson.dumps(self.data, option=_OPTIONS).decode()

    def whole(self) -> str:
        """Return event, place and data."""
        body = {"event": self.event, "id": self.place, "data": self.data}
        return orjson.dumps(body, option=_OPTIONS).decode()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants to be told, and behind which place."""

    tag: list[str] | None
    vessel: str | None
    types: tuple[What, ...]
    places: Places | None

    def listener(self, names: Names) -> Listener:
        """Return the client's queue. Raises Problem for an unknown tag or vessel."""
        tags, vessels = None, None
        if self.vessel is not None:
            vessels = frozenset({names.vessel(self.vessel).name})
            tags = frozenset(each.id for each in names.tags_of(self.vessel))
        if self.tag:
            chosen = [names.tag(text) for text in self.tag]
            tags = frozenset(each.id for each in chosen)
            vessels = frozenset(e.vessel for e in chosen if e.vessel is not None)
        only = Only(vessels, frozenset(_TYPES[what] for what in self.types))
        return Listener({}, tags, only)


def _wish(
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
    after: Annotated[
        str | None,
        Query(
            alias="last_event_id",
            description="The same, for those who cannot set a header.",
        ),
    ] = None,
) -> Wish:
    """Return what the client asked for; the header comes before the parameter."""
    place = after if last_event_id is None else last_event_id
    places = _places(place) if place else None
    return Wish(tag, vessel, tuple(types or _UNASKED), places)


Wished = Annotated[Wish, Depends(_wish)]


async def told(
    found: Sources, names: Names, listener: Listener, places: Places | None
) -> AsyncIterator[Told]:
    """Yield what was missed, then what comes; places tell what was really yielded.

    Bounded by: the listener while following, one fetch of 1 MiB while catching up. When
    full: see Listener. Order: that of each partition. Duplicates: as in the log. On
    cancel: the client's place is given up.
    """
    live = found.live
    while not await _placed(live):  # else the first places would lack some
        yield Told(Sign.WAITING, "")
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
        sent.update(listener.places)
        yield Told(Sign.FOLLOWING, _place(sent))
        async for word in _following(found, names, listener, sent):
            yield word


async def _following(
    found: Sources, names: Names, listener: Listener, sent: Places
) -> AsyncIterator[Told]:
    """Yield what comes, and that we live while nothing does."""
    while True:
        try:
            taken = await _soon(listener)
        except TimeoutError:
            sent.update(listener.places)
            yield Told(Sign.ALIVE, _place(sent))
            continue
        if taken is None:
            return
        if isinstance(taken, Fresh) and _unknown(taken, names):
            names = await found.names()
        if isinstance(taken, Fresh) and listener.is_drained:
            # what was not for this client counts as told, or a client of few events
            # would read all of the log again when it comes back
            sent.update(listener.places)
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


def _event(item: Fresh | Lost, names: Names, sent: Places) -> Told:
    """Return the event; `sent` moves behind its record.

    A loss moves nothing: who comes back with its place gets what was lost.
    """
    if isinstance(item, Fresh):
        sent[item.at] = item.next
    body = _body(item, names)
    return Told(str(body["type"]), _place(sent), body)


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


def _place(sent: Places) -> str:
    return ",".join(
        f"{_PREFIX[at.topic]}{at.partition}:{position.offset}@{position.epoch}"
        for at, position in sorted(sent.items())
    )


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
