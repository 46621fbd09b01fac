"""The monitor run again over stored input, to be held against its live journal.

A replay reads the log only: it publishes nothing, owns nothing and writes no
checkpoint. What the process itself said (its starts) is in no journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.monitor.changes import OF_THE_PROCESS, RELEARNS
from services.monitor.partition import PartitionWatch
from services.monitor.places import configuration_at, first_since
from services.monitor.publish import stored
from shared.bus import Record, TopicPartition
from shared.domain import Topic
from shared.events import Change
from shared.wire_events import decode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.bus import Bus
    from shared.wire_events import Event


PROGRESS_EVERY = 2_000
"""Records between two words on how far a replay is."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is."""

    partition: int
    read: int
    """Records of this partition so far."""
    of: int
    """Records that it has, about."""


async def replay(
    bus: Bus,
    start: int,
    end: int,
    *,
    since: int | None = None,
    snapshots: Mapping[str, str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Event]:
    """Return the journal of a new run over the input on `plant`.

    Args:
        bus: the plant's log.
        start: first event time wanted, us UTC.
        end: event time behind the last one wanted, us UTC.
        since: append time from which input is read, us UTC; None: all that is kept. The
            nearer to `start`, the less is known there.
        snapshots: approved models of frozen residuals by SHA-256.
        progress: called now and then.

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
        count = (await bus.head(at)).offset - place.offset
        read = 0
        async for record in stored(bus, at, place):
            events += watch.see(record)
            read += 1
            if progress is not None and read % PROGRESS_EVERY == 0:
                progress(Progress(number, read, count))
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


async def relearned(bus: Bus, start: int, end: int) -> list[Change]:
    """Return where the live monitor had lost what it knew, in event time, us UTC.

    Its journal may differ from a replay's from there on, until it had learned again.

    Raises:
        Unavailable: the log cannot be reached now.
    """
    found: list[Change] = []
    for number in range(await bus.partitions(Topic.EVENTS)):
        async for record in stored(bus, TopicPartition(Topic.EVENTS, number), None):
            event = decode_event(record.headers, record.value)
            if isinstance(event, Change) and event.what == RELEARNS:
                found += [event] if start <= event.time < end else []
    return found


def _caused(record: Record) -> Event | None:
    """Return the event, None where the process itself said it."""
    event = decode_event(record.headers, record.value)
    own = isinstance(event, Change) and event.what in OF_THE_PROCESS
    return None if own else event
