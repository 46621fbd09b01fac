"""A journal in a real database, and the process that pushes it."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.api.notify.service import notify
from services.api.notify.settings import NotifierSettings
from shared.store.events import Said, identity, store_events
from shared.store.migrations import migrate
from shared.store.pool import open_connection

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Iterator

    from shared.events import AlarmTransition
    from shared.settings import DatabaseSettings

T0 = 1_790_000_000_000_000
"""Event time of the tests, us UTC."""


@dataclass
class Journal:
    """Transitions, stored as the archiver stores them."""

    database: DatabaseSettings
    ids: list[str] = field(default_factory=list)
    _offsets: Iterator[int] = field(default_factory=itertools.count)

    async def add(self, *said: AlarmTransition) -> None:
        """Store transitions in one transaction."""
        places = [f"epoch/0/{next(self._offsets)}" for _ in said]
        async with (
            open_connection(self.database) as connection,
            connection.transaction(),
        ):
            await store_events(connection, map(Said, places, said))
        self.ids += [identity(each) for each in said]

    async def value(self, query: str) -> Any:
        async with open_connection(self.database) as connection:
            return await connection.fetchval(query)

    async def until(self, query: str, expected: object) -> None:
        """Wait until the query's value is the expected one."""
        async with asyncio.timeout(60), open_connection(self.database) as connection:
            while await connection.fetchval(query) != expected:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def registered(self, target: str) -> None:
        """Wait until pushes are put for a target."""
        where = f"from push_target where active and name = '{target}'"
        await self.until(f"select count(*) {where}", 1)


@asynccontextmanager
async def journal(database: DatabaseSettings) -> AsyncIterator[Journal]:
    """Give a migrated database without alarms."""
    await migrate(database)
    yield Journal(database)


def settings(database: DatabaseSettings, **more: Any) -> NotifierSettings:
    """Return settings that look often and lose no time."""
    quick = {"look": "PT0.05S", "longest_pause": "PT0.2S"}
    return NotifierSettings(database=database, **(quick | more))


@asynccontextmanager
async def notifying(settings: NotifierSettings) -> AsyncIterator[None]:
    """Push for the length of the block."""
    task = asyncio.create_task(notify(settings))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def process(database: DatabaseSettings, url: str, secret: str) -> Process:
    """Start `python -m services.api.notify` with one webhook named `it`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FEDBATCH_")}
    own = {
        "DATABASE__DSN": database.dsn.get_secret_value(),
        "DATABASE__NAMESPACE": database.namespace,
        "WEBHOOKS__IT__URL": url,
        "WEBHOOKS__IT__SECRET": secret,
        "LOOK": "PT0.05S",
        "STOP_WITH_PARENT": "true",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.api.notify"),
        env=clean | {f"FEDBATCH_NOTIFIER_{key}": value for key, value in own.items()},
    )


async def kill(process: Process) -> None:
    """End a process without any warning."""
    process.kill()
    await process.wait()


@asynccontextmanager
async def nothing_is_noted(journal: Journal) -> AsyncIterator[None]:
    """Keep whoever sends from noting a delivery, for the length of the block."""
    async with (
        open_connection(journal.database) as connection,
        connection.transaction(),
    ):
        await connection.execute("select 1 from push for update")
        yield
