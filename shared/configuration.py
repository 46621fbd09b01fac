"""Applying plant.yaml: a record on the log, so that all services switch at one place.

The topic `configuration` (one partition, kept for ever) holds every version in order
and answers a cold start; the same record then goes to every partition of `plant`,
where its place among the readings says exactly from when it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bus import Message, Record, TopicPartition
from shared.domain import FedbatchError, Topic
from shared.plant import digest, parse_plant
from shared.wire import ConfigurationRecord, decode_configuration, encode_configuration

if TYPE_CHECKING:
    from shared.bus import Bus

_HISTORY = TopicPartition(Topic.CONFIGURATION, 0)
_FETCH_BYTES = 8 * 1024 * 1024
_FETCH_S = 5.0


class ConfigurationDamaged(FedbatchError):  # noqa: N818
    """The history of configurations cannot be read; nothing may start on a guess."""


async def create_topics(bus: Bus, partitions: int) -> None:
    """Make every topic that fedbatch needs; those that exist stay as they are."""
    await bus.create_topic(Topic.CONFIGURATION, 1)
    for topic in (Topic.PLANT, Topic.EVENTS, Topic.BACKFILL):
        await bus.create_topic(topic, partitions)
    await bus.create_topic(Topic.DEAD_LETTER, 1)


async def latest_configuration(bus: Bus) -> ConfigurationRecord | None:
    """Return the last applied configuration, None if there is none yet.

    Raises:
        ConfigurationDamaged: a record of the history fails its checksum.
        Unavailable: the log cannot be reached.
    """
    if await bus.partitions(Topic.CONFIGURATION) == 0:
        return None
    head = await bus.head(_HISTORY)
    start = await bus.start(_HISTORY)
    latest = None
    offset = start.offset
    async with bus.reader({_HISTORY: start}) as reader:
        while offset < head.offset:
            for item in await reader.poll(max_bytes=_FETCH_BYTES, timeout_s=_FETCH_S):
                if not isinstance(item, Record):
                    raise ConfigurationDamaged(
                        f"topic {Topic.CONFIGURATION} at offset {item.first.offset}: "
                        f"{item.reason}; apply plant.yaml again into a new log"
                    )
                offset = item.position.offset + 1
                latest = decode_configuration(item.value)
    return latest


async def apply_configuration(
    bus: Bus, text: str, *, source: str, actor: str, now: int
) -> ConfigurationRecord:
    """Check plant.yaml and publish it to the history and to every partition.

    Applying the text that already holds publishes nothing and returns that record.

    Args:
        bus: the plant's log; its topics exist.
        text: the whole of plant.yaml.
        source: file name for error messages.
        actor: who applied it, for the record.
        now: time of applying, us UTC.

    Raises:
        PlantInvalid: with every finding and its line; nothing is published.
    """
    parse_plant(text, source)
    before = await latest_configuration(bus)
    if before is not None and before.sha256 == digest(text):
        return before
    version = 1 if before is None else before.version + 1
    record = ConfigurationRecord(version, digest(text), text, now, actor)
    message = Message(*encode_configuration(record))
    await bus.append(_HISTORY, [message])
    for partition in range(await bus.partitions(Topic.PLANT)):
        await bus.append(TopicPartition(Topic.PLANT, partition), [message])
    return record
