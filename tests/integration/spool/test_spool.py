"""The spool on the real local log: a quota, and honesty about what it gives up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from services.ingest.spool import Spool
from services.ingest.spool.spool import segment_bytes
from shared.bus import Message, Position, Record, TopicPartition
from shared.bus.local import LocalBus
from shared.domain import Gap, GapCause, Unavailable
from shared.wire import Clock, decode_gap, encode_clock, encode_gap
from tests.integration.spool.records import (
    START_US,
    everything,
    readings,
    values,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AT = TopicPartition("plant", 0)
QUOTA = 1_200_000
ROWS = 1_000


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[LocalBus]:
    async with LocalBus(tmp_path, segment_bytes=100_000) as opened:
        await opened.create_topic("plant", 2)
        yield opened


def spool_of(bus: LocalBus, folder: Path, *, quota: int = QUOTA) -> Spool:
    partitions = [AT, TopicPartition("plant", 1)]
    return Spool(
        bus,
        partitions,
        folder,
        servers=lambda: ["plant"],
        quota_bytes=quota,
        reserve_bytes=1,
    )


async def fill(spool: Spool, records: int, first: int = 0) -> None:
    for number in range(first, first + records):
        await spool.append(AT, [readings(number * ROWS, ROWS)])


def gaps(found: list[Record]) -> list[Gap]:
    return [decode_gap(each.value) for each in found if each.headers["kind"] == "gap"]


async def sound(bus: LocalBus) -> list[Record]:
    return [each for each in await everything(bus, AT) if isinstance(each, Record)]


async def test_what_fits_is_kept_whole(bus: LocalBus, tmp_path: Path) -> None:
    spool = spool_of(bus, tmp_path)
    await fill(spool, 5)
    found = await sound(bus)
    assert values(found) == list(range(5 * ROWS))
    assert gaps(found) == []
    assert not spool.alarm


async def test_every_reading_given_up_is_inside_a_gap_and_counted(
    bus: LocalBus, tmp_path: Path
) -> None:
    spool = spool_of(bus, tmp_path)
    await fill(spool, 100)
    found = await sound(bus)
    declared, kept = gaps(found), values(found)
    first = kept[0]
    assert kept == list(range(first, 100 * ROWS))
    assert first > 0
    assert {(gap.cause, gap.tags) for gap in declared} == {(GapCause.SPOOL_FULL, (1,))}
    assert sum(gap.count or 0 for gap in declared) == first
    assert min(gap.start for gap in declared) == START_US
    assert max(gap.end or 0 for gap in declared) == (
        START_US + (first - 1) * 1_000_000 + 1
    )


async def test_it_stays_within_its_quota(bus: LocalBus, tmp_path: Path) -> None:
    spool = spool_of(bus, tmp_path)
    for number in range(60):
        await spool.append(AT, [readings(number * ROWS, ROWS)])
        size = await bus.size_bytes(AT) + await bus.size_bytes(
            TopicPartition("plant", 1)
        )
        assert size <= QUOTA * 1.1


async def test_the_alarm_comes_and_goes_with_one_line_each(
    bus: LocalBus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = spool_of(bus, tmp_path)
    with caplog.at_level(logging.INFO, "services.ingest.spool"):
        await fill(spool, 100)
        assert spool.alarm
        assert spool.used >= 0.8
        await spool.passed({AT: await bus.head(AT)})
        assert not spool.alarm
    lines = [record.getMessage() for record in caplog.records]
    assert [("used again" in line, "full" in line) for line in lines] == [
        (False, False),
        (False, True),
        (True, False),
    ]


async def test_segments_that_were_relayed_go_without_a_gap(
    bus: LocalBus, tmp_path: Path
) -> None:
    spool = spool_of(bus, tmp_path)
    for number in range(10):
        await fill(spool, 10, first=number * 10)
        await spool.passed({AT: await bus.head(AT)})
    assert gaps(await sound(bus)) == []
    assert len(await bus.segment_starts(AT)) == 1


async def test_a_segment_is_kept_until_all_of_it_was_relayed(
    bus: LocalBus, tmp_path: Path
) -> None:
    spool = spool_of(bus, tmp_path)
    await fill(spool, 12)
    starts = await bus.segment_starts(AT)
    last_of_first = Position(starts[0].epoch, starts[1].offset - 1)
    await spool.passed({AT: last_of_first})
    assert await bus.segment_starts(AT) == starts
    await spool.passed({AT: starts[1]})
    assert await bus.segment_starts(AT) == starts[1:]


async def test_only_what_was_not_relayed_counts_as_lost(
    bus: LocalBus, tmp_path: Path
) -> None:
    spool = spool_of(bus, tmp_path)
    await fill(spool, 2)
    await spool.passed({AT: Position((await bus.head(AT)).epoch, 1)})
    await fill(spool, 98, first=2)
    found = await sound(bus)
    assert sum(gap.count or 0 for gap in gaps(found)) == values(found)[0] - ROWS
    assert min(gap.start for gap in gaps(found)) == START_US + ROWS * 1_000_000


async def test_earlier_gaps_outlive_the_segment_that_held_them(
    bus: LocalBus, tmp_path: Path
) -> None:
    spool = spool_of(bus, tmp_path)
    earlier = Gap("plant", GapCause.COLLECTOR_DOWN, 1, 2)
    await spool.append(AT, [Message(*encode_gap(earlier))])
    await spool.append(AT, [Message(*encode_clock(Clock(1, {})))])
    await fill(spool, 200)
    found = await sound(bus)
    assert gaps(found).count(earlier) == 1
    assert "clock" not in {each.headers["kind"] for each in found}


async def test_damage_in_a_segment_given_up_is_declared_too(
    bus: LocalBus, tmp_path: Path
) -> None:
    spool = spool_of(bus, tmp_path)
    await fill(spool, 8)
    [oldest] = sorted(
        path
        for path in (tmp_path / "plant" / "0").glob("*.segment")
        if path.name.endswith("0" * 19 + ".segment")
    )
    body = bytearray(oldest.read_bytes())
    body[len(body) // 2] ^= 0xFF
    oldest.write_bytes(body)
    await fill(spool, 92, first=8)
    causes = {gap.cause for gap in gaps(await sound(bus))}
    assert causes == {GapCause.SPOOL_FULL, GapCause.LOG_DAMAGED}


async def test_with_nothing_left_to_give_up_an_append_is_refused_and_nothing_stored(
    bus: LocalBus, tmp_path: Path
) -> None:
    spool = spool_of(bus, tmp_path, quota=200_000)
    with pytest.raises(Unavailable, match=r"full.*within 200000"):
        await fill(spool, 100)
    kept = values(await sound(bus))
    assert kept == list(range(kept[0], kept[-1] + 1))


async def test_a_disk_without_its_reserve_refuses_readings(
    bus: LocalBus, tmp_path: Path
) -> None:
    spool = Spool(bus, [AT], tmp_path, servers=list, reserve_bytes=1 << 60)
    with pytest.raises(Unavailable, match="free on the disk"):
        await spool.append(AT, [readings(0)])
    assert await sound(bus) == []


def test_a_spool_can_give_up_an_eighth_of_a_partition_at_a_time() -> None:
    assert segment_bytes(1 << 30, 4) == (1 << 30) // 32
    assert segment_bytes(1 << 50, 4) == 256 * 1024 * 1024
