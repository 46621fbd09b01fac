"""Places in the log: by time, with the configuration that held there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.monitor.publish import stored
from shared.bus import Position, Record, TopicPartition
from shared.domain import Kind, Topic
from shared.wire import ConfigurationRecord, decode_configuration

if TYPE_CHECKING:
    from shared.bus import Bus

_POLL_S = 5.0
_LITTLE_BYTES = 1
"""One record is enough."""


async def first_since(bus: Bus, at: TopicPartition, time: int) -> Position:
    """Return the place of the first record appended at `time` (us UTC) or later.

    Raises:
        Unavailable: the log cannot be reached now.
    """
    start, head = await bus.start(at), await bus.head(at)
    low, high = start.offset, head.offset
    while low < high:
        middle = (low + high) // 2
        record = await record_at(bus, at, Position(start.epoch, middle))
        if record is None or record.time >= time:
            high = middle
        else:
            low = record.position.offset + 1
    return Position(start.epoch, low)


async def record_at(bus: Bus, at: TopicPartition, place: Position) -> Record | None:
    """Return the first sound record at or after `place`; None where there is none."""
    head = await bus.head(at)
    async with bus.reader({at: place}) as reader:
        offset = place.offset
        while offset < head.offset:
            items = await reader.poll(max_bytes=_LITTLE_BYTES, timeout_s=_POLL_S)
            for item in items:
                if isinstance(item, Record):
                    return item
                offset = max(offset, item.last.offset + 1)
    return None


async def configuration_at(
    bus: Bus, at: TopicPartition, place: Position
) -> ConfigurationRecord | None:
    """Return the configuration that holds before the record at `place`.

    None where the log names its configuration itself from there on, or none was applied
    before.
    """
    first = await record_at(bus, at, place)
    if first is None or first.headers.get("kind") == Kind.CONFIGURATION:
        return None
    held = None
    async for record in stored(bus, TopicPartition(Topic.CONFIGURATION, 0), None):
        applied = decode_configuration(record.value)
        if applied.applied_at <= first.time:
            held = applied
    return held
