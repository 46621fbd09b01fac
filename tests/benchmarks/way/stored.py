"""Asks the database what arrived and compares it with what was sent."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.benchmarks.way.found import (
    POSTGRES_EPOCH_US,
    Comparison,
    Stretch,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.way.site_plan import SitePlan
    from tests.system.site import Variant

SETTLE_S = 180.0
_STEP = timedelta(seconds=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS = """
select tag, time, value from reading
where tag > $1 and tag <= $2 and time >= $3 and time < $4"""
_BYTES = """
select (select sum(pg_total_relation_size(part)) from
        (select 'reading'::regclass union
         select inhrelid from pg_inherits where inhparent = 'reading'::regclass)
        as parts (part))::float8
       / greatest((select sum(rows) from block), 1)::float8"""


@dataclass(frozen=True, slots=True)
class Found:
    """How the stored readings compare with those sent."""

    sent: int
    lost: int
    twice: int
    strange: int
    gaps: int
    """Rows of declared gaps."""
    bytes_each: float = 0.0
    """Of the table with its index, per stored reading."""


def stretches(plan: SitePlan, sent: Sequence[Mapping[str, Any]]) -> list[Stretch]:
    """Return what each server sent."""
    return [
        Stretch(
            plan.items_of(number).start,
            len(plan.items_of(number)),
            each["first"],
            each["last"],
            plan.period_us,
        )
        for number, each in enumerate(sent)
    ]


def settled(
    variant: Variant, plan: SitePlan, sent: Sequence[Mapping[str, Any]]
) -> float:
    """Wait until the last tick of every vessel is stored; return seconds it took."""
    return asyncio.run(_settled(variant, plan, sent))


async def _settled(
    variant: Variant, plan: SitePlan, sent: Sequence[Mapping[str, Any]]
) -> float:
    began = time.monotonic()
    connection = await _connect(variant)
    wanted = sum(stretch.items for stretch in stretches(plan, sent))
    since = min(s["last"] for s in sent) * plan.period_us
    query = "select count(distinct tag) from reading where tag < $1 and time >= $2"
    try:
        while time.monotonic() - began < SETTLE_S:
            found = await connection.fetchval(query, 10**9, _moment(since))
            if found >= wanted:
                break
            await asyncio.sleep(0.25)
        return time.monotonic() - began
    finally:
        await connection.close()


def compare(
    variant: Variant, plan: SitePlan, sent: Sequence[Mapping[str, Any]]
) -> Found:
    """Read everything back and compare it."""
    return asyncio.run(_compare(variant, plan, sent))


async def _compare(
    variant: Variant, plan: SitePlan, sent: Sequence[Mapping[str, Any]]
) -> Found:
    connection = await _connect(variant)
    lost = twice = strange = total = 0
    try:
        gaps = await connection.fetchval("select count(*) from gap")
        bytes_each = await connection.fetchval(_BYTES)
        for stretch in stretches(plan, sent):
            comparison = Comparison(stretch)
            await _add_stored(connection, stretch, comparison)
            total += stretch.readings
            lost += comparison.lost
            twice += comparison.twice
            strange += comparison.strange
    finally:
        await connection.close()
    return Found(total, lost, twice, strange, gaps, bytes_each)


async def _add_stored(
    connection: asyncpg.Connection[Any], stretch: Stretch, comparison: Comparison
) -> None:
    at = _moment((stretch.first - 1) * stretch.period_us)
    end = _moment((stretch.last + 2) * stretch.period_us)
    first, last = stretch.start, stretch.start + stretch.items
    while at < end:
        pieces: list[bytes] = []

        async def keep(piece: bytes, pieces: list[bytes] = pieces) -> None:
            pieces.append(bytes(piece))

        arguments = (first, last, at, min(at + _STEP, end))
        await connection.copy_from_query(
            _ROWS, *arguments, output=keep, format="binary"
        )
        rows = rows_of(b"".join(pieces))
        time_us = rows["time"].astype("i8") + POSTGRES_EPOCH_US
        comparison.add(rows["tag"], time_us, rows["value"].astype("f8"))
        at += _STEP


async def _connect(variant: Variant) -> asyncpg.Connection[Any]:
    return await asyncpg.connect(
        variant.dsn, server_settings={"search_path": variant.namespace}
    )


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
