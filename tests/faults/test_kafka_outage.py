"""Kafka's outages: what a process that lives through them sees and stores."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from shared.bus import (
    Bus,
    Consumer,
    Message,
    Position,
    PositionUnknown,
    Record,
    TopicPartition,
)
from shared.bus.kafka import KafkaBus
from shared.domain import Unavailable
from shared.settings import BusSettings
from tests.neighbours.kafka import KafkaBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

AT = TopicPartition("plant", 0)
RECOVERY_S = 30.0
"""The issue's limit: who was not killed goes on by itself within this."""


@pytest.fixture
def broker(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """Return the broker, for a test that stops or kills it; it runs again after."""
    try:
        yield kafka_broker
    finally:
        if kafka_broker.pid is None:
            kafka_broker.start()


@pytest.fixture
async def bus(broker: KafkaBroker, fresh: str) -> AsyncIterator[KafkaBus]:
    if broker.pid is None:
        broker.start()
    settings = BusSettings(url=f"kafka://{broker.bootstrap}", prefix=f"{fresh}.")
    async with KafkaBus(settings, append_timeout_s=2, session_s=6) as opened:
        await opened.create_topic("plant", 1)
        yield opened


async def patient_append(bus: Bus, value: bytes) -> Position:
    """Repeat an append, as a relay does, until it is acknowledged."""
    async with asyncio.timeout(RECOVERY_S * 2):
        while True:
            try:
                return await bus.append(AT, [Message({}, value)])
            except Unavailable:
                await asyncio.sleep(0.1)


async def values(consumer: Consumer, last: bytes) -> list[bytes]:
    """Poll through outages until `last` came."""
    found: list[bytes] = []
    async with asyncio.timeout(RECOVERY_S * 3):
        while last not in found:
            try:
                records = await consumer.poll(max_bytes=1 << 20, timeout_s=0.5)
            except Unavailable:
                continue
            for record in records:
                assert isinstance(record, Record), record
                found.append(record.value)
    return found


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_broker_outage_loses_and_repeats_nothing(
    bus: KafkaBus, broker: KafkaBroker, how: str
) -> None:
    expected = [b"%d" % number for number in range(300)]

    async def produce() -> None:
        for value in expected:
            await patient_append(bus, value)

    async def outage() -> float:
        await asyncio.sleep(0.3)
        await asyncio.to_thread(getattr(broker, how))
        await asyncio.sleep(3)
        await asyncio.to_thread(broker.start)
        return time.monotonic()

    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        found, back, _ = await asyncio.gather(
            values(consumer, expected[-1]), outage(), produce()
        )
        assert time.monotonic() - back < RECOVERY_S
    assert found == expected


async def test_an_append_repeated_after_unavailable_is_stored_once(
    bus: KafkaBus, broker: KafkaBroker
) -> None:
    await bus.append(AT, [Message({}, b"before")])
    await asyncio.to_thread(broker.stop)
    with pytest.raises(Unavailable, match="not acknowledged within 2 s"):
        await bus.append(AT, [Message({}, b"once")])
    await asyncio.to_thread(broker.start)
    position = await patient_append(bus, b"once")
    assert await bus.head(AT) == Position(position.epoch, 2)


async def test_a_service_starts_while_the_broker_is_away(
    broker: KafkaBroker, fresh: str
) -> None:
    await asyncio.to_thread(broker.stop)
    settings = BusSettings(url=f"kafka://{broker.bootstrap}", prefix=f"{fresh}.")
    async with KafkaBus(settings, append_timeout_s=2) as bus:
        with pytest.raises(Unavailable):
            await bus.create_topic("plant", 1)
        with pytest.raises(Unavailable):
            await bus.append(AT, [Message({}, b"a")])
        async with bus.consumer("archiver", ["plant"], member="one") as consumer:
            with pytest.raises(Unavailable):
                await consumer.poll(max_bytes=1000, timeout_s=0.1)
            await asyncio.to_thread(broker.start)
            await bus.create_topic("plant", 1)
            await bus.append(AT, [Message({}, b"a")])
            assert await values(consumer, b"a") == [b"a"]


async def test_a_topic_made_anew_has_another_epoch(
    bus: KafkaBus, broker: KafkaBroker
) -> None:
    old = await bus.append(AT, [Message({}, b"a"), Message({}, b"b")])
    admin = await bus._cluster.admin()
    await admin.delete_topics([bus._cluster.name("plant")])
    async with asyncio.timeout(RECOVERY_S):
        while await bus.partitions("plant"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await bus.create_topic("plant", 1)
    new = await bus.append(AT, [Message({}, b"c"), Message({}, b"d")])
    assert (new.offset, new.epoch == old.epoch) == (0, False)
    async with bus.reader({AT: Position(old.epoch, 1)}) as reader:
        with pytest.raises(PositionUnknown, match=old.epoch):
            await reader.poll(max_bytes=1000, timeout_s=1)
    assert broker.pid is not None


async def test_a_consumer_closes_while_the_broker_is_away(
    bus: KafkaBus, broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    await bus.append(AT, [Message({}, b"a")])
    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        assert await values(consumer, b"a") == [b"a"]
        await asyncio.to_thread(broker.stop)
        async with asyncio.timeout(RECOVERY_S):
            while "Failed fetch messages" not in caplog.text:
                with contextlib.suppress(Unavailable):
                    await consumer.poll(max_bytes=1000, timeout_s=0.01)
    await asyncio.to_thread(broker.start)
    await bus.append(AT, [Message({}, b"b")])
