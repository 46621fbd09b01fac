"""From a real log to a real database: every kind of record, good and bad."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from services.ingest.archive.service import run_archiver
from shared.bus import Message, Record, TopicPartition
from shared.configuration import apply_configuration
from shared.domain import (
    US_PER_S,
    Actual,
    Desired,
    Gap,
    GapCause,
    Origin,
    SubscriptionState,
)
from shared.readings import Block
from shared.store.migrations import migrate
from shared.store.moments import microseconds
from shared.store.pool import open_connection
from shared.wire import (
    Clock,
    decode_readings,
    encode_clock,
    encode_gap,
    encode_subscriptions,
)
from shared.wire_filled import Filled, encode_filled
from tests.integration.archive.archived import (
    open_log,
    plant,
    settings_of,
    stored_count,
    until,
    value_of,
)
from tests.neighbours.made import NOON_US, PLANT, made_block, made_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from shared.bus.local import LocalBus
    from shared.settings import DatabaseSettings

LETTERS = TopicPartition("dead-letter", 0)
SOON = timedelta(milliseconds=100)


@asynccontextmanager
async def archiving(
    folder: Path, database: DatabaseSettings, user: DatabaseSettings | None = None
) -> AsyncIterator[LocalBus]:
    """Own a log and an archiver that runs beside the test, as another user or not."""
    await migrate(database)
    async with open_log(folder) as bus:
        settings = settings_of(folder, user or database, latest_every=SOON)
        task = asyncio.create_task(run_archiver(settings))
        try:
            yield bus
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def text_block(rows: list[tuple[int, int, str]]) -> Block:
    """Return readings of text: tag, seconds after noon, text."""
    tags, seconds, texts = zip(*rows, strict=True)
    time = NOON_US + np.array(seconds, np.int64) * US_PER_S
    return replace(
        made_block(len(rows)),
        tag=np.array(tags, np.int32),
        time=time,
        value=np.full(len(rows), np.nan),
        received=time,
        text=pa.array(texts, pa.string()),
    )


async def letters(bus: LocalBus) -> list[Record]:
    """Return every dead letter."""
    start, head = await bus.start(LETTERS), await bus.head(LETTERS)
    found: list[Record] = []
    async with bus.reader({LETTERS: start}) as reader:
        while len(found) < head.offset - start.offset:
            for item in await reader.poll(max_bytes=1 << 20, timeout_s=5):
                assert isinstance(item, Record)
                found.append(item)
    return found


async def test_readings_of_every_origin_are_stored_once(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    async with archiving(tmp_path, database) as bus:
        for partition in (0, 1):
            block = made_block(600, first=600 * partition)
            first = block.take(np.arange(400))
            await bus.append(
                plant(partition),
                [
                    made_message(first),
                    made_message(block, Origin.REPUBLISHED),
                    made_message(first),
                ],
            )
        again = made_message(made_block(1200), Origin.BACKFILL)
        await bus.append(TopicPartition("backfill", 1), [again])
        await bus.append(plant(0), [made_message(made_block(3, first=1200))])
        await stored_count(database, 1203)
        done = "select coalesce(sum(next_offset), 0) from position"
        await until(lambda: value_of(database, done), lambda n: n == 8)
        await stored_count(database, 1203)
        counted = "select sum(count) from ledger where hop = $$duplicate$$"
        assert await value_of(database, counted) == 2 * 800 + 1200


async def test_a_configuration_names_vessels_tags_and_batches(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    async with archiving(tmp_path, database) as bus:
        await bus.append(plant(0), [made_message(made_block(9, tags=9))])
        await stored_count(database, 9)
        flagged = "select count(*) from tag where provisional"
        assert await value_of(database, flagged) == 9
        await apply_configuration(bus, PLANT, source="p", actor="me", now=NOON_US)
        rows = [(5, 0, "mAb-1"), (4, 0, "B-001"), (4, 90, "B-002"), (5, 95, "mAb-2")]
        await bus.append(plant(0), [made_message(text_block([row])) for row in rows])
        await stored_count(database, 13)
        async with open_connection(database) as connection:
            batches = await connection.fetch("select * from batch order by batch")
            assert [tuple(row)[:3] for row in batches] == [
                ("BR101", "B-001", "mAb-1"),
                ("BR101", "B-002", "mAb-2"),
            ]
            tags = await connection.fetch(
                "select id, name, server from tag where not provisional order by id"
            )
            assert [tuple(row) for row in tags] == [
                (1, "TIC-101.PV", "dcs"),
                (2, "AIC-101.PV", "pat"),
                (3, "LIC-101.PV", "dcs"),
                (4, "BATCH", "dcs"),
                (5, "PRODUCT", "dcs"),
                (98, "Heartbeat", "pat"),
                (99, "Heartbeat", "dcs"),
            ]
        wider = PLANT.replace("[0, 60]", "[0, 80]").replace("suite-1", "suite-2")
        later = NOON_US + 3600 * US_PER_S
        await apply_configuration(bus, wider, source="p", actor="me", now=later)
        versions = "select count(*) from tag where id in (1, 2)"
        await until(lambda: value_of(database, versions), lambda n: n == 3)
        assert await value_of(database, "select area from vessel") == "suite-2"


async def test_control_records_are_stored_in_order(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    gap = Gap("dcs", GapCause.SERVER_UNREACHABLE, NOON_US, None)
    refused = SubscriptionState(
        1, Desired.SUBSCRIBED, Actual.REFUSED, NOON_US, "BadNodeIdUnknown"
    )
    granted = replace(refused, actual=Actual.SUBSCRIBED, error="")
    async with archiving(tmp_path, database) as bus:
        records = [
            encode_gap(gap),
            encode_clock(Clock(NOON_US, {})),
            encode_subscriptions("dcs", [refused]),
            encode_gap(replace(gap, end=NOON_US + US_PER_S)),
            encode_subscriptions("dcs", [granted]),
        ]
        await bus.append(plant(1), [Message(*record) for record in records])
        done = "select next_offset from position where partition = 1"
        await until(lambda: value_of(database, done), lambda n: n == 5)
        closed = "select count(*) from gap where until - since = interval '1 s'"
        assert await value_of(database, closed) == 1
        assert (
            await value_of(database, "select actual from subscription") == "subscribed"
        )


async def test_a_gap_is_filled_when_every_share_is_stored_in_whatever_order(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    end = NOON_US + 9 * US_PER_S
    gap = Gap("dcs", GapCause.SERVER_UNREACHABLE, NOON_US, end, detail="cable")
    shares = [
        Message(*encode_filled(Filled(gap, n, (0, 1), (), 12, 5))) for n in (0, 1)
    ]
    told = text_block([(4, 2, "B-000"), (4, 5, "B-001")])
    async with archiving(tmp_path, database) as bus:
        await apply_configuration(bus, PLANT, source="p", actor="me", now=NOON_US)
        now = made_message(text_block([(4, 20, "B-002")]))
        await bus.append(plant(0), [made_message(made_block(6)), now])
        await stored_count(database, 7)
        fetched = made_message(made_block(12), Origin.BACKFILL)
        context = made_message(told, Origin.BACKFILL)
        await bus.append(TopicPartition("backfill", 0), [fetched, context, shares[0]])
        await stored_count(database, 15)
        state = "select fill_parts || array[(filled is null)::int] from gap"
        await until(lambda: value_of(database, state), lambda row: row == [0, 1])
        await bus.append(plant(0), [Message(*encode_gap(gap))])
        await bus.append(TopicPartition("backfill", 1), [shares[1]])
        await until(lambda: value_of(database, state), lambda row: row == [0, 1, 0])
        await bus.append(plant(0), [made_message(text_block([(4, 21, "B-002")]))])
        await stored_count(database, 16)
        batches = "select array_agg(batch order by batch) from batch"
        assert await value_of(database, batches) == ["B-000", "B-001", "B-002"]
        first = "select extract(epoch from first_seen) from batch where batch = 'B-002'"
        assert await value_of(database, first) == NOON_US // US_PER_S + 20
        longer = replace(gap, end=end + US_PER_S)
        await bus.append(plant(0), [Message(*encode_gap(longer))])
        grown = "select filled is null and fill_parts = '{}' from gap"
        await until(lambda: value_of(database, grown), lambda row: row is True)


async def test_what_cannot_be_stored_is_kept_as_a_dead_letter(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    day = 86_400 * US_PER_S
    good = made_block(8)
    time = good.time.copy()
    time[:3] = [0, -(2**63), NOON_US + 2 * day]
    received = good.received.copy()
    received[3] = 2**63 - 1
    texts = [None, None, None, None, "a\0b", "fine", None, None]
    block = replace(good, time=time, received=received, text=pa.array(texts))
    rubbish = made_message(good)
    broken_gap = Gap("dcs", GapCause.SPOOL_FULL, 2**62, None)
    async with archiving(tmp_path, database) as bus:
        await bus.append(
            plant(0),
            [
                made_message(block),
                Message(rubbish.headers, rubbish.value[:40]),
                Message({"kind": "surprise"}, b"x" * 100_000),
                Message(*encode_gap(broken_gap)),
                made_message(made_block(3, first=100)),
            ],
        )
        await stored_count(database, 6)
        rows = "select sum(rows) from quarantine"
        assert await value_of(database, rows) == 5
        assert await value_of(database, "select count(*) from quarantine") == 7
        found = await letters(bus)
    by_offset = {letter.headers["offset"] for letter in found}
    assert by_offset == {"0", "1", "2", "3"}
    whole = next(one for one in found if "surprise" in one.headers["reason"])
    assert whole.headers["sha256"] == hashlib.sha256(b"x" * 100_000).hexdigest()
    assert (len(whole.value), whole.headers["bytes"]) == (65_536, "100000")
    old = next(one for one in found if "before 2000" in one.headers["reason"])
    original = {
        name.removeprefix("original-"): text
        for name, text in old.headers.items()
        if name.startswith("original-")
    }
    assert decode_readings(original, old.value)[1].time.tolist() == [0, -(2**63)]


async def test_the_newest_reading_of_each_tag_is_kept_for_restarts(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    async with archiving(tmp_path, database) as bus:
        await bus.append(plant(0), [made_message(made_block(30, first=300))])
        value = "select sum(value) from latest"
        wanted = sum(n / 8 for n in (327, 328, 329))
        await until(lambda: value_of(database, value), lambda found: found == wanted)
        await bus.append(plant(0), [made_message(made_block(30))])
        await stored_count(database, 60)
        await bus.append(plant(0), [made_message(made_block(1, first=330))])
        later = wanted + 3 / 8
        await until(lambda: value_of(database, value), lambda found: found == later)


def flip_a_byte(folder: Path, block: Block) -> None:
    """Change one byte of the values of a block in the log's files."""
    flip_bytes(folder, block.value[100:104].tobytes())


def flip_bytes(folder: Path, wanted: bytes) -> None:
    """Change the first one of these bytes in the log's files."""
    holders = [file for file in folder.iterdir() if wanted in file.read_bytes()]
    (file,) = holders
    image = bytearray(file.read_bytes())
    image[image.find(wanted)] ^= 0xFF
    file.write_bytes(image)


async def test_damaged_records_are_a_gap_of_every_server_of_the_partition(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    await migrate(database)
    async with open_log(tmp_path) as bus:
        await apply_configuration(bus, PLANT, source="p", actor="me", now=NOON_US)
        for n in range(3):
            message = made_message(made_block(300, first=300 * n))
            await bus.append(plant(0), [message])
    flip_a_byte(tmp_path / "log" / "plant" / "0", made_block(300, first=300))
    async with archiving(tmp_path, database):
        await stored_count(database, 600)
        async with open_connection(database) as connection:
            gaps = await connection.fetch("select * from gap order by server")
            assert [(g["server"], g["cause"]) for g in gaps] == [
                ("dcs", "log-damaged"),
                ("pat", "log-damaged"),
            ]
            assert all(g["since"] <= g["until"] for g in gaps)
            lost = made_block(300, first=300).time
            assert all(microseconds(g["since"]) <= lost.min() for g in gaps)
            reasons = await connection.fetch("select record, reason from quarantine")
            assert [row["record"] for row in reasons] == [2]
