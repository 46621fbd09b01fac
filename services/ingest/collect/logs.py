"""Where the collector writes: a local log directly, Kafka by way of the spool."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.ingest.spool import Spool, relay, segment_bytes
from shared.bus import TopicPartition
from shared.bus.local import LocalBus
from shared.domain import Topic, Unavailable

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Sequence,
    )

    from services.ingest.collect.settings import CollectorSettings
    from shared.bus import Bus, Message, Position

_CARRIED = (Topic.PLANT, Topic.DEAD_LETTER)


@dataclass(frozen=True, slots=True)
class Logs:
    """What records are appended to first."""

    plant: Bus
    """Holds what was appended, at least its end."""
    append: Callable[[TopicPartition, Sequence[Message]], Awaitable[Position]]
    """Makes records durable."""


@contextlib.asynccontextmanager
async def opened(
    settings: CollectorSettings, bus: Bus, servers: Callable[[], Collection[str]]
) -> AsyncIterator[Logs]:
    """Open what is written first; a relay to `bus` runs beside the body if needed.

    Args:
        settings: of the collector.
        bus: the plant's log, open.
        servers: names of the servers that are collected.
    """
    if settings.bus.url.startswith("local:"):
        yield Logs(bus, bus.append)
        return
    folder = settings.spool / "log"
    most = settings.bus.partitions
    size = segment_bytes(settings.spool_quota, most)
    async with LocalBus(folder, segment_bytes=size) as local:
        count = await _partitions(bus, local) or most
        await local.create_topic(Topic.PLANT, count)
        await local.create_topic(Topic.DEAD_LETTER, 1)
        places = [TopicPartition(Topic.PLANT, number) for number in range(count)]
        places.append(TopicPartition(Topic.DEAD_LETTER, 0))
        spool = Spool(
            local,
            places,
            folder,
            servers=servers,
            quota_bytes=settings.spool_quota,
            reserve_bytes=settings.spool_reserve,
        )
        await spool.take_up()
        async with asyncio.TaskGroup() as group:
            moving = relay(local, bus, _CARRIED, servers=servers, quota=spool)
            task = group.create_task(moving)
            try:
                yield Logs(local, spool.append)
            finally:
                task.cancel()


async def _partitions(bus: Bus, local: LocalBus) -> int:
    """Return how many partitions `plant` has; 0 when nobody can say."""
    spooled = await local.partitions(Topic.PLANT)
    try:
        return max(spooled, await bus.partitions(Topic.PLANT))
    except Unavailable:
        return spooled
