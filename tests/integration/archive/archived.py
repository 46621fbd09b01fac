"""An archiver under test: its log, its settings, its process, and what it stored."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from services.ingest.archive.settings import ArchiverSettings
from shared.bus import TopicPartition
from shared.bus.local import LocalBus
from shared.configuration import create_topics
from shared.settings import BusSettings, Timeouts
from shared.store.pool import open_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import timedelta
    from pathlib import Path

    from shared.settings import DatabaseSettings

T = TypeVar("T")

PATIENCE_S = 60.0
PARTITIONS = 2


@asynccontextmanager
async def open_log(folder: Path) -> AsyncIterator[LocalBus]:
    """Own a local log with every topic."""
    async with LocalBus(folder / "log") as bus:
        await create_topics(bus, PARTITIONS)
        yield bus


def settings_of(
    folder: Path, database: DatabaseSettings, latest_every: timedelta
) -> ArchiverSettings:
    """Return settings of an archiver in this process."""
    return ArchiverSettings(
        bus=BusSettings(url=f"local:{folder}/log", partitions=PARTITIONS),
        database=database,
        timeouts=Timeouts(),
        latest_every=latest_every,
    )


@asynccontextmanager
async def archiver_process(
    folder: Path, database: DatabaseSettings, bus: BusSettings | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Own an archiver in a process of its own; its log lines go to `archiver.log`."""
    environment = {
        "PATH": os.environ["PATH"],
        "FEDBATCH_ARCHIVER_BUS__URL": f"local:{folder}/log" if bus is None else bus.url,
        "FEDBATCH_ARCHIVER_BUS__PREFIX": "" if bus is None else bus.prefix,
        "FEDBATCH_ARCHIVER_BUS__PARTITIONS": str(PARTITIONS),
        "FEDBATCH_ARCHIVER_DATABASE__DSN": database.dsn.get_secret_value(),
        "FEDBATCH_ARCHIVER_DATABASE__NAMESPACE": database.namespace,
    }
    with (folder / "archiver.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.ingest.archive"),
            env=environment,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """Return the first look that holds; fail with the last one after a minute."""
    found = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await look()
                if holds(found):
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"after {PATIENCE_S} s: {found!r}") from None


async def value_of(database: DatabaseSettings, query: str) -> object:
    """Return the one value of a query."""
    async with open_connection(database) as connection:
        return await connection.fetchval(query)


async def stored_count(database: DatabaseSettings, count: int) -> None:
    """Wait until that many readings are stored, and fail when there are more."""
    query = "select count(*) from reading"

    def enough(found: object) -> bool:
        return isinstance(found, int) and found >= count

    assert await until(lambda: value_of(database, query), enough) == count


def plant(partition: int) -> TopicPartition:
    """Return a partition of topic `plant`."""
    return TopicPartition("plant", partition)
