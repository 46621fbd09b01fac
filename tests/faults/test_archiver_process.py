"""The archiver as a process: killed, fenced, and left without its database."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from deploy.embedded.postgres import EmbeddedPostgres
from shared.configuration import apply_configuration
from shared.settings import DatabaseSettings
from shared.store.migrations import migrate
from shared.store.pool import open_connection
from tests.integration.archive.archived import (
    archiver_process,
    open_log,
    plant,
    stored_count,
)
from tests.neighbours.made import NOON_US, PLANT, made_block, made_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.bus.local import LocalBus

RECORDS = 120
ROWS = 250


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Return a database that this test alone may stop."""
    server = EmbeddedPostgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()
    server.discard()


async def append(bus: LocalBus, first: int, records: int = 1) -> None:
    """Append records; record n holds rows n * ROWS on, on partition n % 2."""
    for n in range(first, first + records):
        block = made_block(ROWS, first=n * ROWS)
        await bus.append(plant(n % 2), [made_message(block)])


@pytest.mark.timeout(300)
async def test_an_archiver_killed_again_and_again_stores_every_reading_once(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    await migrate(database)
    chance = random.Random(7)
    async with open_log(tmp_path) as bus:
        for round_ in range(6):
            async with archiver_process(tmp_path, database) as process:
                await append(bus, 20 * round_, 20)
                if round_ < 5:
                    await asyncio.sleep(chance.uniform(0.3, 1.6))
                    process.kill()
                    await process.wait()
                else:
                    await stored_count(database, RECORDS * ROWS)
    async with open_connection(database) as connection:
        rows = await connection.fetch("select value from reading order by value")
        assert [row["value"] for row in rows] == [n / 8 for n in range(RECORDS * ROWS)]
        counted = "select sum(count) from ledger where hop = $1"
        assert await connection.fetchval(counted, "stored") == RECORDS * ROWS
        assert await connection.fetchval(counted, "duplicate") is None


@pytest.mark.timeout(180)
async def test_an_archiver_outlives_its_database(
    tmp_path: Path, own_server: EmbeddedPostgres
) -> None:
    database = DatabaseSettings(dsn=SecretStr(own_server.dsn))
    await migrate(database)
    async with (
        open_log(tmp_path) as bus,
        archiver_process(tmp_path, database) as process,
    ):
        await append(bus, 0, 2)
        await stored_count(database, 2 * ROWS)
        for again in (1, 2):
            own_server.kill()
            await append(bus, 2 * again, 2)
            own_server.start()
            back = time.monotonic()
            await stored_count(database, (2 * again + 2) * ROWS)
            assert time.monotonic() - back < 30
        assert process.returncode is None
        process.terminate()
        assert await process.wait() == 0
    said = (tmp_path / "archiver.log").read_text()
    assert said.count("database: waiting") <= 8  # at most one a partition and outage
    assert "asyncpg" not in said


async def test_a_fenced_archiver_stops_with_code_2_and_says_why(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    await migrate(database)
    async with (
        open_log(tmp_path) as bus,
        archiver_process(tmp_path, database) as process,
    ):
        await append(bus, 0, 2)
        await stored_count(database, 2 * ROWS)
        async with open_connection(database) as connection:
            await connection.execute("update position set next_offset = 77")
        await append(bus, 2)
        assert await asyncio.wait_for(process.wait(), 60) == 2
    said = (tmp_path / "archiver.log").read_text()
    assert "archiver: Fenced: plant-0 offsets 1 to 1: expected the database" in said
    assert "Traceback" not in said


async def test_an_archiver_waits_for_the_schema(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    async with open_log(tmp_path) as bus, archiver_process(tmp_path, database):
        await append(bus, 0)
        await migrate(database)
        await stored_count(database, ROWS)


async def test_a_log_made_anew_is_a_declared_gap(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    await migrate(database)
    for life in (0, 1):
        folder = tmp_path / str(life)
        folder.mkdir()
        async with open_log(folder) as bus, archiver_process(folder, database):
            await apply_configuration(bus, PLANT, source="p", actor="me", now=NOON_US)
            await append(bus, 2 * life, 2)
            await stored_count(database, 2 * (life + 1) * ROWS)
    async with open_connection(database) as connection:
        gaps = await connection.fetch("select * from gap order by server")
        assert [(g["server"], g["cause"]) for g in gaps] == [
            ("dcs", "log-damaged"),
            ("pat", "log-damaged"),
            ("unknown", "log-damaged"),
        ]
        assert all("the database is at" in g["detail"] for g in gaps)
