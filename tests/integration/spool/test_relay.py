"""The relay from the real local log to another one, and to Apache Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

import pytest

from services.ingest.spool import Progress, Spool, relay
from shared.bus import Message, Position, Record, TopicPartition
from shared.bus.local import LocalBus
from shared.bus.open import open_bus
from shared.domain import GapCause, Unavailable
from shared.settings import BusSettings
from shared.wire import Clock, decode_gap, encode_clock
from tests.integration.spool.records import (
    PATIENCE_S,
    everything,
    kinds,
    readings,
    values,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from shared.bus import Bus

AT = TopicPartition("plant", 0)
OTHER = TopicPartition("plant", 1)
NOW_US = 1_800_000_000_000_000


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[LocalBus]:
    async with LocalBus(tmp_path / "spool", segment_bytes=100_000) as opened:
        await opened.create_topic("plant", 2)
        yield opened


@pytest.fixture(params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
def real(request: pytest.FixtureRequest, tmp_path: Path, fresh: str) -> Bus:
    """Return the log to fill, not opened yet."""
    if request.param == "local":
        return LocalBus(tmp_path / "real")
    bootstrap = request.getfixturevalue("kafka_bootstrap")
    return open_bus(BusSettings(url=f"kafka://{bootstrap}", prefix=f"{fresh}."))


@pytest.fixture
async def bus(real: Bus) -> AsyncIterator[Bus]:
    async with real as opened:
        yield opened


@pytest.fixture
def local(tmp_path: Path) -> LocalBus:
    """Return a log to fill, for what does not depend on its kind."""
    return LocalBus(tmp_path / "real")


@contextlib.asynccontextmanager
async def relaying(
    spool: LocalBus, bus: Bus, *, watched: Spool | None = None
) -> AsyncIterator[Progress]:
    progress = Progress()
    task = asyncio.create_task(
        relay(
            spool,
            bus,
            ["plant"],
            servers=lambda: ["plant"],
            quota=watched,
            progress=progress,
            clock=lambda: NOW_US,
        )
    )
    try:
        yield progress
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  counters of the relay, not an event
            await asyncio.sleep(0.01)


async def spool_readings(spool: LocalBus, first: int, count: int) -> None:
    for number in range(first, first + count):
        await spool.append(AT, [readings(number * 10, 10)])


def marks(found: Sequence[object]) -> list[int]:
    return [
        int(each.headers["spool"].split(":")[1])
        for each in found
        if isinstance(each, Record)
    ]


async def test_records_arrive_in_order_and_say_where_they_come_from(
    spool: LocalBus, bus: Bus
) -> None:
    await spool_readings(spool, 0, 20)
    await spool.append(OTHER, [Message(*encode_clock(Clock(5, {})))])
    async with relaying(spool, bus) as progress:
        await until(lambda: progress.records == 21)
        await spool_readings(spool, 20, 5)
        await until(lambda: progress.records == 26)
    found = await everything(bus, AT)
    assert values(found) == list(range(250))
    epoch = (await spool.head(AT)).epoch
    assert [each.headers["spool"] for each in found if isinstance(each, Record)] == [
        f"{epoch}:{offset}" for offset in range(25)
    ]
    assert kinds(await everything(bus, OTHER)) == ["clock"]


async def test_a_restarted_relay_goes_on_where_the_real_log_ends(
    spool: LocalBus, bus: Bus
) -> None:
    await spool_readings(spool, 0, 10)
    async with relaying(spool, bus) as progress:
        await until(lambda: progress.records == 10)
    await spool_readings(spool, 10, 10)
    async with relaying(spool, bus) as progress:
        await until(lambda: progress.records >= 10)
    assert marks(await everything(bus, AT)) == list(range(20))


async def test_records_of_others_between_ours_do_not_confuse_a_restart(
    spool: LocalBus, bus: Bus
) -> None:
    await spool_readings(spool, 0, 3)
    async with relaying(spool, bus) as progress:
        await until(lambda: progress.records == 3)
    foreign = readings(0)
    await bus.append(AT, [foreign, Message({**foreign.headers, "spool": "e:9"}, b"")])
    await spool_readings(spool, 3, 1)
    async with relaying(spool, bus) as progress:
        await until(lambda: progress.records == 1)
    found = [each for each in await everything(bus, AT) if isinstance(each, Record)]
    assert [each.headers.get("spool", "")[-2:] for each in found] == [
        ":0",
        ":1",
        ":2",
        "",
        ":9",
        ":3",
    ]


async def test_a_relay_killed_before_its_commit_repeats_nothing(
    spool: LocalBus, bus: Bus
) -> None:
    await bus.create_topic("plant", 2)
    epoch = (await spool.head(AT)).epoch
    await spool_readings(spool, 0, 4)
    stored = [readings(number * 10, 10) for number in range(2)]
    await bus.append(
        AT,
        [
            Message({**message.headers, "spool": f"{epoch}:{number}"}, message.value)
            for number, message in enumerate(stored)
        ],
    )
    async with relaying(spool, bus) as progress:
        await until(lambda: progress.records == 2)
    assert values(await everything(bus, AT)) == list(range(40))


async def test_damage_in_the_spool_becomes_gaps_in_its_place(
    spool: LocalBus, local: LocalBus, tmp_path: Path
) -> None:
    await spool_readings(spool, 0, 60)
    starts = await spool.segment_starts(AT)
    assert len(starts) > 1
    [oldest] = (tmp_path / "spool" / "plant" / "0").glob(
        f"*-{starts[0].offset:019d}.segment"
    )
    body = bytearray(oldest.read_bytes())
    body[len(body) // 2] ^= 0xFF
    oldest.write_bytes(body)
    async with local, relaying(spool, local) as progress:
        await until(lambda: progress.records - progress.damaged >= 59)
        found = await everything(local, AT)
    at = kinds(found).index("gap")
    damage = found[at]
    assert isinstance(damage, Record)
    gap = decode_gap(damage.value)
    assert (gap.server, gap.cause) == ("plant", GapCause.LOG_DAMAGED)
    assert kinds(found).count("gap") == progress.damaged == 1
    kept = values(found)
    lost = [number for number in range(600) if number not in kept]
    assert lost == list(range(at * 10, at * 10 + 10))
    assert kept == sorted(kept)
    before = (await everything(spool, AT))[at - 1]
    assert isinstance(before, Record)
    assert gap.start == before.time
    assert gap.end is not None
    assert gap.start <= gap.end < NOW_US


async def test_after_the_spool_gave_records_up_the_relay_goes_on_with_the_rest(
    spool: LocalBus, local: LocalBus, caplog: pytest.LogCaptureFixture
) -> None:
    async with local:
        async with relaying(spool, local) as progress:
            await spool_readings(spool, 0, 1)
            await until(lambda: progress.records == 1)
        await spool_readings(spool, 1, 79)
        while len(await spool.segment_starts(AT)) > 1:
            await spool.drop_oldest_segment(AT)
        first = (await spool.start(AT)).offset
        async with relaying(spool, local) as progress:
            await until(lambda: progress.records == 80 - first)
        assert marks(await everything(local, AT)) == [0, *range(first, 80)]
    assert "going on at" in caplog.text


class GivingUp(LocalBus):
    """A spool that gives up a segment just after it was asked where it starts."""

    times = 0

    async def start(self, at: TopicPartition) -> Position:
        position = await super().start(at)
        if self.times and at == AT:
            self.times -= 1
            assert await self.drop_oldest_segment(at)
        return position


async def test_a_spool_that_gives_up_more_meanwhile_does_not_stop_the_relay(
    tmp_path: Path, local: LocalBus
) -> None:
    async with (
        GivingUp(tmp_path / "spool", segment_bytes=100_000) as spool,
        local as bus,
    ):
        await spool.create_topic("plant", 2)
        await spool_readings(spool, 0, 5)
        async with relaying(spool, bus) as progress:
            await until(lambda: progress.records == 5)
        for number in range(20):
            await spool.append(AT, [readings(1_000 + number * 1_000, 1_000)])
        while (await spool.start(AT)).offset <= 5:
            assert await spool.drop_oldest_segment(AT)
        spool.times = 3
        left = (await spool.head(AT)).offset
        async with relaying(spool, bus):
            async with asyncio.timeout(PATIENCE_S):
                while max(marks(await everything(bus, AT))) < left - 1:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        assert not spool.times


async def test_the_spool_shrinks_behind_the_relay(
    spool: LocalBus, local: LocalBus, tmp_path: Path
) -> None:
    quota = 500_000
    watched = Spool(
        spool,
        [AT, OTHER],
        tmp_path / "spool",
        servers=lambda: ["plant"],
        quota_bytes=quota,
        reserve_bytes=1,
    )
    async with local, relaying(spool, local, watched=watched) as progress:
        for number in range(40):
            await watched.append(AT, [readings(number * 1000, 1000)])
            await until(lambda n=number: progress.records == n + 1)  # type: ignore[misc]
        found = await everything(local, AT)
    assert values(found) == list(range(40_000))
    assert "gap" not in kinds(found)


class Interrupted(LocalBus):
    """A log that can be taken away, as a broker is."""

    away = False

    async def append(self, at: TopicPartition, messages: Sequence[Message]) -> Position:
        if self.away:
            raise Unavailable("broker at nowhere:1: expected an answer, none")
        return await super().append(at, messages)


async def test_it_waits_while_the_real_log_is_away_and_recovers_by_itself(
    spool: LocalBus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        Interrupted(tmp_path / "real") as bus,
        relaying(spool, bus) as progress,
    ):
        with caplog.at_level(logging.INFO, "services.ingest.spool"):
            bus.away = True
            await spool_readings(spool, 0, 5)
            await until(lambda: not progress.connected)
            await spool_readings(spool, 5, 5)
            bus.away = False
            await until(lambda: progress.records == 10)
        assert progress.connected
        assert values(await everything(bus, AT)) == list(range(100))
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in lines] == [
        "relay waits",
        "relay goes on",
    ]


async def test_cancelled_while_the_real_log_is_away_it_ends_and_commits_nothing(
    spool: LocalBus, tmp_path: Path
) -> None:
    await spool_readings(spool, 0, 5)
    async with Interrupted(tmp_path / "real") as bus:
        bus.away = True
        async with relaying(spool, bus) as progress:
            await until(lambda: not progress.connected)
        bus.away = False
        async with relaying(spool, bus) as progress:
            await until(lambda: progress.records == 5)
        assert marks(await everything(bus, AT)) == list(range(5))


async def test_a_second_relay_waits_as_a_stand_by(
    spool: LocalBus, local: LocalBus
) -> None:
    async with local, relaying(spool, local) as first:
        await spool_readings(spool, 0, 1)
        await until(lambda: first.records == 1)
        async with LocalBus(spool._root) as again:
            task = asyncio.create_task(
                relay(again, local, ["plant"], servers=list, member="second")
            )
            await spool_readings(spool, 1, 5)
            await until(lambda: first.records == 6)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert marks(await everything(local, AT)) == list(range(6))


async def test_it_keeps_up_with_a_plant(spool: LocalBus, bus: Bus) -> None:
    count = 3_000
    batch = [readings(number * 20, 20) for number in range(count)]
    for start in range(0, count, 100):
        await spool.append(AT, batch[start : start + 100])
    began = time.monotonic()
    async with relaying(spool, bus) as progress:
        await until(lambda: progress.records == count)
    rate = count / (time.monotonic() - began)
    print(f"relayed {rate:.0f} records/s")
    assert rate > 100, "a plant sends about 10 records/s for each of 16 partitions"
