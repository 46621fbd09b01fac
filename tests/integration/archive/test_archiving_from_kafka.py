"""The same archiver process on Apache Kafka: killed and started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from shared.bus.open import open_bus
from shared.configuration import create_topics
from shared.settings import BusSettings, DatabaseSettings
from shared.store.migrations import migrate
from shared.store.pool import open_connection
from tests.integration.archive.archived import (
    PARTITIONS,
    archiver_process,
    plant,
    stored_count,
    until,
    value_of,
)
from tests.neighbours.made import made_block, made_message

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 200
LIVES = 3
RECORDS = 12
"""Per life."""


async def some_stored(database: DatabaseSettings, before: int) -> None:
    """Wait until the first readings of this life are stored."""

    def more(found: object) -> bool:
        return isinstance(found, int) and found > before

    await until(lambda: value_of(database, "select count(*) from reading"), more)


@pytest.mark.kafka
@pytest.mark.timeout(300)
async def test_an_archiver_killed_on_kafka_stores_every_reading_once(
    tmp_path: Path, plain_dsn: str, kafka_bootstrap: str, fresh: str
) -> None:
    database = DatabaseSettings(dsn=SecretStr(plain_dsn), namespace=fresh)
    settings = BusSettings(
        url=f"kafka://{kafka_bootstrap}", partitions=PARTITIONS, prefix=f"{fresh}-"
    )
    await migrate(database)
    async with open_bus(settings) as bus:
        await create_topics(bus, PARTITIONS)
        for life in range(LIVES):
            async with archiver_process(tmp_path, database, settings) as process:
                for n in range(RECORDS * life, RECORDS * (life + 1)):
                    message = made_message(made_block(ROWS, first=n * ROWS))
                    await bus.append(plant(n % 2), [message])
                if life == LIVES - 1:
                    await stored_count(database, LIVES * RECORDS * ROWS)
                else:
                    await some_stored(database, RECORDS * life * ROWS)
                    process.kill()
                    await process.wait()
    async with open_connection(database) as connection:
        values = await connection.fetch("select value from reading order by value")
        everything = [n / 8 for n in range(LIVES * RECORDS * ROWS)]
        assert [row["value"] for row in values] == everything
