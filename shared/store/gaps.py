"""Declared gaps: one row per server, cause, start and scope; a later end extends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.store.moments import moment, optional_moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.domain import Gap
    from shared.store.pool import Connection

_DECLARE = """
insert into gap (server, cause, since, until, tags, count, detail)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (server, cause, since, coalesce(tags, '{}')) do update
set until = greatest(gap.until, excluded.until),
    count = greatest(gap.count, excluded.count),
    detail = case when excluded.detail = '' then gap.detail else excluded.detail end
"""


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
