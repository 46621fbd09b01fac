"""The local log between real processes: together, killed, frozen, and out of disk."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.bus import Message, Position, Record, TopicPartition
from shared.bus.local import LocalBus
from shared.domain import Unavailable

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

AT = TopicPartition("plant", 0)
PATIENCE_S = 60.0
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    async with LocalBus(tmp_path) as bus:
        await bus.create_topic("plant", 1)
    return tmp_path


@asynccontextmanager
async def process(*arguments: object) -> AsyncIterator[Process]:
    """Run log_process; kill it at the end if it still runs."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.bus.log_process",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGCONT)
            started.kill()
        await started.wait()


async def line(started: Process) -> str:
    """Return the process's next line; empty at its end."""
    assert started.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        return (await started.stdout.readline()).decode().strip()


async def wait_for(started: Process, expected: str) -> None:
    """Read lines up to the expected one."""
    while (said := await line(started)) != expected:
        assert said, f"the process ended before it said {expected!r}"


async def read_all(root: Path) -> list[Record]:
    """Return every record; fail on damage."""
    records: list[Record] = []
    async with LocalBus(root) as bus:
        head = await bus.head(AT)
        async with bus.reader({AT: await bus.start(AT)}) as reader:
            while len(records) < head.offset:
                for found in await reader.poll(max_bytes=1 << 20, timeout_s=5):
                    assert isinstance(found, Record), found
                    records.append(found)
    return records


async def test_several_processes_append_while_another_reads(root: Path) -> None:
    calls = 60
    async with (
        process("append", root, "a", calls) as one,
        process("append", root, "b", calls) as two,
        process("consume", root, "reader", 10) as reader,
    ):
        await wait_for(reader, "owns 1")
        read = [await line(reader) for _ in range(2 * 3 * calls)]
        assert await one.wait() == await two.wait() == 0
    for name in "ab":
        mine = [value for value in read if value.startswith(name)]
        assert mine == [f"{name}-{call}" for call in range(calls) for _ in range(3)]
    stored = [record.value.decode() for record in await read_all(root)]
    assert stored == read
    assert all(len(set(stored[at : at + 3])) == 1 for at in range(0, len(stored), 3))


async def test_what_a_killed_process_called_durable_is_stored(root: Path) -> None:
    said: dict[int, str] = {}
    for life in range(3):
        async with process("append", root, f"life{life}", 10_000) as appending:
            for _ in range(20):
                offset, value = (await line(appending)).split()
                said[int(offset)] = value
            appending.kill()
            await appending.wait()
    stored = {r.position.offset: r.value.decode() for r in await read_all(root)}
    assert said.items() <= stored.items()
    assert sorted(stored) == list(range(len(stored)))


async def test_a_killed_owner_is_replaced_within_seconds(root: Path) -> None:
    async with LocalBus(root) as bus:
        await bus.append(AT, [Message({}, b"first")])
        async with (
            process("consume", root, "one", 600) as one,
            process("consume", root, "two", 600) as two,
        ):
            await wait_for(one, "ready")
            await wait_for(two, "ready")
            owner, other = await which_owns(one, two)
            await wait_for(owner, "first")
            owner.kill()
            await owner.wait()
            killed = time.monotonic()
            await wait_for(other, "owns 1")
            assert time.monotonic() - killed < 5
            await bus.append(AT, [Message({}, b"second")])
            await wait_for(other, "second")


async def which_owns(one: Process, two: Process) -> tuple[Process, Process]:
    """Return the process that owns the partition, and the other."""
    waits = {asyncio.create_task(wait_for(each, "owns 1")): each for each in (one, two)}
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(waits)
    owner = waits[done.pop()]
    return owner, two if owner is one else one


async def test_a_frozen_owner_loses_its_lease_and_does_not_go_on(root: Path) -> None:
    lease_s = 1.0
    async with (
        LocalBus(root, lease_s=lease_s) as bus,
        process("consume", root, "one", lease_s) as frozen,
    ):
        await wait_for(frozen, "owns 1")
        frozen.send_signal(signal.SIGSTOP)
        await bus.append(AT, [Message({}, b"a")])
        async with bus.consumer("archiver", ["plant"], member="two") as other:
            async with asyncio.timeout(PATIENCE_S):
                while not await other.poll(max_bytes=1000, timeout_s=0.2):
                    pass
            frozen.send_signal(signal.SIGCONT)
            assert await line(frozen) == "owns 0"


async def test_a_second_process_of_one_member_name_fences_the_first(
    root: Path,
) -> None:
    async with process("consume", root, "one", 10) as first:
        await wait_for(first, "owns 1")
        async with process("consume", root, "one", 10) as second:
            await wait_for(second, "owns 1")
            await wait_for(first, "fenced")
            assert await first.wait() == 0


async def test_a_full_disk_refuses_an_append_and_keeps_what_was_stored(
    root: Path,
) -> None:
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with LocalBus(root) as bus:
        await bus.append(AT, [Message({}, b"kept")])
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, unlimited[1]))
        try:
            with pytest.raises(Unavailable, match="2 records not acknowledged"):
                await bus.append(AT, [Message({}, os.urandom(1 << 20))] * 2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
            signal.signal(signal.SIGXFSZ, ignored)
        head = await bus.head(AT)
        assert await bus.append(AT, [Message({}, b"after")]) == head
    assert [record.value for record in await read_all(root)] == [b"kept", b"after"]
    assert head == Position(head.epoch, 1)
