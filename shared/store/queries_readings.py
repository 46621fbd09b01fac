"""Reading readings: columns out of PostgreSQL's binary COPY, no object per reading.

All times are int64 us UTC. Text is fetched only for rows that have some.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.batches import Said
from shared.store.acceptance import EARLIEST_US as POSTGRES_EPOCH_US
from shared.store.acceptance import FUTURE_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.store.queries import Connection, StoredVessel

LOOK_BACK = 10_000
"""Rows that are looked through for the nearest one that is not Bad."""

_COLUMNS = (
    "time, coalesce(value, 'NaN'::float8) as value, status, tie, received,"
    " text is not null as has_text"
)
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("time_bytes", ">i4"),
        ("time", ">i8"),
        ("value_bytes", ">i4"),
        ("value", ">f8"),
        ("status_bytes", ">i4"),
        ("status", ">u4"),
        ("tie_bytes", ">i4"),
        ("tie", ">i4"),
        ("received_bytes", ">i4"),
        ("received", ">i8"),
        ("text_bytes", ">i4"),
        ("has_text", "?"),
    ]
)
_HEADER_BYTES = 19
_END_BYTES = 2
_GOOD = "status >= 0 and status < 1073741824"
"""Severity Good of a StatusCode that is kept as int4."""
_USABLE = f"{_GOOD} and (value is not null or text is not null)"


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one tag, ascending by (time, tie)."""

    time: NDArray[np.int64]
    value: NDArray[np.float64]
    """NaN where null."""
    status: NDArray[np.uint32]
    tie: NDArray[np.int32]
    received: NDArray[np.int64]
    text: NDArray[Any] | None
    """str or None per row; None when no row has text."""

    def __len__(self) -> int:
        return len(self.time)


async def recorded(
    connection: Connection,
    tag: int,
    start: int,
    end: int,
    *,
    after: tuple[int, int] | None = None,
    limit: int | None = None,
) -> Readings:
    """Return readings from `start` to `end`, both included, oldest first.

    Args:
        connection: of a `Database.read` block.
        tag: id.
        start: us UTC.
        end: us UTC.
        after: (time, tie) of the last reading already had.
        limit: most rows; None for all.
    """
    condition = f"tag = {tag:d} and time between {_at(start)} and {_at(end)}"
    if after is not None:
        condition += f" and (time, tie) > ({_at(after[0])}, {after[1]:d})"
    most = "" if limit is None else f" limit {limit:d}"
    query = f"select {_COLUMNS} from reading where {condition} order by time, tie{most}"
    return await _readings(connection, tag, query)


async def neighbours(
    connection: Connection, tag: int, start: int, end: int
) -> Readings:
    """Return the readings around a range: what stands at its ends.

    These are, on each side, all that share the nearest time outside, and the nearest
    one that is Good (among the nearest LOOK_BACK). Of a range of one instant, also
    those at it.
    """
    nearest = ", ".join(
        f"({_nearest(tag, side, condition)})"
        for side in (f"< {_at(start)}", f"> {_at(end)}")
        for condition in ("true", _USABLE)
    )
    found = await connection.fetchrow(f"select {nearest}")
    # as constants, so that the index on (tag, time, tie) serves each of them
    times = {f"'{time.isoformat()}'" for time in found or () if time is not None}
    if start == end:
        times.add(_at(start))
    if not times:
        return await recorded(connection, tag, start, end, limit=0)
    query = (
        f"select {_COLUMNS} from reading"
        f" where tag = {tag:d} and time in ({', '.join(sorted(times))})"
        " order by time, tie"
    )
    return await _readings(connection, tag, query)


def _nearest(tag: int, side: str, condition: str) -> str:
    order = "desc" if side.startswith("<") else "asc"
    return (
        "select time from ("
        f" select time, value, text, status from reading"
        f" where tag = {tag:d} and time {side} order by time {order} limit {LOOK_BACK}"
        f") as beyond where {condition} order by time {order} limit 1"
    )


async def _readings(connection: Connection, tag: int, query: str) -> Readings:
    stream = io.BytesIO()

    async def take(data: bytes) -> None:
        stream.write(data)

    await connection.copy_from_query(query, output=take, format="binary")
    body = stream.getbuffer()[_HEADER_BYTES : stream.tell() - _END_BYTES]
    rows = np.frombuffer(body, _ROW)
    time = rows["time"].astype(np.int64) + POSTGRES_EPOCH_US
    tie = rows["tie"].astype(np.int32)
    text = None
    if rows["has_text"].any():
        text = await _texts(connection, tag, time, tie, rows["has_text"])
    return Readings(
        time,
        rows["value"].astype(np.float64),
        rows["status"].astype(np.uint32),
        tie,
        rows["received"].astype(np.int64) + POSTGRES_EPOCH_US,
        text,
    )


async def _texts(
    connection: Connection,
    tag: int,
    time: NDArray[np.int64],
    tie: NDArray[np.int32],
    has_text: NDArray[np.bool_],
) -> NDArray[Any]:
    rows = np.flatnonzero(has_text)
    found = await connection.fetch(
        "select (extract(epoch from time) * 1000000)::bigint as us, tie, text"
        f" from reading where tag = {tag:d} and text is not null"
        f" and time between {_at(time[rows[0]])} and {_at(time[rows[-1]])}"
    )
    by_key = {(row["us"], row["tie"]): row["text"] for row in found}
    texts = np.full(len(time), None, object)
    texts[rows] = [by_key[int(time[i]), int(tie[i])] for i in rows]
    return texts


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest reading of a tag."""

    tag: int
    time: int
    tie: int
    value: float | None
    text: str | None
    status: int
    received: int


async def newest(connection: Connection, tags: Sequence[int]) -> list[Newest]:
    """Return each tag's newest reading; those from the future are left out."""
    rows = await connection.fetch(
        f"""
        select wanted.tag, {_us("time")} as time, tie, value, text,
               status::bigint & 4294967295 as status, {_us("received")} as received
        from unnest($1::int[]) as wanted(tag) cross join lateral (
            select time, tie, value, text, status, received from reading
            where tag = wanted.tag
              and time <= received + {FUTURE_US} * interval '1 microsecond'
            order by time desc, tie desc limit 1
        ) as newest""",
        list(tags),
    )
    return [Newest(**row) for row in rows]


async def said(connection: Connection, tag: int) -> list[Said]:
    """Return the changes of a string tag (or enumeration), oldest first.

    Only Good readings count; a repeated text is one change.
    """
    rows = await connection.fetch(
        f"""
        select {_us("time")} as time, text from (
            select time, tie, text, lag(text) over (order by time, tie) as before
            from (
                select time, tie, coalesce(text, value::text, '') as text from reading
                where tag = $1 and {_GOOD}
            ) as good
        ) as each where text is distinct from before order by time, tie""",
        tag,
    )
    return [Said(row["time"], row["text"]) for row in rows]


def context_tags(vessel: StoredVessel) -> dict[str, int]:
    """Return the ids of the vessel's context tags by role."""
    roles = {
        "batch": vessel.batch_tag,
        "phase": vessel.phase_tag,
        "product": vessel.product_tag,
        "client": vessel.client_tag,
        "state": vessel.state_tag,
    }
    return {role: tag for role, tag in roles.items() if tag is not None}


async def positions(connection: Connection, topic: str) -> dict[int, tuple[str, int]]:
    """Return epoch and next offset that is not stored yet, by partition."""
    rows = await connection.fetch(
        "select partition, epoch, next_offset from position where topic = $1", topic
    )
    return {row["partition"]: (row["epoch"], row["next_offset"]) for row in rows}


def _us(column: str) -> str:
    return f"(extract(epoch from {column}) * 1000000)::bigint"


def _at(time: int | np.int64) -> str:
    """Return a time as SQL, exact to the microsecond."""
    return f"'{np.datetime64(int(time), 'us')}+00'::timestamptz"
