"""Taking a partition over: from its checkpoint, else by reading its past again."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.monitor.changes import RELEARNS
from services.monitor.checkpoint import Checkpoint, CheckpointFile
from services.monitor.partition import PartitionWatch
from services.monitor.places import configuration_at, first_since
from services.monitor.publish import Publisher, Said, read_said
from shared.bus import Position, TopicPartition
from shared.domain import Topic
from shared.events import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.monitor.settings import MonitorSettings
    from shared.bus import Bus

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Part:
    """One partition that this process watches."""

    at: TopicPartition
    watch: PartitionWatch
    next: Position
    """The next record of `plant`; what lies before is known."""
    publisher: Publisher
    file: CheckpointFile
    settled: bool = True
    """Whether every event of what was seen is published."""
    written_clock: int | None = None
    """Clock record at the last checkpoint, us UTC."""
    rest_until: float = 0.0
    """No checkpoint before, on the monotonic clock."""
    told: bool = False
    """Whether it was logged that records could not be understood."""
    unwritten: bool = False
    """Whether it was logged that checkpoints cannot be written."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A partition taken over."""

    part: Part
    relearns: Change | None
    """Said where what was known before is lost."""


async def resume(bus: Bus, settings: MonitorSettings, at: TopicPartition) -> Resumed:
    """Return a partition as its checkpoint has it, else with its past to be read.

    Raises:
        Unavailable: the log cannot be reached now.
    """
    snapshots = await asyncio.to_thread(settings.approved)
    file = CheckpointFile(settings.state, at.partition, snapshots)
    checkpoint, reasons = await asyncio.to_thread(file.read)
    for reason in reasons:
        _log.warning("%s-%d: %s", at.topic, at.partition, reason)
    if checkpoint is not None:
        return Resumed(await _from_checkpoint(bus, at, file, checkpoint), None)
    now = time.time_ns() // 1_000
    since = now - int(settings.relearn.total_seconds() * 1_000_000)
    place = await first_since(bus, at, since)
    watch = PartitionWatch(at.partition, snapshots)
    held = await configuration_at(bus, at, place)
    if held is not None:
        watch.configure(held)
    events = _events(at)
    said = await read_said(bus, events, None, place)
    publisher = Publisher(bus, events, said, await bus.head(events))
    part = Part(at, watch, place, publisher, file)
    return Resumed(part, _relearns(at, place, said, reasons, now))


async def _from_checkpoint(
    bus: Bus, at: TopicPartition, file: CheckpointFile, checkpoint: Checkpoint
) -> Part:
    start, head = await bus.start(at), await bus.head(at)
    place = _nearest(checkpoint.input, start, head)
    if place != checkpoint.input:
        _log.warning(
            "%s-%d: the log has %s to %s, the checkpoint is at %s; going on at %s",
            at.topic,
            at.partition,
            start,
            head,
            checkpoint.input,
            place,
        )
    events = _events(at)
    said = await read_said(bus, events, checkpoint.events, place)
    publisher = Publisher(bus, events, said, await bus.head(events))
    clock = checkpoint.watch.clock
    return Part(at, checkpoint.watch, place, publisher, file, written_clock=clock)


def _nearest(place: Position, start: Position, head: Position) -> Position:
    """Return where to go on: what was lost is missing data, what is known stays."""
    if place.epoch != start.epoch or place.offset < start.offset:
        return start
    return head if place.offset > head.offset else place


def _relearns(
    at: TopicPartition, place: Position, said: Said, reasons: Sequence[str], now: int
) -> Change | None:
    """Return the event that says so; None at the first start, when nothing is lost."""
    if not reasons and said.last is None:
        return None
    why = "; ".join(reasons) or "no checkpoint, though events were published before"
    _log.warning(
        "%s-%d: %s; warming from %s", at.topic, at.partition, why, place.offset
    )
    return Change(
        what=RELEARNS,
        time=now,
        actor="monitor",
        old="" if said.last is None else str(said.last),
        new=f"{place.epoch}:{place.offset}",
        details={"partition": str(at.partition), "why": why, "state": "warming"},
    )


def _events(at: TopicPartition) -> TopicPartition:
    return TopicPartition(Topic.EVENTS, at.partition)
