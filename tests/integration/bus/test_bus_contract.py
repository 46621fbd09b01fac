"""What every log promises, on the local one and on Apache Kafka."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from shared.bus import (
    Consumer,
    Damaged,
    Message,
    Position,
    PositionUnknown,
    Reader,
    Record,
    TopicPartition,
)
from shared.bus.open import open_bus
from shared.settings import BusSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from shared.bus import Bus

PATIENCE_S = 40.0


@pytest.fixture(params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
def another_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Bus]:
    """Return a maker of buses that all reach the same log."""
    if request.param == "local":
        url = f"local:{tmp_path / 'log'}"
    else:
        url = f"kafka://{request.getfixturevalue('kafka_bootstrap')}"
    prefix = f"t{uuid.uuid4().hex[:12]}."
    return lambda: open_bus(BusSettings(url=url, prefix=prefix))


@pytest.fixture
async def bus(another_bus: Callable[[], Bus]) -> AsyncIterator[Bus]:
    async with another_bus() as opened:
        yield opened


@pytest.fixture
async def at(bus: Bus) -> TopicPartition:
    """Return partition 0 of a topic of two."""
    await bus.create_topic("plant", 2)
    return TopicPartition("plant", 0)


def messages(*values: bytes) -> list[Message]:
    return [Message({"kind": "clock"}, value) for value in values]


async def take(
    source: Consumer | Reader, count: int, *, max_bytes: int = 1 << 20
) -> list[Record]:
    """Poll until `count` records came."""
    taken: list[Record] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(taken) < count:
            for found in await source.poll(max_bytes=max_bytes, timeout_s=1):
                assert isinstance(found, Record), found
                taken.append(found)
    return taken


def values(records: Sequence[Record]) -> list[bytes]:
    return [record.value for record in records]


def after(record: Record) -> Position:
    return Position(record.position.epoch, record.position.offset + 1)


async def test_records_are_read_in_the_order_of_their_append(
    bus: Bus, at: TopicPartition
) -> None:
    first = await bus.append(at, messages(b"a", b"b"))
    later = await bus.append(at, messages(b"c"))
    async with bus.reader({at: first}) as reader:
        records = await take(reader, 3)
    assert values(records) == [b"a", b"b", b"c"]
    assert records[2].position == later
    assert [record.at for record in records] == [at] * 3


async def test_headers_and_binary_values_come_back_as_they_were(
    bus: Bus, at: TopicPartition
) -> None:
    headers = {"kind": "readings", "vessel": "Fermenter Süd µ", "empty": ""}
    value = bytes(range(256))
    start = await bus.append(at, [Message(headers, value), Message({}, b"")])
    async with bus.reader({at: start}) as reader:
        records = await take(reader, 2)
    assert [(r.headers, r.value) for r in records] == [(headers, value), ({}, b"")]


async def test_record_time_is_the_time_of_append(bus: Bus, at: TopicPartition) -> None:
    before = time.time_ns() // 1000
    start = await bus.append(at, messages(b"a"))
    async with bus.reader({at: start}) as reader:
        record = (await take(reader, 1))[0]
    assert before - 2_000 <= record.time <= time.time_ns() // 1000 + 2_000


async def test_records_of_half_a_mebibyte_come_back_whole(
    bus: Bus, at: TopicPartition
) -> None:
    big = [bytes([number]) * (512 * 1024 + number) for number in range(8)]
    start = await bus.append(at, messages(*big))
    async with bus.reader({at: start}) as reader:
        assert values(await take(reader, 8)) == big


async def test_a_poll_returns_little_more_than_it_was_asked_for(
    bus: Bus, at: TopicPartition
) -> None:
    start = await bus.append(at, messages(*[bytes(100_000)] * 10))
    async with bus.reader({at: start}) as reader, asyncio.timeout(PATIENCE_S):
        found: Sequence[Record | Damaged] = ()
        while not found:
            found = await reader.poll(max_bytes=250_000, timeout_s=1)
        assert len(found) <= 4
        assert len(await take(reader, 10 - len(found))) == 10 - len(found)


async def test_a_poll_of_a_silent_log_returns_nothing_after_its_timeout(
    bus: Bus, at: TopicPartition
) -> None:
    async with bus.reader({at: await bus.head(at)}) as reader:
        async with asyncio.timeout(PATIENCE_S):
            assert not await reader.poll(max_bytes=1000, timeout_s=0.2)


async def test_records_survive_the_bus_that_appended_them(
    another_bus: Callable[[], Bus],
) -> None:
    at = TopicPartition("plant", 0)
    async with another_bus() as first:
        await first.create_topic("plant", 1)
        start = await first.append(at, messages(b"a"))
    async with another_bus() as second:
        assert await second.partitions("plant") == 1
        await second.append(at, messages(b"b"))
        async with second.reader({at: start}) as reader:
            assert values(await take(reader, 2)) == [b"a", b"b"]


async def test_start_and_head_frame_what_is_in_the_log(
    bus: Bus, at: TopicPartition
) -> None:
    assert await bus.start(at) == await bus.head(at)
    first = await bus.append(at, messages(b"a", b"b"))
    assert await bus.start(at) == first
    assert await bus.head(at) == Position(first.epoch, first.offset + 2)


async def test_creating_a_topic_again_changes_nothing(
    bus: Bus, at: TopicPartition
) -> None:
    await bus.append(at, messages(b"a"))
    head = await bus.head(at)
    await bus.create_topic("plant", 2)
    assert (await bus.partitions("plant"), await bus.head(at)) == (2, head)


async def test_a_topic_that_was_never_made_has_no_partitions(bus: Bus) -> None:
    assert await bus.partitions("nothing") == 0


async def test_a_group_reads_all_partitions_from_the_beginning(
    bus: Bus, at: TopicPartition
) -> None:
    other = TopicPartition("plant", 1)
    await bus.append(at, messages(b"a"))
    await bus.append(other, messages(b"b"))
    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        records = await take(consumer, 2)
        assert consumer.assigned() == {at, other}
    assert sorted(values(records)) == [b"a", b"b"]


async def test_a_restarted_member_goes_on_from_the_committed_position(
    bus: Bus, another_bus: Callable[[], Bus], at: TopicPartition
) -> None:
    await bus.append(at, messages(b"a", b"b", b"c"))
    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        records = await take(consumer, 3)
        await consumer.commit({at: after(records[1])})
    async with (
        another_bus() as restarted,
        restarted.consumer("archiver", ["plant"], member="one") as consumer,
    ):
        assert values(await take(consumer, 1)) == [b"c"]


async def test_what_was_not_committed_arrives_again(
    bus: Bus, at: TopicPartition
) -> None:
    await bus.append(at, messages(b"a"))
    for _ in range(2):
        async with bus.consumer("archiver", ["plant"], member="one") as consumer:
            assert values(await take(consumer, 1)) == [b"a"]


async def test_groups_do_not_share_their_positions(
    bus: Bus, at: TopicPartition
) -> None:
    await bus.append(at, messages(b"a"))
    for group in ("archiver", "monitor"):
        async with bus.consumer(group, ["plant"], member="one") as consumer:
            record = (await take(consumer, 1))[0]
            await consumer.commit({at: after(record)})


async def test_a_consumer_starts_where_it_is_told_when_assigned(
    bus: Bus, at: TopicPartition
) -> None:
    first = await bus.append(at, messages(b"a", b"b", b"c"))
    asked: list[TopicPartition] = []

    async def stored(
        new: Sequence[TopicPartition],
    ) -> Mapping[TopicPartition, Position | None]:
        asked.extend(new)
        return {at: Position(first.epoch, first.offset + 2)}

    async with bus.consumer(
        "archiver", ["plant"], member="one", assigned=stored
    ) as consumer:
        assert values(await take(consumer, 1)) == [b"c"]
    assert sorted(asked) == [at, TopicPartition("plant", 1)]


async def test_a_consumer_goes_on_from_where_it_seeks(
    bus: Bus, at: TopicPartition
) -> None:
    first = await bus.append(at, messages(b"a", b"b"))
    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        await take(consumer, 2)
        await consumer.seek(at, first)
        assert values(await take(consumer, 2)) == [b"a", b"b"]


async def test_a_position_beyond_the_head_is_unknown_to_a_reader(
    bus: Bus, at: TopicPartition
) -> None:
    head = await bus.head(at)
    beyond = Position(head.epoch, head.offset + 5)
    async with bus.reader({at: beyond}) as reader:
        with pytest.raises(PositionUnknown, match="plant"):
            await take(reader, 1)


async def test_a_position_of_another_log_is_unknown_to_a_reader(
    bus: Bus, at: TopicPartition
) -> None:
    head = await bus.head(at)
    elsewhere = Position("another-log", head.offset)
    async with bus.reader({at: elsewhere}) as reader:
        with pytest.raises(PositionUnknown, match="another-log"):
            await take(reader, 1)


async def test_a_consumer_told_to_start_beyond_the_head_recovers_by_seeking(
    bus: Bus, at: TopicPartition
) -> None:
    first = await bus.append(at, messages(b"a"))

    async def stored(
        _new: Sequence[TopicPartition],
    ) -> Mapping[TopicPartition, Position | None]:
        return {at: Position(first.epoch, first.offset + 100)}

    async with bus.consumer(
        "archiver", ["plant"], member="one", assigned=stored
    ) as consumer:
        with pytest.raises(PositionUnknown, match="plant"):
            await take(consumer, 1)
        await consumer.seek(at, await bus.start(at))
        assert values(await take(consumer, 1)) == [b"a"]


async def test_two_members_never_own_one_partition_at_once(
    bus: Bus, another_bus: Callable[[], Bus], at: TopicPartition
) -> None:
    both = {at, TopicPartition("plant", 1)}
    async with another_bus() as other:
        one = bus.consumer("archiver", ["plant"], member="one")
        two = other.consumer("archiver", ["plant"], member="two")
        async with one, two, asyncio.timeout(PATIENCE_S):
            owned: frozenset[TopicPartition] = frozenset()
            rounds = 0
            while owned != both or rounds < 40:
                await asyncio.gather(
                    one.poll(max_bytes=1000, timeout_s=0.1),
                    two.poll(max_bytes=1000, timeout_s=0.1),
                )
                assert not one.assigned() & two.assigned()
                owned = one.assigned() | two.assigned()
                rounds += 1


async def test_another_member_takes_over_what_was_left(
    bus: Bus, another_bus: Callable[[], Bus], at: TopicPartition
) -> None:
    await bus.append(at, messages(b"a", b"b"))
    async with bus.consumer("archiver", ["plant"], member="one") as one:
        records = await take(one, 2)
        await one.commit({at: after(records[0])})
    async with (
        another_bus() as other,
        other.consumer("archiver", ["plant"], member="two") as two,
    ):
        assert values(await take(two, 1)) == [b"b"]


async def test_appends_of_several_callers_keep_each_calls_records_together(
    bus: Bus, at: TopicPartition
) -> None:
    start = await bus.head(at)

    async def append(caller: int) -> None:
        for call in range(5):
            await bus.append(at, messages(*[b"%d-%d" % (caller, call)] * 3))

    await asyncio.gather(*(append(caller) for caller in range(4)))
    async with bus.reader({at: start}) as reader:
        found = values(await take(reader, 60))
    triples = [found[at : at + 3] for at in range(0, 60, 3)]
    assert all(len(set(triple)) == 1 for triple in triples)
    for caller in range(4):
        mine = [t[0] for t in triples if t[0].startswith(b"%d-" % caller)]
        assert mine == [b"%d-%d" % (caller, call) for call in range(5)]
