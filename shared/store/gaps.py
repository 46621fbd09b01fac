"""Declared gaps: one row per server, cause, start and scope; a later end extends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.store.moments import moment, optional_moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.domain import Gap
    from shared.store.pool import Connection
    from shared.wire_filled import Filled

_DECLARE = """
insert into gap (server, cause, since, until, tags, count, detail)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (server, cause, since, hash_array_extended(coalesce(tags, '{}'), 0))
do update
set until = greatest(gap.until, excluded.until),
    count = greatest(gap.count, excluded.count),
    detail = case when excluded.detail = '' then gap.detail else excluded.detail end,
    filled = case when excluded.until > gap.until then null else gap.filled end,
    fill_parts = case when excluded.until > gap.until then '{}' else gap.fill_parts end
"""
_FILLED = """
update gap set
    fill_parts = fill_parts || $6::int, fill_of = $7::int[], missing = $8::int[],
    fill_rows = $9::bigint, fill_detail = $10,
    filled = case when (fill_parts || $6::int) @> $7::int[]
                       and $11::int > 0
                  then clock_timestamp() end
where server = $1 and cause = $2 and since = $3
  and coalesce(tags, '{}') = coalesce($4::int[], '{}') and until <= $5
  and not fill_parts @> array[$6::int]"""


async def declare_gaps(connection: Connection, gaps: Sequence[Gap]) -> None:
    """Store the gaps. A closed gap is never opened again by an older record.

    The same gap comes once on every partition of its server, in any order of them.
    """
    rows = [
        (
            gap.server,
            gap.cause.value,
            moment(gap.start),
            optional_moment(gap.end),
            None if gap.tags is None else sorted(gap.tags),
            gap.count,
            gap.detail,
        )
        for gap in gaps
    ]
    if rows:
        await connection.executemany(_DECLARE, rows)


async def store_filled(connection: Connection, filled: Sequence[Filled]) -> None:
    """Note which gaps the server's history filled, in so far as it is stored.

    The record may come before the gap's own, which lies on another topic. A gap that
    has grown since it was asked for is left as it is.
    """
    await declare_gaps(connection, [one.gap for one in filled])
    rows = [
        (
            one.gap.server,
            one.gap.cause.value,
            moment(one.gap.start),
            None if one.gap.tags is None else sorted(one.gap.tags),
            optional_moment(one.gap.end),
            one.part,
            sorted(one.parts),
            sorted(one.missing),
            one.rows,
            one.detail,
            one.proven,
        )
        for one in filled
    ]
    if rows:
        await connection.executemany(_FILLED, rows)
