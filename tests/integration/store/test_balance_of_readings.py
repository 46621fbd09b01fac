"""What `fedbatch ledger verify` finds, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from deploy.command.database import verified
from services.ingest.archive.contents import sorted_unique
from shared.bus import Position, TopicPartition
from shared.domain import Gap, GapCause
from shared.store.balance import imbalances, total
from shared.store.ledger import US_PER_MINUTE
from shared.store.migrations import migrate
from shared.store.pool import open_connection
from shared.store.transaction import Content, store
from shared.wire import LedgerCounts
from tests.neighbours.made import NOON_US, made_block

if TYPE_CHECKING:
    import pytest

    from shared.settings import DatabaseSettings
    from shared.store.balance import Imbalance
    from shared.store.pool import Connection

AT = TopicPartition("plant", 0)
END = NOON_US + 60 * US_PER_MINUTE


def counts(hop: str, *numbers: int) -> LedgerCounts:
    return LedgerCounts("BR101", NOON_US, hop, (1, 2, 3), numbers)


class Stored:
    """What is stored, in order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._next: Position | None = None

    async def put(self, content: Content) -> None:
        """Store content as the next record."""
        first = self._next or Position("e", 0)
        following = Position("e", first.offset + 1)
        content = replace(content, expected=self._next, first=first, next=following)
        await store(self._connection, content, through_staging=False)
        self._next = following

    async def wrong(self) -> list[Imbalance]:
        """Return what does not add up."""
        return await imbalances(self._connection, NOON_US, END, most=100)


def empty_content() -> Content:
    return Content(AT, None, Position("e", 0), Position("e", 1), made_block(0))


async def test_readings_that_were_seen_and_are_nowhere_are_named_unless_declared(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    async with open_connection(database) as connection:
        stored = Stored(connection)
        block = sorted_unique(made_block(9))[0]
        await stored.put(replace(empty_content(), block=block, provisional=TAGS))
        assert await total(connection, NOON_US, END) == 9
        assert await stored.wrong() == []
        seen = (counts("seen", 3, 4, 5), counts("spooled", 3, 4, 4))
        repeated = (counts("duplicate", 0, 1, 0), counts("spool-lost", 0, 0, 1))
        await stored.put(replace(empty_content(), ledger=(*seen, *repeated)))
        (short,) = await stored.wrong()
        assert (short.tag, short.missing, short.minute) == (3, 1, NOON_US)
        gap = Gap("dcs", GapCause.SEQUENCE_MISSING, NOON_US, NOON_US + 1, (3,))
        await stored.put(replace(empty_content(), gaps=(gap,)))
        assert await stored.wrong() == []


TAGS = dict.fromkeys((1, 2, 3), "dcs")


async def test_a_reading_that_went_from_the_table_is_found_by_the_command(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(database)
    monkeypatch.setenv(
        "FEDBATCH_COMMAND_DATABASE__DSN", database.dsn.get_secret_value()
    )
    monkeypatch.setenv("FEDBATCH_COMMAND_DATABASE__NAMESPACE", database.namespace)
    block = made_block(6)
    block = replace(block, tag=np.full(6, 2, np.int32))
    async with open_connection(database) as connection:
        content = replace(empty_content(), block=sorted_unique(block)[0])
        await Stored(connection).put(content)
        said, agrees = await verified(None, 3650)
        assert agrees, said
        await connection.execute("delete from reading where value = 0")
        said, agrees = await verified(None, 3650)
    assert not agrees
    assert "tag 2, 2026-01-01T12:00Z: ledger 6, stored 5" in said
