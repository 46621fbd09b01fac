"""The archiver is heard: gaps to fill, and a quarter of how fast it stores."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from services.ingest.archive.telling import MEASURED_ROWS
from services.ingest.archive.telling import Pace as Stored
from services.ingest.backfill import heard
from services.ingest.backfill.heard import Heard
from services.ingest.backfill.jobs import recalled
from services.ingest.backfill.pace import Pace
from shared.bus import Message, TopicPartition
from shared.bus.local import LocalBus
from shared.domain import Gap, GapCause, Topic
from shared.wire import NotUnderstood, encode_gap
from shared.wire_filled import decode_storing, encode_storing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

AT = TopicPartition(Topic.BACKFILL, 1)
RATE = 8_000.0


def gap(start: int) -> Gap:
    return Gap("A", GapCause.SPOOL_FULL, start, start + 10, (1, 2), 4, "why")


class Ears:
    """What a Heard told."""

    def __init__(self, bus: LocalBus, folder: Path) -> None:
        self.gaps: list[Gap] = []
        self.rates: list[float] = []
        jobs = recalled(folder)

        def want(gaps: Sequence[Gap]) -> None:
            self.gaps += gaps
            jobs.keep()

        self._heard = Heard(bus, jobs, want=want, stores=self.rates.append)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Ears]:
        task = asyncio.create_task(self._heard.run())
        yield self
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  a file and lists, no event
            await asyncio.sleep(0.005)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[LocalBus]:
    async with LocalBus(tmp_path / "log") as opened:
        await opened.create_topic(Topic.BACKFILL, 2)
        yield opened


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "EVERY_S", 0.01)


async def test_gaps_are_heard_from_the_first_start_on_and_each_once(
    bus: LocalBus, tmp_path: Path
) -> None:
    await bus.append(AT, [Message(*encode_gap(gap(1)))])
    async with Ears(bus, tmp_path).open() as before:
        await until(lambda: bool(recalled(tmp_path).heard))
        rubbish = Message({"kind": "gap"}, b"?")
        await bus.append(AT, [rubbish, Message(*encode_gap(gap(2)))])
        await until(lambda: bool(before.gaps))
        await until(lambda: recalled(tmp_path).heard[1].offset == 3)
    await bus.append(AT, [Message(*encode_gap(gap(3)))])
    async with Ears(bus, tmp_path).open() as after:
        await until(lambda: bool(after.gaps))
    assert (before.gaps, after.gaps) == ([gap(2)], [gap(3)])


async def test_a_topic_that_was_made_anew_is_heard_from_its_end(
    bus: LocalBus, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(heard, "RETRY_S", 0.01)
    async with Ears(bus, tmp_path).open():
        await until(lambda: bool(recalled(tmp_path).heard))
    async with LocalBus(tmp_path / "other") as other:
        await other.create_topic(Topic.BACKFILL, 2)
        ears = Ears(other, tmp_path)
        epoch = (await other.head(AT)).epoch
        async with ears.open():
            await until(lambda: recalled(tmp_path).heard[1].epoch == epoch)
            await other.append(AT, [Message(*encode_storing(RATE))])
            await until(lambda: ears.rates == [RATE])
    assert "stays declared" in caplog.text


async def test_readings_go_at_a_quarter_of_what_is_stored() -> None:
    pace = Pace(20_000)
    assert pace.rows_per_s == 20_000
    pace.stores(RATE)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(4):
        await pace.go(100)
    assert loop.time() - began >= 3 * 100 / (RATE / 4) - 0.001


def test_the_rate_is_that_of_large_transactions_over_the_last_seconds() -> None:
    stored = Stored()
    stored.stored(MEASURED_ROWS - 1, 0.001)
    assert stored.rows_per_s is None
    for _ in range(100):
        stored.stored(10_000, 1.0)
    assert stored.rows_per_s == pytest.approx(10_000)
    for _ in range(100):
        stored.stored(2_000, 1.0)
    assert stored.rows_per_s == pytest.approx(2_000, rel=0.1)


@pytest.mark.parametrize("value", [b"?", b"{}", b'{"rows_per_s": 0}', b"[]"])
def test_a_rate_that_is_none_is_named(value: bytes) -> None:
    with pytest.raises(NotUnderstood, match="storing record"):
        decode_storing(value)
