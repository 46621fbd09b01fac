"""The monitor run again over stored input, and its journal held against the live one.

A replay reads the log only: it publishes nothing, owns nothing and writes no
checkpoint. What the process itself said (its starts) is in no journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from services.monitor.changes import OF_THE_PROCESS
from services.monitor.partition import PartitionWatch
from services.monitor.places import configuration_at, first_since
from services.monitor.publish import stored
from shared.bus import Record, TopicPartition
from shared.domain import Topic
from shared.events import Change
from shared.wire_events import decode_event, encode_event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.bus import Bus
    from shared.wire_events import Event


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two journals disagree; one side may be empty."""

    live: tuple[Event, ...]
    replayed: tuple[Event, ...]


async def replay(
    bus: Bus,
    start: int,
    end: int,
    *,
    since: int | None = None,
    snapshots: Mapping[str, str] | None = None,
) -> list[Event]:
    """Return the journal of a new run over the input on `plant`.

    Args:
        bus: the plant's log.
        start: first event time wanted, us UTC.
        end: event time behind the last one wanted, us UTC.
        since: append time from which input is read, us UTC; None: all that is kept. The
            nearer to `start`, the less is known there.
        snapshots: approved models of frozen residuals by SHA-256.

    Returns:
        By partition, in the order in which they were made.

    Raises:
        Unavailable: the log cannot be reached now.
    """
    events: list[Event] = []
    for number in range(await bus.partitions(Topic.PLANT)):
        at = TopicPartition(Topic.PLANT, number)
        place = (
            await bus.start(at) if since is None else await first_since(bus, at, since)
        )
        watch = PartitionWatch(number, snapshots)
        held = await configuration_at(bus, at, place)
        if held is not None:
            watch.configure(held)
        async for record in stored(bus, at, place):
            events += watch.see(record)
    return [event for event in events if start <= event.time < end]


async def journal(bus: Bus, start: int, end: int) -> list[Event]:
    """Return what was published live, as `replay` returns it.

    Raises:
        NotUnderstood: a record of `events` is not of this wire version.
        Unavailable: the log cannot be reached now.
    """
    events: list[Event] = []
    for number in range(await bus.partitions(Topic.EVENTS)):
        at = TopicPartition(Topic.EVENTS, number)
        async for record in stored(bus, at, None):
            event = _caused(record)
            if event is not None and start <= event.time < end:
                events.append(event)
    return events


def _caused(record: Record) -> Event | None:
    """Return the event, None where the process itself said it."""
    event = decode_event(record.headers, record.value)
    own = isinstance(event, Change) and event.what in OF_THE_PROCESS
    return None if own else event


def diff(live: Sequence[Event], replayed: Sequence[Event]) -> list[Difference]:
    """Return where two journals disagree, in order; empty when they are equal."""
    ours = [_bytes(event) for event in live]
    theirs = [_bytes(event) for event in replayed]
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    return [
        Difference(tuple(live[a:b]), tuple(replayed[c:d]))
        for word, a, b, c, d in matcher.get_opcodes()
        if word != "equal"
    ]


def _bytes(event: Event) -> bytes:
    headers, value = encode_event(event)
    return headers["kind"].encode() + value
