"""Batches as seen in the readings of a vessel's context tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.domain import US_PER_S
from shared.store.configuration import Role
from shared.store.moments import microseconds, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared.store.pool import Connection


SETTLING_US = 60 * US_PER_S
"""A product or client set this long after a batch began still belongs to it; later
it is taken as the preparation of the next batch."""

_ADD = """
insert into batch (vessel, batch, product, client, first_seen)
values ($1, $2, $3, $4, $5)
on conflict (vessel, batch) do update
set product = coalesce(excluded.product, batch.product),
    client = coalesce(excluded.client, batch.client),
    first_seen = least(excluded.first_seen, batch.first_seen)"""

_LAST_TEXTS = """
select wanted.tag, found.text, found.time from unnest($1::int[]) as wanted (tag),
lateral (select text, time
         from (select text, time from reading where reading.tag = wanted.tag
               order by time desc limit 1000) as last
         where text <> '' order by time desc limit 1) as found"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A batch of a vessel, with what is known of it."""

    vessel: str
    batch: str
    product: str | None
    client: str | None
    first_seen: int
    """Source time of its id, us UTC."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a vessel said last: its batch, product and client."""

    batch: str | None = None
    since: int = 0
    product: str | None = None
    client: str | None = None


ContextReading = tuple[int, str, Role, str]
"""Source time (us UTC), vessel, role and text of a context tag's reading."""

_ORDER = {Role.BATCH: 0, Role.PRODUCT: 1, Role.CLIENT: 2}


def follow(
    contexts: Mapping[str, Context], readings: Iterable[ContextReading]
) -> tuple[dict[str, Context], list[Seen]]:
    """Return the contexts that changed, and the batches to be stored.

    At one instant a new batch comes before its product and client. Text that is empty
    says nothing.
    """
    now: dict[str, Context] = {}
    seen: dict[tuple[str, str], Seen] = {}
    ordered = sorted(readings, key=lambda reading: (reading[0], _ORDER[reading[2]]))
    for time, vessel, role, text in ordered:
        before = now.get(vessel) or contexts.get(vessel, Context())
        if not text or getattr(before, role) == text:
            continue
        after = _with(before, role, text, time)
        now[vessel] = after
        belongs = role is Role.BATCH or _is_settling(before, role, time)
        if after.batch is not None and belongs:
            seen[vessel, after.batch] = Seen(
                vessel, after.batch, after.product, after.client, after.since
            )
    return now, list(seen.values())


def _with(before: Context, role: Role, text: str, time: int) -> Context:
    if role is Role.BATCH:
        return Context(text, time, before.product, before.client)
    if role is Role.PRODUCT:
        return Context(before.batch, before.since, text, before.client)
    return Context(before.batch, before.since, before.product, text)


def _is_settling(before: Context, role: Role, time: int) -> bool:
    return getattr(before, role) is None or time - before.since <= SETTLING_US


async def store_batches(connection: Connection, seen: Sequence[Seen]) -> None:
    """Store batches; what is already known of one is only added to."""
    rows = [
        (one.vessel, one.batch, one.product, one.client, moment(one.first_seen))
        for one in seen
    ]
    if rows:
        await connection.executemany(_ADD, rows)


async def load_contexts(
    connection: Connection,
    tags: Mapping[int, tuple[str, Role]],
) -> dict[str, Context]:
    """Return what each vessel said last, from the stored readings."""
    rows = await connection.fetch(_LAST_TEXTS, list(tags))
    said = [(microseconds(row["time"]), *tags[row["tag"]], row["text"]) for row in rows]
    contexts, _ = follow({}, said)
    return contexts
