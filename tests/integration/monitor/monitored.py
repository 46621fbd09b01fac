"""A monitor under test: its log, its process, and what it published."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.monitor.publish import CAUSE_HEADER, stored
from services.monitor.replay import journal
from shared.bus import TopicPartition
from shared.bus.local import LocalBus
from shared.configuration import create_topics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from shared.bus import Bus, Message
    from shared.settings import BusSettings
    from shared.wire_events import Event

PATIENCE_S = 60.0
PARTITIONS = 2
EVER = 2**62
WHOLE = "2026-01-01T00:00:00Z to 2026-01-03T00:00:00Z"
"""The days that `replay_command` compares: those of the story."""


@asynccontextmanager
async def open_log(folder: Path) -> AsyncIterator[LocalBus]:
    """Own a local log with every topic."""
    async with LocalBus(folder / "log") as bus:
        await create_topics(bus, PARTITIONS)
        yield bus


@asynccontextmanager
async def monitor_process(
    folder: Path, bus: BusSettings | None = None, *, checkpoint_every: str = "PT5S"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Own a monitor in a process of its own; its log lines go to `monitor.log`."""
    environment = {
        "PATH": os.environ["PATH"],
        "FEDBATCH_MONITOR_BUS__URL": f"local:{folder}/log" if bus is None else bus.url,
        "FEDBATCH_MONITOR_BUS__PREFIX": "" if bus is None else bus.prefix,
        "FEDBATCH_MONITOR_BUS__PARTITIONS": str(PARTITIONS),
        "FEDBATCH_MONITOR_STATE": str(folder / "state"),
        "FEDBATCH_MONITOR_CHECKPOINT_EVERY": checkpoint_every,
    }
    with (folder / "monitor.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.monitor"), env=environment, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def replay_command(url: str, prefix: str = "") -> tuple[int, str]:
    """Run `fedbatch replay` over the story; return its exit code and what it says."""
    words = ("replay", "--from", "2026-01-01T00:00Z", "--to", "2026-01-03T00:00Z")
    environment = {
        "PATH": os.environ["PATH"],
        "FEDBATCH_COMMAND_BUS__URL": url,
        "FEDBATCH_COMMAND_BUS__PREFIX": prefix,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.command", *words),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode or 0, said.decode()


def plant(partition: int = 0) -> TopicPartition:
    """Return a partition of topic `plant`."""
    return TopicPartition("plant", partition)


def events(partition: int = 0) -> TopicPartition:
    """Return a partition of topic `events`."""
    return TopicPartition("events", partition)


async def published(bus: Bus, partition: int = 0) -> list[tuple[str, bytes]]:
    """Return (cause, value) of what the records of `plant` caused, in order.

    Without the epoch, which is another one in every log.
    """
    found = []
    async for record in stored(bus, events(partition), None):
        cause = record.headers.get(CAUSE_HEADER)
        if cause is not None:
            found.append((cause.partition(":")[2], record.value))
    return found


async def seen_up_to(bus: Bus, count: int, partition: int = 0) -> None:
    """Wait until that many events were published; fail after a minute."""
    found = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            while found < count:
                found = len(await published(bus, partition))
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"after {PATIENCE_S} s: {found} of {count}") from None


async def said_live(bus: Bus) -> list[Event]:
    """Return the whole live journal."""
    return await journal(bus, 0, EVER)


async def append(
    bus: Bus, messages: Sequence[Message], partition: int = 0, pause_s: float = 0.0
) -> None:
    """Append records in pieces, as a collector does, with a pause after each."""
    for first in range(0, len(messages), 3):
        await bus.append(plant(partition), messages[first : first + 3])
        await asyncio.sleep(pause_s)
