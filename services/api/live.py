"""The tail of the log: newest readings, recent alarms, and the fan-out to clients."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shared.bus import (
    Damaged,
    Position,
    PositionUnknown,
    Record,
    TopicPartition,
)
from shared.domain import Gap, Kind, Topic, Unavailable
from shared.events import AlarmTransition, Change
from shared.readings import Block
from shared.store import queries, queries_declared, queries_readings
from shared.store.acceptance import FUTURE_US
from shared.store.queries_readings import Newest
from shared.wire import NotUnderstood, decode_gap, decode_readings
from shared.wire_events import Event, decode_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from shared.bus import Bus
    from shared.store.queries import Database

_log = logging.getLogger(__name__)

MOST_WAITING = 256
"""Records that wait for one slow client."""
MOST_ALARMS = 10_000
"""Occurrences whose last transition is remembered."""
_FETCH_BYTES = 8 * 1024 * 1024
_FETCH_S = 1.0
_RETRY_S = (0.5, 5.0)
"""First and longest pause after a neighbour was away."""

Places = dict[TopicPartition, Position]


@dataclass(frozen=True, slots=True)
class Fresh:
    """What one record of the log holds for clients."""

    at: TopicPartition
    next: Position
    """Where the record after it is."""
    what: Block | Gap | Damaged | Event | None
    """None: nothing for clients."""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A slow client missed this many readings and events (None: nobody knows)."""

    count: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Only:
    """What of the log a client wants; None takes all."""

    vessels: frozenset[str] | None = None
    """Whose alarms, detections and batches."""
    types: frozenset[type] | None = None
    """Of what may be `Fresh.what`; damage is never left out."""

    def wants(self, what: Block | Gap | Damaged | Event | None) -> bool:
        """Whether it is among what the client asked for."""
        if what is None or isinstance(what, Damaged):
            return what is not None
        if self.types is not None and type(what) not in self.types:
            return False
        if self.vessels is None or isinstance(what, Block | Gap | Change):
            return True
        return what.vessel in self.vessels


EVERYTHING = Only()


class Listener:
    """Records that wait for one client.

    Bounded by: MOST_WAITING records. When full: new ones are dropped and counted, and
    the client gets a `Lost` in their place. Order: kept within a partition. Duplicates:
    as in the log. On cancel: the client's place is given up.
    """

    def __init__(
        self, places: Places, tags: frozenset[int] | None, only: Only = EVERYTHING
    ) -> None:
        self.places = dict(places)
        """Where the client goes on after what it was offered."""
        self._only = only
        self._tags = None if tags is None else np.array(sorted(tags), np.int32)
        self._waiting: deque[Fresh | Lost] = deque()
        self._lost = 0
        self._there = asyncio.Event()
        self.closed = False

    def wanted(self, fresh: Fresh) -> Fresh | None:
        """Return the part of a record that this client asked for and has not had."""
        before = self.places.get(fresh.at)
        same_log = before is not None and before.epoch == fresh.next.epoch
        if before and same_log and fresh.next.offset <= before.offset:
            return None
        self.places[fresh.at] = fresh.next
        if not self._only.wants(fresh.what):
            return None
        if isinstance(fresh.what, Block):
            return self._rows(fresh, fresh.what)
        if isinstance(fresh.what, Gap) and self._tags is not None and fresh.what.tags:
            return fresh if np.isin(fresh.what.tags, self._tags).any() else None
        return None if fresh.what is None else fresh

    def _rows(self, fresh: Fresh, block: Block) -> Fresh | None:
        if self._tags is not None:
            block = block.take(np.isin(block.tag, self._tags))
        return replace(fresh, what=block) if len(block) else None

    def offer(self, fresh: Fresh) -> None:
        """Put a record into the queue, or count what the client misses."""
        wanted = self.wanted(fresh)
        if wanted is None:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._lost += len(wanted.what) if isinstance(wanted.what, Block) else 1
            return
        self._own_up()
        self._waiting.append(wanted)
        self._there.set()

    @property
    def is_drained(self) -> bool:
        """Whether everything that it was offered has been taken, and nothing lost."""
        return not self._waiting and not self._lost

    async def take(self) -> Fresh | Lost | None:
        """Return what waits longest; None when there will be no more."""
        while not self._waiting:
            self._own_up()
            if self._waiting:
                break
            if self.closed:
                return None
            self._there.clear()
            await self._there.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """End after what waits."""
        self.closed = True
        self._there.set()

    def _own_up(self) -> None:
        if self._lost:
            self._waiting.append(Lost(self._lost, "this client reads too slowly"))
            self._lost = 0


class Live:
    """Follows the log from where the database ends.

    Bounded by: one reading per tag, MOST_ALARMS occurrences, MOST_WAITING records per
    client and one fetch of 8 MiB. When full: see Listener. Order: the log's.
    Duplicates: a reading that is not newer changes nothing. On cancel: clients are
    closed.
    """

    def __init__(self, bus: Bus, database: Database) -> None:
        self.bus = bus
        self.newest: dict[int, Newest] = {}
        self.open_gaps: dict[tuple[object, ...], Gap] = {}
        self.alarms: OrderedDict[str, AlarmTransition] = OrderedDict()
        """Last transition of the occurrences that changed since the start."""
        self.places: Places = {}
        self.heard: float | None = None
        """When the log last answered, time.monotonic; None before."""
        self.trouble = "not read yet"
        """Why the log does not answer; empty when it does."""
        self.placed = asyncio.Event()
        """Set once the places are known, and when there will be none."""
        self.closed = False
        self._database = database
        self._listeners: set[Listener] = set()
        self._seeded = False

    async def follow(self) -> None:
        """Follow for ever; waits for neighbours that are away."""
        pause = _RETRY_S[0]
        try:
            while True:
                try:
                    if not self._seeded:
                        await self._seed()
                    async for _ in self._polls():
                        pause = _RETRY_S[0]
                except PositionUnknown as error:
                    _log.warning("the log is another one: %s", error)
                    self._seeded = False
                except Unavailable as error:
                    if not self.trouble:
                        _log.warning("waiting for a neighbour: %s", error)
                    self.trouble = str(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_S[1])
        finally:
            self.close()

    def close(self) -> None:
        """End every client's stream."""
        self.closed = True
        self.placed.set()
        for listener in self._listeners:
            listener.close()

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Offer every new record to the listener for the length of the block."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def gaps_of(self, servers: set[str], tags: set[int]) -> list[Gap]:
        """Return the gaps that last, of these servers and tags, oldest first."""
        found = (
            gap
            for gap in self.open_gaps.values()
            if gap.server in servers and (gap.tags is None or tags & set(gap.tags))
        )
        return sorted(found, key=lambda gap: gap.start)

    async def _polls(self) -> AsyncIterator[None]:
        async with self.bus.reader(self.places) as reader:
            while True:
                items = await reader.poll(max_bytes=_FETCH_BYTES, timeout_s=_FETCH_S)
                self.heard = time.monotonic()
                if self.trouble:
                    _log.info("following the log")
                self.trouble = ""
                for fresh in map(opened, items):
                    self._take(fresh)
                yield

    async def _seed(self) -> None:
        """Take the newest readings, the open gaps and the log's place from one moment.

        What is stored is before the archiver's place, the rest is after it.
        """
        topics = {each: await self.bus.partitions(each) for each in _FOLLOWED}
        for topic, count in topics.items():
            if count == 0:
                raise Unavailable(f"the log has no topic {topic} yet; `fedbatch apply`")
        async with self._database.read() as connection:
            tags = [tag.id for tag in await queries.tags(connection)]
            newest = await queries_readings.newest(connection, tags)
            stored = {
                TopicPartition(topic, partition): place
                for topic in topics
                for partition, place in (
                    await queries_readings.positions(connection, topic)
                ).items()
            }
            gaps = await queries_declared.gaps(connection, _FAR_US, _FAR_US)
        self.newest = {reading.tag: reading for reading in newest}
        self.open_gaps = {_identity(gap): gap for gap in gaps if gap.end is None}
        for topic, count in topics.items():
            for at in (TopicPartition(topic, n) for n in range(count)):
                self.places[at] = await _place(self.bus, at, stored.get(at))
        self._seeded = True
        self.placed.set()

    def _take(self, fresh: Fresh) -> None:
        self.places[fresh.at] = fresh.next
        if isinstance(fresh.what, Block):
            self._keep_newest(fresh.what)
        if isinstance(fresh.what, Gap):
            if fresh.what.end is None:
                self.open_gaps[_identity(fresh.what)] = fresh.what
            else:
                self.open_gaps.pop(_identity(fresh.what), None)
        if isinstance(fresh.what, AlarmTransition):
            self._remember(fresh.what)
        for listener in self._listeners:
            listener.offer(fresh)

    def _remember(self, said: AlarmTransition) -> None:
        self.alarms[said.alarm] = said
        self.alarms.move_to_end(said.alarm)
        if len(self.alarms) > MOST_ALARMS:
            self.alarms.popitem(last=False)

    def _keep_newest(self, block: Block) -> None:
        """Keep the last reading of each tag; readings from the future are left out."""
        present = np.flatnonzero(block.time <= block.received + FUTURE_US)
        keys = block.tie[present], block.time[present], block.tag[present]
        rows = present[np.lexsort(keys)]
        last = np.append(np.diff(block.tag[rows]) != 0, True)[: len(rows)]
        for row in rows[last]:
            reading = _reading(block, int(row))
            before = self.newest.get(reading.tag)
            if before is None or (before.time, before.tie) < (
                reading.time,
                reading.tie,
            ):
                self.newest[reading.tag] = reading


_FOLLOWED = (Topic.PLANT, Topic.EVENTS)
_FAR_US = 7_000_000_000_000_000
"""In 2191: only gaps that last go on until then."""


async def _place(
    bus: Bus, at: TopicPartition, stored: tuple[str, int] | None
) -> Position:
    """Return where to follow from: the archiver's place, else the oldest record."""
    start, head = await bus.start(at), await bus.head(at)
    if stored is not None and stored[0] == start.epoch:
        return Position(start.epoch, min(max(stored[1], start.offset), head.offset))
    return start


def opened(item: Record | Damaged) -> Fresh:
    """Return what clients may want of a record; nothing where it is not for them."""
    if isinstance(item, Damaged):
        after = Position(item.last.epoch, item.last.offset + 1)
        return Fresh(item.at, after, item)
    after = Position(item.position.epoch, item.position.offset + 1)
    kind = item.headers.get("kind")
    try:
        if item.at.topic == Topic.EVENTS:
            return Fresh(item.at, after, decode_event(item.headers, item.value))
        if kind == Kind.READINGS:
            header, block = decode_readings(item.headers, item.value)
            return Fresh(item.at, after, block, header.origin.value)
        if kind == Kind.GAP:
            return Fresh(item.at, after, decode_gap(item.value))
    except NotUnderstood as error:
        reason = str(error)
        damaged = Damaged(item.at, item.position, item.position, reason, None, None)
        return Fresh(item.at, after, damaged)
    return Fresh(item.at, after, None)


def _reading(block: Block, row: int) -> Newest:
    value = float(block.value[row])
    return Newest(
        tag=int(block.tag[row]),
        time=int(block.time[row]),
        tie=int(block.tie[row]),
        value=None if np.isnan(value) else value,
        text=None if block.text is None else block.text[row].as_py(),
        status=int(block.status[row]),
        received=int(block.received[row]),
    )


def _identity(gap: Gap) -> tuple[object, ...]:
    return gap.server, gap.cause, gap.start, gap.tags
