"""Batches to the log: flush, order, back-pressure, retries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np
import pytest

from services.ingest.collect import writer as room
from services.ingest.collect.writer import Rows, Writer
from shared.bus import Fenced, Message, Position, TopicPartition
from shared.domain import Origin, Unavailable
from shared.readings import MAX_ROWS, Block
from shared.wire import decode_readings

Append = Callable[[TopicPartition, Sequence[Message]], Awaitable[Position]]


class Log:
    """A log in memory that can be away."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, list[Message]]] = []
        self.away = False
        self.tried = asyncio.Event()

    async def append(self, at: TopicPartition, messages: Sequence[Message]) -> Position:
        self.tried.set()
        if self.away:
            raise Unavailable("the log is away")
        before = sum(len(taken) for where, taken in self.calls if where == at.partition)
        self.calls.append((at.partition, list(messages)))
        return Position("e", before)

    def times(self, partition: int) -> list[int]:
        found: list[int] = []
        for where, messages in self.calls:
            for message in messages:
                if where == partition and message.headers.get("kind") == "readings":
                    _, block = decode_readings(message.headers, message.value)
                    found += block.time.tolist()
        return found


def rows(start: int, count: int, origin: Origin = Origin.LIVE, number: int = 1) -> Rows:
    time = np.arange(start, start + count, dtype=np.int64)
    block = Block(
        tag=np.ones(count, np.int32),
        time=time,
        value=time.astype(np.float64),
        status=np.zeros(count, np.uint32),
        tie=np.zeros(count, np.int32),
        received=time,
        server=np.zeros(count, np.int32),
    )
    return Rows(block, "A", "session", number, origin, 3)


def heads(*partitions: int) -> dict[int, Position]:
    """Return where empty partitions end."""
    return dict.fromkeys(partitions, Position("e", 0))


async def test_rows_are_durable_before_they_are_called_done() -> None:
    log, done = Log(), asyncio.Event()
    async with Writer(log.append, heads(0)) as writer:
        writer.put(0, rows(0, 60), done.set)
        assert not log.calls
        await done.wait()
        assert log.times(0) == list(range(60))
        assert writer.done_before(0) == Position("e", 1)


async def test_small_parts_share_a_record_with_its_sequence_range() -> None:
    log = Log()
    async with Writer(log.append, heads(0)) as writer:
        writer.put(0, rows(0, 10, number=4))
        writer.put(0, rows(10, 10, number=5))
        await writer.flush()
    ((_, (message,)),) = log.calls
    header, block = decode_readings(message.headers, message.value)
    assert header.sequence == (4, 5)
    assert len(block) == 20


async def test_a_record_holds_one_origin_and_at_most_5000_rows() -> None:
    log = Log()
    async with Writer(log.append, heads(0)) as writer:
        writer.put(0, rows(0, MAX_ROWS + 1))
        writer.put(0, rows(9000, 2, Origin.REPUBLISHED))
        await writer.flush()
    found = [decode_readings(m.headers, m.value) for _, ms in log.calls for m in ms]
    sizes = sorted((h.origin.value, len(b)) for h, b in found)
    assert sizes == [("live", 1), ("live", MAX_ROWS), ("republished", 2)]


async def test_5000_rows_do_not_wait() -> None:
    log, done = Log(), asyncio.Event()
    async with Writer(log.append, heads(0)) as writer:
        began = asyncio.get_running_loop().time()
        writer.put(0, rows(0, MAX_ROWS), done.set)
        await done.wait()
        assert asyncio.get_running_loop().time() - began < room.FLUSH_S


async def test_while_the_log_is_away_rows_wait_in_order() -> None:
    log, done = Log(), asyncio.Event()
    log.away = True
    async with Writer(log.append, heads(0, 1)) as writer:
        writer.put(0, rows(0, 60))
        await log.tried.wait()
        writer.put(0, rows(60, 60), done.set)
        log.away = False
        await done.wait()
    assert log.times(0) == list(range(120))


async def test_a_log_that_is_away_is_said_once_for_all_partitions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", room.__name__)
    log = Log()
    log.away = True
    async with Writer(log.append, heads(0, 1, 2)) as writer:
        for partition in range(3):
            writer.put(partition, rows(0, 1))
        async with asyncio.timeout(10):
            while len(writer._refused) < 3:
                await log.tried.wait()
                await asyncio.sleep(0)
        log.away = False
        await writer.flush()
    said = [record.message.partition(";")[0] for record in caplog.records]
    assert said == ["the log takes nothing", "the log takes readings again"]


async def test_no_more_is_asked_for_when_too_much_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "HELD_BYTES", 10_000)
    log = Log()
    log.away = True
    async with Writer(log.append, heads(0)) as writer:
        writer.put(0, rows(0, 400))
        assert not writer.has_room
        await log.tried.wait()
        log.away = False
        await writer.room()
        assert log.times(0) == list(range(400))


async def write_one(append: Append) -> None:
    async with Writer(append, heads(0)) as writer:
        writer.put(0, rows(0, 1))
        await asyncio.Event().wait()


async def test_a_log_that_is_not_ours_any_more_ends_the_writer() -> None:
    async def append(_at: TopicPartition, _messages: Sequence[Message]) -> Position:
        raise Fenced("another owner")

    with pytest.raises(ExceptionGroup) as found:
        await write_one(append)
    assert found.group_contains(Fenced)


async def test_a_stop_writes_what_is_held() -> None:
    log = Log()
    async with Writer(log.append, heads(0)) as writer:
        writer.put(0, rows(0, 3))
    assert log.times(0) == [0, 1, 2]
