"""The transaction that stores readings, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from services.ingest.archive.contents import sorted_unique
from shared.bus import Fenced, Position, TopicPartition
from shared.domain import US_PER_S, Gap, GapCause
from shared.readings import NO_SERVER_TIME, Block
from shared.store.acceptance import EARLIEST_US
from shared.store.ledger import counted, recount, seal
from shared.store.migrations import migrate
from shared.store.moments import microseconds
from shared.store.pool import open_connection
from shared.store.transaction import (
    AlreadyStored,
    Content,
    ContentRefused,
    Quarantined,
    load_positions,
    store,
)
from shared.wire import LedgerCounts
from tests.neighbours.made import NOON_US, made_block

if TYPE_CHECKING:
    from shared.settings import DatabaseSettings
    from shared.store.pool import Connection

AT = TopicPartition("plant", 0)
ALL_TIME = (EARLIEST_US, NOON_US + 400 * 86_400 * US_PER_S)


def content_of(
    block: Block, first: int, count: int = 1, epoch: str = "e1", *, new: bool = False
) -> Content:
    """Return the content of `count` records from offset `first` on."""
    return Content(
        at=AT,
        expected=None if new else Position(epoch, first),
        first=Position(epoch, first),
        next=Position(epoch, first + count),
        block=sorted_unique(block)[0],
    )


async def stored_rows(connection: Connection) -> list[tuple[object, ...]]:
    """Return every reading as our columns, by (tag, time, tie)."""
    rows = await connection.fetch("select * from reading order by tag, time, tie")
    return [
        (
            row["tag"],
            microseconds(row["time"]),
            row["value"],
            row["text"],
            row["status"] & 0xFFFFFFFF,
            row["tie"],
            microseconds(row["received"]),
            row["server"],
        )
        for row in rows
    ]


def rows_of(block: Block) -> list[tuple[object, ...]]:
    """Return the same of a block."""
    block, _ = sorted_unique(block)
    texts = [None] * len(block) if block.text is None else block.text.to_pylist()
    values = [None if np.isnan(v) else v for v in block.value.tolist()]
    columns = (block.tag.tolist(), block.time.tolist(), values, texts)
    rest = (block.status, block.tie, block.received, block.server)
    return list(zip(*columns, *(column.tolist() for column in rest), strict=True))


def extremes() -> Block:
    """Return readings at the ends of what each column may hold."""
    time = [EARLIEST_US, EARLIEST_US + 1, NOON_US, NOON_US, NOON_US, NOON_US]
    value = [np.nan, -0.0, np.inf, -np.inf, 5e-324, 1.7976931348623157e308]
    texts = [
        "",
        "\N{SNOWMAN} \U0001f9ea" * 1000,
        None,
        "NaN",
        "18446744073709551615",
        None,
    ]
    return Block(
        tag=np.array([1, 2**31 - 1, 1, 1, 2, 3], np.int32),
        time=np.array(time, np.int64),
        value=np.array(value),
        status=np.array(
            [0xFFFFFFFF, 0x80000000, 0, 0x40000000, 0x7FFFFFFF, 1], np.uint32
        ),
        tie=np.array([-(2**31), 2**31 - 1, -1, 0, 1, -2], np.int32),
        received=np.array(time, np.int64) + 5,
        server=np.array([NO_SERVER_TIME, 2**31 - 1, 0, -1, 1, 7], np.int32),
        text=pa.array(texts, pa.string()),
    )


async def test_every_column_comes_back_bit_for_bit(database: DatabaseSettings) -> None:
    await migrate(database)
    block = extremes()
    for staging in (False, True):
        async with open_connection(database) as connection:
            await connection.execute("truncate reading, position, block")
            content = content_of(block, 0, new=True)
            outcome = await store(connection, content, through_staging=staging)
            assert outcome.stored == 6
            assert await stored_rows(connection) == rows_of(block)


async def test_the_same_records_cannot_be_stored_twice(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    content = content_of(made_block(90), 0, new=True)
    async with open_connection(database) as connection:
        await store(connection, content, through_staging=False)
        with pytest.raises(Fenced, match=r"plant-0 offsets 0 to 0: expected .*None"):
            await store(connection, content, through_staging=True)
        assert len(await stored_rows(connection)) == 90


async def test_a_second_archiver_fences_the_first(database: DatabaseSettings) -> None:
    await migrate(database)
    async with open_connection(database) as one, open_connection(database) as other:
        await store(one, content_of(made_block(30), 0, new=True), through_staging=False)
        taken = content_of(made_block(30, first=30), 1)
        await store(other, taken, through_staging=False)
        with pytest.raises(Fenced):
            await store(one, taken, through_staging=False)
        assert await load_positions(one, [AT]) == {AT: Position("e1", 2)}
        with pytest.raises(Fenced):
            await store(
                one, content_of(made_block(9), 2, epoch="e2"), through_staging=False
            )


async def test_a_repeat_is_noticed_by_copy_and_dropped_by_staging(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    async with open_connection(database) as connection:
        await store(
            connection, content_of(made_block(60), 0, new=True), through_staging=False
        )
        overlapping = content_of(made_block(60, first=40), 1)
        with pytest.raises(AlreadyStored):
            await store(connection, overlapping, through_staging=False)
        assert len(await stored_rows(connection)) == 60
        outcome = await store(connection, overlapping, through_staging=True)
        assert (outcome.stored, outcome.duplicates) == (40, 20)
        assert await stored_rows(connection) == rows_of(made_block(100))


async def test_each_transaction_has_a_generation_of_its_own(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    async with open_connection(database) as connection:
        first = await store(
            connection, content_of(made_block(30), 0, new=True), through_staging=False
        )
        second = await store(
            connection, content_of(made_block(30, first=30), 1), through_staging=True
        )
        rows = await connection.fetch(
            "select generation, count(*) from reading group by 1 order by 1"
        )
        assert [tuple(row) for row in rows] == [
            (first.generation, 30),
            (second.generation, 30),
        ]
        blocks = await connection.fetch("select * from block order by generation")
        assert [(b["first_offset"], b["next_offset"], b["rows"]) for b in blocks] == [
            (0, 1, 30),
            (1, 2, 30),
        ]


async def test_the_ledger_equals_a_recount_of_the_readings(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    async with open_connection(database) as connection:
        await store(
            connection, content_of(made_block(900), 0, new=True), through_staging=False
        )
        overlapping = content_of(made_block(900, first=600), 1)
        await store(connection, overlapping, through_staging=True)
        stored = await counted(connection, "stored", *ALL_TIME)
        assert stored == await recount(connection, *ALL_TIME)
        assert sum(stored.values()) == 1500
        again = await counted(connection, "duplicate", *ALL_TIME)
        assert sum(again.values()) == 300
        assert await seal(connection, ALL_TIME[1]) > 1
        assert await counted(connection, "stored", *ALL_TIME) == stored
        assert await seal(connection, ALL_TIME[1]) == 0


async def test_what_others_counted_is_added_up_by_vessel_in_the_view(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    counts = (
        LedgerCounts("BR101", NOON_US, "seen", (1, 2), (5, 7)),
        LedgerCounts("BR101", NOON_US, "seen", (1,), (3,)),
        LedgerCounts("BR101", NOON_US, "lost", (2,), (1,)),
    )
    async with open_connection(database) as connection:
        content = replace(content_of(made_block(0), 0, new=True), ledger=counts)
        await store(connection, content, through_staging=False)
        rows = await connection.fetch(
            "select hop, tag, count, minute from ledger order by hop, tag"
        )
        assert [tuple(row)[:3] for row in rows] == [
            ("lost", 2, 1),
            ("seen", 1, 8),
            ("seen", 2, 7),
        ]
        assert {microseconds(row["minute"]) for row in rows} == {NOON_US}


async def test_a_gap_is_extended_and_never_opened_again(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    start, end = NOON_US, NOON_US + 60 * US_PER_S
    lasting = Gap("dcs", GapCause.SERVER_UNREACHABLE, start, None, detail="refused")
    closed = replace(lasting, end=end, count=12)
    scoped = replace(closed, tags=(2, 1))
    async with open_connection(database) as connection:
        for offset, gap in enumerate((lasting, closed, lasting, scoped)):
            content = content_of(made_block(0), offset, new=offset == 0)
            await store(
                connection, replace(content, gaps=(gap,)), through_staging=False
            )
        rows = await connection.fetch("select * from gap order by id")
        assert [(r["tags"], microseconds(r["until"]), r["count"]) for r in rows] == [
            (None, end, 12),
            ([1, 2], end, 12),
        ]


async def test_content_the_database_refuses_leaves_nothing_behind(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    broken = Gap("dcs", GapCause.SPOOL_FULL, 2**63 - 1, None)
    content = replace(content_of(made_block(30), 0, new=True), gaps=(broken,))
    nul = Gap("dcs", GapCause.SPOOL_FULL, NOON_US, None, detail="a\0b")
    async with open_connection(database) as connection:
        for each in (content, replace(content, gaps=(nul,))):
            with pytest.raises(ContentRefused, match="plant-0 offsets 0 to 0"):
                await store(connection, each, through_staging=False)
        assert await stored_rows(connection) == []
        assert await load_positions(connection, [AT]) == {}


async def test_quarantined_records_are_written_once(database: DatabaseSettings) -> None:
    await migrate(database)
    quarantined = (Quarantined(0, "not understood"), Quarantined(0, "too old", 3))
    content = content_of(made_block(0), 0, new=True)
    async with open_connection(database) as connection:
        await store(
            connection,
            replace(content, quarantined=quarantined * 2),
            through_staging=False,
        )
        rows = await connection.fetch("select record, reason, rows from quarantine")
        assert sorted(map(tuple, rows)) == [
            (0, "not understood", None),
            (0, "too old", 3),
        ]


async def test_a_gap_of_thousands_of_tags_is_stored_once_and_by_its_tags(
    database: DatabaseSettings,
) -> None:
    await migrate(database)
    many = tuple(range(100_000, 107_500))
    gaps = [
        Gap("dcs", GapCause.SPOOL_FULL, NOON_US, NOON_US + end, tags, count)
        for tags, end, count in ((many, 5, 3), (many, 9, 4), (many[:-1], 7, None))
    ]
    async with open_connection(database) as connection:
        await store(
            connection,
            replace(content_of(made_block(1), 0, new=True), gaps=tuple(gaps)),
            through_staging=False,
        )
        rows = await connection.fetch(
            "select cardinality(tags) as tags, count, until from gap order by 1"
        )
    ends = [microseconds(row["until"]) - NOON_US for row in rows]
    assert [(row["tags"], row["count"]) for row in rows] == [(7_499, None), (7_500, 4)]
    assert ends == [7, 9]
