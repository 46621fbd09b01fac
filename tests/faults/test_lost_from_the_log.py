"""What spool or log lost, and only the archiver knows of, comes from history."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from services.ingest.archive.service import run_archiver
from services.ingest.opcua.subscription import utc_now
from services.ingest.spool.losses import Losses, damage_gaps
from shared.bus import Damaged, Message, Position, Record, TopicPartition
from shared.domain import GapCause, Kind
from shared.settings import DatabaseSettings
from shared.store.migrations import migrate
from shared.store.moments import microseconds
from shared.store.pool import open_connection
from shared.wire import encode_gap
from tests.integration.archive.archived import settings_of
from tests.integration.backfill.test_filling_gaps import (
    COUNT,
    Instrument,
    collecting,
)
from tests.integration.collect.collected import Collected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shared.store.pool import Connection

GONE = Position("e", 1)


def given_up(at: TopicPartition, messages: Sequence[Message]) -> list[Message]:
    """Return what a full spool leaves of its records."""
    losses = Losses(["A"], "here")
    losses.add(Record(at, GONE, 0, m.headers, m.value) for m in messages)
    return losses.messages()


def damaged(at: TopicPartition, messages: Sequence[Message]) -> list[Message]:
    """Return what the relay makes of records that it cannot read."""
    now = utc_now()
    what = Damaged(at, GONE, GONE, "checksum", now - len(messages) * 1_000, now)
    gaps = damage_gaps(what, ["A"], since=now, until=now)
    return [Message(*encode_gap(gap)) for gap in gaps]


async def until_stored(connection: Connection, instrument: Instrument) -> None:
    """Wait until all that was sent until now is stored, from the first stored on."""
    query = "select tag, time, value from reading where tag <= $1"
    sent = set(instrument.sent)
    async with asyncio.timeout(30):
        while True:
            rows = await connection.fetch(query, COUNT)
            stored = {
                (row["tag"] - 1, microseconds(row["time"]), row["value"])
                for row in rows
                if row["value"] is not None
            }
            first = min((time for _, time, _ in stored), default=0)
            if first and {one for one in sent if one[1] >= first} <= stored:
                return
            await asyncio.sleep(0.2)


async def until_filled(connection: Connection, cause: GapCause) -> None:
    """Wait until there are gaps of a cause, all filled and none in part."""
    query = "select filled, missing from gap where cause = $1"
    async with asyncio.timeout(30):
        while True:
            rows = await connection.fetch(query, cause)
            if rows and all(row["filled"] is not None for row in rows):
                assert not [row for row in rows if row["missing"]]
                return
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    ("loses", "cause"),
    [(given_up, GapCause.SPOOL_FULL), (damaged, GapCause.LOG_DAMAGED)],
    ids=["spool full", "log damaged"],
)
async def test_what_the_log_lost_is_asked_of_the_server_and_stored(
    tmp_path: Path,
    plain_dsn: str,
    fresh: str,
    loses: Callable[[TopicPartition, Sequence[Message]], list[Message]],
    cause: GapCause,
) -> None:
    database = DatabaseSettings(dsn=SecretStr(plain_dsn), namespace=fresh)
    await migrate(database)
    lost = 0
    losing = False
    async with Collected(tmp_path) as collected:

        async def append(at: TopicPartition, messages: Sequence[Message]) -> Position:
            nonlocal lost
            if losing and any(m.headers["kind"] == Kind.READINGS for m in messages):
                lost += 1
                messages = loses(at, messages)
            return await collected.bus.append(at, messages)

        collected.append = append
        async with Instrument() as instrument, collecting(collected, instrument):
            settings = settings_of(tmp_path, database, timedelta(seconds=10))
            archiver = asyncio.create_task(run_archiver(settings))
            async with open_connection(database) as connection:
                await until_stored(connection, instrument)
                losing = True
                await collected.until(lambda: lost >= 3)
                losing = False
                await instrument.quiet()
                await until_stored(connection, instrument)
                await until_filled(connection, cause)
            archiver.cancel()
            with suppress(asyncio.CancelledError):
                await archiver
