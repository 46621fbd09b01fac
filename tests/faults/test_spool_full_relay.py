"""A spool that overflows while the broker goes and comes back, step by step.

Every reading that was spooled is on the real log or inside a declared gap, what is
counted as lost is not on the real log, and this at the worst moments: a segment is
relayed while it is given up, and given up while the relay holds its records.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from services.ingest.spool import Progress, Spool, relay
from shared.bus import Message, Position, Record, TopicPartition
from shared.bus.local import LocalBus
from shared.domain import Gap, GapCause, Unavailable
from shared.wire import decode_gap, decode_ledger
from tests.integration.spool.records import (
    PATIENCE_S,
    START_US,
    everything,
    readings,
    values,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

AT = TopicPartition("plant", 0)
ROWS = 1_000
QUOTA = 600_000
MOMENT_S = 0.1


class Watched(LocalBus):
    """A log that calls somebody before it takes gaps, and can be away."""

    before_gaps: Callable[[], Awaitable[None]] | None = None
    away = False
    asked = 0

    async def append(self, at: TopicPartition, messages: Sequence[Message]) -> Position:
        self.asked += 1
        if self.away:
            raise Unavailable("broker at nowhere:1: expected an answer, none")
        says_gap = any(m.headers["kind"] == "gap" for m in messages)
        if says_gap and self.before_gaps is not None:
            await self.before_gaps()
        return await super().append(at, messages)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Watched]:
    async with Watched(tmp_path / "spool", segment_bytes=100_000) as opened:
        await opened.create_topic("plant", 1)
        yield opened


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[Watched]:
    async with Watched(tmp_path / "real") as opened:
        yield opened


def spool_of(local: LocalBus, folder: Path) -> Spool:
    return Spool(
        local,
        [AT],
        folder / "spool",
        servers=lambda: ["plant"],
        quota_bytes=QUOTA,
        reserve_bytes=1,
    )


async def fill(spool: Spool, first: int, last: int) -> None:
    for number in range(first, last):
        await spool.append(AT, [readings(number * ROWS, ROWS)])


@contextlib.asynccontextmanager
async def relaying(
    local: LocalBus, real: LocalBus, spool: Spool
) -> AsyncIterator[Progress]:
    progress = Progress()
    moving = relay(
        local, real, ["plant"], servers=lambda: ["plant"], quota=spool,
        progress=progress,
    )  # fmt: skip
    task = asyncio.create_task(moving)
    try:
        yield progress
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110  the state of a log, no event
            await asyncio.sleep(0.01)


async def relayed_all(local: LocalBus, spool: Spool) -> bool:
    """Whether the relay has nothing left to move."""
    head = await local.head(AT)
    return await local.committed("relay", AT) == head


class Found:
    """What a log holds."""

    def __init__(self, found: Sequence[object]) -> None:
        records = [each for each in found if isinstance(each, Record)]
        assert len(records) == len(found), "nothing is damaged here"
        self.values = values(records)
        self.gaps: list[Gap] = [
            decode_gap(r.value) for r in records if r.headers["kind"] == "gap"
        ]
        self.counted_lost = sum(
            sum(counts.counts)
            for r in records
            if r.headers["kind"] == "ledger"
            for counts in decode_ledger(r.value)
            if counts.hop == "spool-lost"
        )

    def is_declared(self, value: int) -> bool:
        time = START_US + value * 1_000_000
        return any(gap.start <= time < (gap.end or time + 1) for gap in self.gaps)


async def test_a_segment_that_is_relayed_while_it_is_given_up_costs_no_other(
    local: Watched, tmp_path: Path
) -> None:
    spool = spool_of(local, tmp_path)
    tasks: list[asyncio.Task[None]] = []
    relayed = 0

    async def the_relay_is_through_with_it() -> None:
        nonlocal relayed
        local.before_gaps = None
        starts = await local.segment_starts(AT)
        relayed = starts[1].offset
        tasks.append(asyncio.create_task(spool.passed({AT: starts[1]})))
        await asyncio.wait(tasks, timeout=MOMENT_S)

    local.before_gaps = the_relay_is_through_with_it
    number = 0
    while not tasks:
        await fill(spool, number, number + 1)
        number += 1
    await tasks[0]
    found = Found(await everything(local, AT))
    gone = set(range(relayed * ROWS, number * ROWS)) - set(found.values)
    assert not [value for value in gone if not found.is_declared(value)]


async def test_what_was_given_up_is_not_sent_when_the_broker_is_back(
    local: Watched, real: Watched, tmp_path: Path
) -> None:
    spool = spool_of(local, tmp_path)
    real.away = True
    await real.create_topic("plant", 1)
    await fill(spool, 0, 8)
    async with relaying(local, real, spool) as progress:
        await until(lambda: _true(real.asked > 0))
        await fill(spool, 8, 40)
        assert not progress.records
        real.away = False
        await until(lambda: relayed_all(local, spool))
    found = Found(await everything(real, AT))
    assert len(found.values) == len(set(found.values))
    missing = set(range(40 * ROWS)) - set(found.values)
    assert missing
    assert not [value for value in missing if not found.is_declared(value)]
    unsure = [gap for gap in found.gaps if gap.count is None]
    certain = [gap for gap in found.gaps if gap.count is not None]
    assert {gap.cause for gap in found.gaps} == {GapCause.SPOOL_FULL}
    assert found.counted_lost == sum(gap.count or 0 for gap in certain)
    assert 0 < found.counted_lost <= len(missing)
    inside = [v for gap in certain for v in _values(gap)]
    assert set(inside) <= missing
    assert len(missing) - found.counted_lost <= sum(len(_values(gap)) for gap in unsure)


async def test_after_a_crash_what_the_former_relay_may_have_sent_has_no_count(
    local: Watched, real: Watched, tmp_path: Path
) -> None:
    spool = spool_of(local, tmp_path)
    await real.create_topic("plant", 1)
    async with relaying(local, real, spool):
        await fill(spool, 0, 3)
        await until(lambda: relayed_all(local, spool))
    await fill(spool, 3, 6)
    again = spool_of(local, tmp_path)
    await again.take_up()
    await fill(again, 6, 40)
    found = Found(await everything(local, AT))
    assert min(v for gap in found.gaps for v in _values(gap)) == 3 * ROWS
    for gap in found.gaps:
        assert (gap.count is None) == (_values(gap)[0] < 6 * ROWS)


def _values(gap: Gap) -> range:
    assert gap.end is not None
    return range(
        (gap.start - START_US) // 1_000_000, (gap.end - START_US) // 1_000_000 + 1
    )


async def _true(value: bool) -> bool:  # noqa: FBT001  the simplest condition
    return value
