"""The embedded PostgreSQL comes back after a kill, with what was committed."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import asyncpg

from deploy.embedded.database import kept_database

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_killed_database_is_started_again_with_its_data(tmp_path: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    async with kept_database(tmp_path / "postgres", ended=said.put_nowait) as server:
        connection = await asyncpg.connect(server.dsn)
        await connection.execute(
            "create table kept (x int); insert into kept values (7)"
        )
        await connection.close()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            assert "ended with code -9" in await said.get()
            assert await said.get() == ""
            assert await _answer(server.dsn) == 7


async def _answer(dsn: str) -> int:
    """Return the stored number as soon as the database accepts connections again."""
    while True:
        try:
            connection = await asyncpg.connect(dsn)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.2)
            continue
        try:
            return int(await connection.fetchval("select x from kept"))
        finally:
            await connection.close()
