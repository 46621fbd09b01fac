"""What a killed collector did not count is counted from the log, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.ingest.collect import recount
from services.ingest.collect.recount import marked, read_uncounted
from shared.bus import Message, Position, TopicPartition
from shared.bus.local import LocalBus
from shared.wire import Clock, LedgerCounts, encode_clock, encode_ledger
from tests.integration.spool.records import START_US, readings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AT = TopicPartition("plant", 0)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[LocalBus]:
    async with LocalBus(tmp_path) as opened:
        await opened.create_topic("plant", 1)
        yield opened


async def seconds(bus: LocalBus, server: str) -> list[int]:
    """Return which readings of a server were not counted, by their second."""
    found = (await read_uncounted(bus, [0])).get(server, [])
    return [int(t - START_US) // 1_000_000 for b in found for t in b.time]


async def counted(bus: LocalBus, server: str, before: int) -> Message:
    epoch = (await bus.head(AT)).epoch
    counts = encode_ledger([LedgerCounts("v", 0, "seen", (1,), (2,))])
    return marked(counts, server, Position(epoch, before))


async def test_without_a_count_everything_is_uncounted(bus: LocalBus) -> None:
    await bus.append(AT, [readings(0, 2, server="a"), readings(9, 1, server="b")])
    assert await seconds(bus, "a") == [0, 1]
    assert await seconds(bus, "b") == [9]


async def test_only_what_lies_behind_the_last_count_of_its_server_is_uncounted(
    bus: LocalBus,
) -> None:
    both = [readings(n, 1, server=s) for n in range(4) for s in ("a", "b")]
    await bus.append(AT, both)
    await bus.append(AT, [await counted(bus, "a", 2), await counted(bus, "a", 6)])
    await bus.append(AT, [readings(4, 1, server="a"), await counted(bus, "b", 8)])
    assert await seconds(bus, "a") == [3, 4]
    assert await seconds(bus, "b") == []


async def test_a_count_far_back_is_found(
    bus: LocalBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recount, "FIRST_LOOK", 2)
    await bus.append(AT, [readings(0, 1, server="a"), await counted(bus, "a", 1)])
    moments = [Message(*encode_clock(Clock(n, {}))) for n in range(10)]
    await bus.append(AT, [readings(1, 1, server="a"), *moments])
    await bus.append(AT, [readings(2, 1, server="a")])
    assert await seconds(bus, "a") == [1, 2]


async def test_a_count_that_is_too_far_back_is_said_and_nothing_is_counted_twice(
    bus: LocalBus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recount, "FIRST_LOOK", 2)
    monkeypatch.setattr(recount, "LAST_LOOK", 2)
    await bus.append(AT, [readings(0, 1, server="a"), await counted(bus, "a", 1)])
    await bus.append(AT, [readings(n, 1, server="a") for n in range(1, 5)])
    assert await seconds(bus, "a") == []
    assert "ledger of a: no count on partition 0 within 2 records" in caplog.text


async def test_an_old_count_that_a_full_spool_appended_again_counts_nothing_twice(
    bus: LocalBus,
) -> None:
    old = await counted(bus, "a", 1)
    await bus.append(AT, [readings(0, 1, server="a"), old])
    await bus.append(AT, [readings(1, 1, server="a"), await counted(bus, "a", 3), old])
    await bus.append(AT, [readings(2, 1, server="a")])
    assert await seconds(bus, "a") == [2]
