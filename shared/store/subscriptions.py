"""Each tag's monitored item: what is wanted, what is granted, the last error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.store.moments import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.domain import SubscriptionState
    from shared.store.pool import Connection

_STORE = """
insert into subscription (tag, server, desired, actual, since, error)
values ($1, $2, $3, $4, $5, $6)
on conflict (tag) do update
set server = excluded.server, desired = excluded.desired, actual = excluded.actual,
    since = excluded.since, error = excluded.error
where excluded.since >= subscription.since"""


async def store_subscriptions(
    connection: Connection,
    server: str,
    states: Sequence[SubscriptionState],
) -> None:
    """Store changed states of a server's tags; never an older one over a newer."""
    rows = [
        (
            state.tag,
            server,
            state.desired.value,
            state.actual.value,
            moment(state.since),
            state.error.replace("\0", "\ufffd"),
        )
        for state in states
    ]
    if rows:
        await connection.executemany(_STORE, rows)
