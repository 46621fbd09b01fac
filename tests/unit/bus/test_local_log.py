"""The local log in one process: segments, retention, repeats, leases."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from shared.bus import (
    Fenced,
    Message,
    Position,
    PositionUnknown,
    Record,
    TopicPartition,
)
from shared.bus.frames import Frame, FrameDamaged, decode, encode
from shared.bus.leases import Leases
from shared.bus.local import LocalBus
from shared.bus.open import open_bus
from shared.domain import Unavailable
from shared.settings import BusSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

AT = TopicPartition("plant", 0)
SMALL = 16 * 1024


class Clock:
    """A wall clock that moves one second per look."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[LocalBus]:
    async with LocalBus(tmp_path, segment_bytes=SMALL, clock=Clock()) as opened:
        await opened.create_topic("plant", 1)
        yield opened


def messages(*values: bytes) -> list[Message]:
    return [Message({"kind": "clock"}, value) for value in values]


async def fill(bus: LocalBus, records: int) -> None:
    """Append records of 1 KiB, one a call; a few fill a segment."""
    for number in range(records):
        await bus.append(AT, messages(b"%04d" % number * 256))


async def read(bus: LocalBus, position: Position, count: int) -> list[Record]:
    found: list[Record] = []
    async with bus.reader({AT: position}) as reader, asyncio.timeout(20):
        while len(found) < count:
            for each in await reader.poll(max_bytes=1 << 20, timeout_s=1):
                assert isinstance(each, Record), each
                found.append(each)
    return found


async def test_records_are_read_across_segments(bus: LocalBus) -> None:
    await fill(bus, 60)
    records = await read(bus, await bus.start(AT), 60)
    assert [r.value[:4] for r in records] == [b"%04d" % n for n in range(60)]
    assert [r.position.offset for r in records] == list(range(60))


async def test_a_full_segment_is_followed_by_another(
    bus: LocalBus, tmp_path: Path
) -> None:
    await fill(bus, 60)
    files = sorted((tmp_path / "plant" / "0").glob("*.segment"))
    assert 8 <= len(files) <= 20
    assert all(file.stat().st_size <= SMALL + 8192 for file in files)


async def test_the_oldest_segment_is_dropped_and_described(bus: LocalBus) -> None:
    await fill(bus, 60)
    before = await bus.size_bytes(AT)
    start = await bus.start(AT)
    dropped = await bus.drop_oldest_segment(AT)
    assert dropped is not None
    assert dropped.first == start
    assert await bus.start(AT) == Position(start.epoch, dropped.last.offset + 1)
    assert dropped.first_time == 1_000_000
    assert dropped.last_time == (dropped.last.offset + 1) * 1_000_000
    assert before - await bus.size_bytes(AT) >= dropped.size_bytes > 0


async def test_the_segment_that_is_written_is_never_dropped(bus: LocalBus) -> None:
    await fill(bus, 30)
    while await bus.drop_oldest_segment(AT) is not None:
        pass
    head = await bus.head(AT)
    assert head.offset == 30
    assert (await bus.start(AT)).offset < 30
    assert await bus.append(AT, messages(b"a")) == head


async def test_retention_drops_what_is_older_than_its_limit(bus: LocalBus) -> None:
    await fill(bus, 60)
    dropped = await bus.drop_segments(AT, before=30_000_000)
    assert dropped
    start = await bus.start(AT)
    assert start.offset == dropped[-1].last.offset + 1 <= 30
    assert (await read(bus, start, 1))[0].position == start
    assert await bus.drop_segments(AT, before=30_000_000) == []


async def test_a_position_that_retention_passed_is_unknown(bus: LocalBus) -> None:
    await fill(bus, 30)
    start = await bus.start(AT)
    await bus.drop_oldest_segment(AT)
    with pytest.raises(PositionUnknown, match="position 0"):
        await read(bus, start, 1)


async def test_a_position_of_a_log_made_anew_is_unknown(tmp_path: Path) -> None:
    for life in ("first", "second"):
        async with LocalBus(tmp_path / life) as bus:
            await bus.create_topic("plant", 1)
            await bus.append(AT, messages(b"a"))
            start = await bus.start(AT)
            if life == "first":
                old = start
    async with LocalBus(tmp_path / "second") as bus:
        with pytest.raises(PositionUnknown, match=old.epoch):
            await read(bus, old, 1)


async def test_a_call_that_was_stored_though_it_failed_is_not_stored_twice(
    bus: LocalBus, tmp_path: Path
) -> None:
    await bus.append(AT, messages(b"a"))
    witness = tmp_path / "plant" / "0" / "head"
    witness.unlink()
    witness.symlink_to(tmp_path / "missing" / "folder")  # written after the commit
    with pytest.raises(Unavailable, match="2 records not acknowledged"):
        await bus.append(AT, messages(b"b", b"c"))
    witness.unlink()
    assert (await bus.append(AT, messages(b"b", b"c"))).offset == 1
    assert (await bus.append(AT, messages(b"d"))).offset == 3
    records = await read(bus, await bus.start(AT), 4)
    assert [record.value for record in records] == [b"a", b"b", b"c", b"d"]


async def test_an_append_to_a_topic_that_was_never_made_says_so(
    bus: LocalBus,
) -> None:
    nowhere = TopicPartition("nothing", 0)
    with pytest.raises(Unavailable, match="nothing"):
        await bus.append(nowhere, messages(b"a"))
    with pytest.raises(Unavailable, match="nothing"):
        await bus.head(nowhere)


@pytest.mark.parametrize("name", ["", "../plant", "Plant", "groups", "a/b", "a" * 101])
async def test_a_topic_name_that_could_leave_its_folder_is_refused(
    bus: LocalBus, name: str
) -> None:
    with pytest.raises(ValueError, match="expected lower-case"):
        await bus.create_topic(name, 1)


async def test_a_cancelled_append_leaves_the_next_ones_alone(bus: LocalBus) -> None:
    first = asyncio.create_task(bus.append(AT, messages(b"a")))
    second = asyncio.create_task(bus.append(AT, messages(b"b")))
    await asyncio.sleep(0)
    second.cancel()
    await first
    await bus.append(AT, messages(b"c"))
    head = await bus.head(AT)
    records = await read(bus, await bus.start(AT), head.offset)
    kept = [record.value for record in records]
    assert kept in ([b"a", b"c"], [b"a", b"b", b"c"])
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_a_record_larger_than_a_segment_is_stored_whole(bus: LocalBus) -> None:
    value = os.urandom(SMALL * 4)
    start = await bus.append(AT, messages(value, b"next"))
    records = await read(bus, start, 2)
    assert [record.value for record in records] == [value, b"next"]


async def test_a_cancelled_poll_loses_nothing(bus: LocalBus) -> None:
    other = TopicPartition("plant", 1)
    await bus.create_topic("plant", 2)
    for number in range(20):
        await bus.append(AT, messages(b"a%d" % number))
        await bus.append(other, messages(b"b%d" % number))
    starts = {at: await bus.start(at) for at in (AT, other)}
    found: list[bytes] = []
    async with bus.reader(starts) as reader, asyncio.timeout(20):
        for steps in range(60):
            polling = asyncio.create_task(reader.poll(max_bytes=6, timeout_s=1))
            for _ in range(steps % 6):
                await asyncio.sleep(0)
            polling.cancel()
            await asyncio.wait([polling])
            if not polling.cancelled():
                found += values(polling.result())
        while len(found) < 40:
            found += values(await reader.poll(max_bytes=1 << 20, timeout_s=1))
    for name in "ab":
        mine = [value for value in found if value.startswith(name.encode())]
        assert mine == [f"{name}{number}".encode() for number in range(20)]


async def test_a_lost_place_does_not_lose_what_other_partitions_delivered(
    bus: LocalBus,
) -> None:
    other = TopicPartition("plant", 1)
    await bus.create_topic("plant", 2)
    await fill(bus, 30)
    starts = {at: await bus.start(at) for at in (AT, other)}
    async with bus.reader(starts) as reader, asyncio.timeout(20):
        await reader.poll(max_bytes=10, timeout_s=1)
        while await bus.drop_oldest_segment(AT) is not None:
            pass
        await bus.append(other, messages(b"b"))
        found: list[bytes] = []
        unknown = 0
        while not found or not unknown:
            try:
                found += values(await reader.poll(max_bytes=1 << 20, timeout_s=0.1))
            except PositionUnknown:
                unknown += 1
    assert found == [b"b"]


def values(found: Sequence[object]) -> list[bytes]:
    records = [each for each in found if isinstance(each, Record)]
    assert len(records) == len(found), found
    return [record.value for record in records]


async def test_a_consumer_sees_partitions_that_are_added_later(bus: LocalBus) -> None:
    later = TopicPartition("plant", 1)
    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        await consumer.poll(max_bytes=1000, timeout_s=0)
        assert consumer.assigned() == {AT}
        await bus.create_topic("plant", 2)
        await bus.append(later, messages(b"a"))
        found: Sequence[object] = ()
        async with asyncio.timeout(20):
            while not found:
                found = await consumer.poll(max_bytes=1000, timeout_s=1)
        assert consumer.assigned() == {AT, later}


async def test_a_stored_position_that_was_changed_is_unknown(
    bus: LocalBus, tmp_path: Path
) -> None:
    await bus.append(AT, messages(b"a", b"b"))
    start = await bus.start(AT)
    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        await consumer.poll(max_bytes=1000, timeout_s=5)
        await consumer.commit({AT: Position(start.epoch, 1)})
    leases = Leases(tmp_path / "groups" / "archiver.sqlite", "one", lease_s=1)
    with leases._transaction() as connection:
        connection.execute("UPDATE position SET next = 2")
    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        with pytest.raises(PositionUnknown, match="damaged"):
            await consumer.poll(max_bytes=1000, timeout_s=5)
        await consumer.seek(AT, start)
        assert await consumer.poll(max_bytes=1000, timeout_s=5)
    leases.leave()


async def test_members_that_join_a_new_group_at_once_share_its_partitions(
    bus: LocalBus, tmp_path: Path
) -> None:
    await bus.create_topic("plant", 4)
    partitions = {TopicPartition("plant", number) for number in range(4)}
    path = tmp_path / "groups" / "archiver.sqlite"
    members = [Leases(path, f"member{number}", lease_s=10) for number in range(8)]

    def join(member: Leases) -> frozenset[TopicPartition]:
        member.join()
        return member.hold(partitions)

    owned = await asyncio.gather(*(asyncio.to_thread(join, each) for each in members))
    assert sorted(map(len, owned)) == [0] * 7 + [4]
    for member in members:
        member.leave()


async def test_a_commit_by_a_member_that_owns_nothing_is_fenced(bus: LocalBus) -> None:
    start = await bus.start(AT)
    async with bus.consumer("archiver", ["plant"], member="one") as consumer:
        with pytest.raises(Fenced, match="nobody"):
            await consumer.commit({AT: start})
        with pytest.raises(Fenced, match="not assigned"):
            await consumer.seek(AT, start)


async def test_settings_open_the_local_log_where_they_say(tmp_path: Path) -> None:
    async with open_bus(BusSettings(url=f"local:{tmp_path}/log")) as bus:
        await bus.create_topic("plant", 1)
    assert (tmp_path / "log" / "plant" / "0").is_dir()


def test_a_frame_is_sound_only_at_its_own_place() -> None:
    frame = Frame(7, 123, b"producer", 4, {"kind": "gap", "ü": "µ"}, bytes(range(256)))
    stored = encode("epoch", frame)
    assert decode("epoch", 7, stored) == frame
    for epoch, offset, wrong in [
        ("other", 7, stored),
        ("epoch", 8, stored),
        ("epoch", 7, stored[:-1]),
        ("epoch", 7, b""),
        ("epoch", 7, None),
        ("epoch", 7, 5),
    ]:
        with pytest.raises(FrameDamaged, match=f"offset {offset}"):
            decode(epoch, offset, wrong)


async def test_a_log_whose_folder_became_a_file_is_unavailable_until_it_is_back(
    bus: LocalBus, tmp_path: Path
) -> None:
    first = await bus.append(AT, messages(b"a"))
    async with bus.reader({AT: first}) as reader:
        assert await reader.poll(max_bytes=1, timeout_s=1)
        folder, aside = tmp_path / "plant" / "0", tmp_path / "aside"
        folder.rename(aside)
        folder.write_text("not a folder")
        for call in (
            bus.head(AT),
            bus.start(AT),
            bus.partitions("plant"),
            bus.append(AT, messages(b"b")),
            LocalBus(tmp_path).append(AT, messages(b"b")),
        ):
            with pytest.raises(Unavailable):
                await call
        assert await bus.size_bytes(AT) == 0
        with pytest.raises(Unavailable, match="expected the folder of a log"):
            await bus.reader({AT: first}).poll(max_bytes=1, timeout_s=0)
        folder.unlink()
        aside.rename(folder)
        await bus.append(AT, messages(b"c"))
        async with asyncio.timeout(20):
            while not (found := await reader.poll(max_bytes=1, timeout_s=1)):
                pass
    assert isinstance(found[0], Record)
    assert found[0].value == b"c"
