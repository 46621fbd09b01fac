"""The one transaction that stores what came on a partition, exactly once.

The partition's place in the log moves in the same transaction, from exactly where it
is expected to be; whoever finds it elsewhere has been replaced and stops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg
import numpy as np

from shared.bus import Fenced, Position, TopicPartition
from shared.domain import FedbatchError, Unavailable
from shared.store.batches import store_batches
from shared.store.configuration import store_configuration, store_provisional
from shared.store.copy import COLUMNS, encode_rows, pieces
from shared.store.events import store_events
from shared.store.gaps import declare_gaps, store_filled
from shared.store.ledger import (
    DUPLICATE,
    QUARANTINED,
    STORED,
    Cells,
    add_cells,
    add_counts,
    cells,
)
from shared.store.pool import UNREACHABLE
from shared.store.subscriptions import store_subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.domain import Gap, SubscriptionState
    from shared.readings import Block
    from shared.store.batches import Seen
    from shared.store.events import Said
    from shared.store.pool import Connection
    from shared.wire import ConfigurationRecord, LedgerCounts
    from shared.wire_filled import Filled

NO_CELLS = Cells(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64))

_RETRIABLE = (
    *UNREACHABLE,
    asyncpg.TransactionRollbackError,  # deadlock, serialisation
    asyncpg.InsufficientResourcesError,  # disk or memory full
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,  # a replica, before its promotion
)
_REFUSED_CONTENT = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
)
_STAGING = "incoming_reading"
_MAKE_STAGING = (
    f"create temp table if not exists {_STAGING} (like reading) on commit delete rows"
)
_FROM_STAGING = f"""
with kept as (
    insert into reading ({", ".join(COLUMNS)})
    select {", ".join(COLUMNS)} from {_STAGING} order by tag, time
    on conflict (tag, time, tie) do nothing
    returning tag, time
)
select tag, floor(extract(epoch from time) / 60)::int as minute, count(*) as count
from kept group by 1, 2 order by 1, 2"""
_MOVE = """
update position set epoch = $3, next_offset = $4
where topic = $1 and partition = $2 and epoch = $5 and next_offset = $6"""
_FIRST = """
insert into position (topic, partition, epoch, next_offset) values ($1, $2, $3, $4)
on conflict do nothing"""
_BLOCK = """
insert into block (topic, partition, epoch, first_offset, next_offset, rows, duplicates)
values ($1, $2, $3, $4, $5, $6, $7) returning generation"""
_QUARANTINE = """
insert into quarantine (topic, partition, epoch, record, reason, rows)
values ($1, $2, $3, $4, $5, $6) on conflict do nothing"""


class AlreadyStored(FedbatchError):  # noqa: N818
    """A reading of the block is in the table; it has to go through staging."""


class ContentRefused(FedbatchError):  # noqa: N818
    """The database cannot keep something of the content; trying again is no use."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record, or rows of one, that could not be stored as they came."""

    record: int
    """Its offset."""
    reason: str
    rows: int | None = None
    """Readings concerned; None when it could not be read at all."""


@dataclass(frozen=True, slots=True)
class Content:
    """What consecutive records of one partition come to; one transaction."""

    at: TopicPartition
    expected: Position | None
    """Where the database has the partition; None when it does not know it."""
    first: Position
    """Of the first record."""
    next: Position
    """Behind the last record."""
    block: Block
    """Readings to store: accepted, sorted by (tag, time, tie), each once."""
    may_repeat: bool = False
    """Some may be stored already, so that a direct COPY is not tried."""
    repeated: Cells = NO_CELLS
    """Readings that came more than once within these records."""
    refused: Cells = NO_CELLS
    """Readings that are quarantined."""
    quarantined: tuple[Quarantined, ...] = ()
    provisional: Mapping[int, str] = field(default_factory=dict)
    """Server of each tag id that has no row yet."""
    gaps: tuple[Gap, ...] = ()
    filled: tuple[Filled, ...] = ()
    """What came of asking servers' histories about gaps."""
    subscriptions: tuple[tuple[str, tuple[SubscriptionState, ...]], ...] = ()
    """Server and its changed states, in order."""
    ledger: tuple[LedgerCounts, ...] = ()
    configuration: ConfigurationRecord | None = None
    batches: tuple[Seen, ...] = ()
    events: tuple[Said, ...] = ()
    """What the monitor said, in order."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction did."""

    stored: int
    duplicates: int
    generation: int | None
    """None when there were no readings."""


async def load_positions(
    connection: Connection, ats: Iterable[TopicPartition]
) -> dict[TopicPartition, Position]:
    """Return where each partition goes on; those never stored are left out."""
    rows = await connection.fetch(
        "select topic, partition, epoch, next_offset from position"
    )
    known = {
        TopicPartition(row["topic"], row["partition"]): Position(
            row["epoch"], row["next_offset"]
        )
        for row in rows
    }
    return {at: known[at] for at in ats if at in known}


async def store(
    connection: Connection,
    content: Content,
    *,
    through_staging: bool,
) -> Outcome:
    """Store the content and move the partition's position, all or nothing.

    Args:
        connection: set to our schema, in no transaction.
        content: of consecutive records of one partition.
        through_staging: expect readings that are stored already.

    Raises:
        Fenced: the position is not where it was expected; nothing is stored.
        AlreadyStored: a reading is stored already; nothing of this is. Go through
            staging.
        ContentRefused: nothing is stored; some record of these cannot be.
        Unavailable: the server went away. Whether it stored is not known: look at
            `load_positions` before trying again.
    """
    try:
        async with connection.transaction():
            await _move(connection, content)
            await _store_control(connection, content)
            return await _store_readings(connection, content, through_staging)
    except _REFUSED_CONTENT as error:
        raise ContentRefused(f"{_place(content)}: {error}") from error
    except _RETRIABLE as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"{_place(content)}: {reason}") from error


def _place(content: Content) -> str:
    return (
        f"{content.at.topic}-{content.at.partition} offsets {content.first.offset} to "
        f"{content.next.offset - 1}"
    )


async def _move(connection: Connection, content: Content) -> None:
    place = (content.at.topic, content.at.partition)
    target = (content.next.epoch, content.next.offset)
    if content.expected is None:
        status = await connection.execute(_FIRST, *place, *target)
    else:
        expected = (content.expected.epoch, content.expected.offset)
        status = await connection.execute(_MOVE, *place, *target, *expected)
    if not status.endswith(" 1"):
        raise Fenced(
            f"{_place(content)}: expected the database at {content.expected}, but "
            "another archiver has moved it; this one stops"
        )


async def _store_control(connection: Connection, content: Content) -> None:
    if content.configuration is not None:
        await store_configuration(connection, content.configuration)
    if content.provisional:
        await store_provisional(connection, content.provisional)
    await declare_gaps(connection, content.gaps)
    await store_filled(connection, content.filled)
    for server, states in content.subscriptions:
        await store_subscriptions(connection, server, states)
    await add_counts(connection, content.ledger)
    await add_cells(connection, QUARANTINED, content.refused)
    await store_batches(connection, content.batches)
    await store_events(connection, content.events)
    if content.quarantined:
        place = (content.at.topic, content.at.partition, content.first.epoch)
        await connection.executemany(
            _QUARANTINE,
            [(*place, one.record, one.reason, one.rows) for one in content.quarantined],
        )


async def _store_readings(
    connection: Connection,
    content: Content,
    through_staging: bool,  # noqa: FBT001
) -> Outcome:
    rows, repeated = len(content.block), content.repeated.total
    if not rows:
        return Outcome(0, 0, None)
    generation: int = await connection.fetchval(
        _BLOCK,
        *(content.at.topic, content.at.partition, content.first.epoch),
        *(content.first.offset, content.next.offset, rows, repeated),
    )
    stream = encode_rows(content.block, generation)
    arrived = cells(content.block.tag, content.block.time)
    if through_staging:
        stored = await _merge(connection, stream)
        again = _less(arrived, stored)
    else:
        await _copy(connection, stream, content)
        stored, again = arrived, NO_CELLS
    if again.total:
        await connection.execute(
            "update block set rows = $2, duplicates = $3 where generation = $1",
            *(generation, stored.total, repeated + again.total),
        )
    await add_cells(connection, STORED, stored)
    await add_cells(connection, DUPLICATE, again)
    await add_cells(connection, DUPLICATE, content.repeated)
    return Outcome(stored.total, repeated + again.total, generation)


async def _copy(connection: Connection, stream: bytes, content: Content) -> None:
    try:
        await connection.copy_to_table(
            "reading", source=pieces(stream), columns=COLUMNS, format="binary"
        )
    except asyncpg.UniqueViolationError as error:
        raise AlreadyStored(f"{_place(content)}: {error.detail}") from error


async def _merge(connection: Connection, stream: bytes) -> Cells:
    """Store what is not there yet; return what that was."""
    await connection.execute(_MAKE_STAGING)
    await connection.copy_to_table(
        _STAGING, source=pieces(stream), columns=COLUMNS, format="binary"
    )
    rows = await connection.fetch(_FROM_STAGING)
    return Cells(
        np.array([row["tag"] for row in rows], np.int32),
        np.array([row["minute"] for row in rows], np.int32),
        np.array([row["count"] for row in rows], np.int64),
    )


def _less(whole: Cells, part: Cells) -> Cells:
    """Return `whole` minus `part`; both ascend by tag and minute."""
    key_whole = (whole.tags.astype(np.int64) << 32) | whole.minutes
    key_part = (part.tags.astype(np.int64) << 32) | part.minutes
    counts = whole.counts.copy()
    counts[np.searchsorted(key_whole, key_part)] -= part.counts
    left = counts > 0
    return Cells(whole.tags[left], whole.minutes[left], counts[left])
