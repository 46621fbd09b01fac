"""The archiver's door to the database: a pool, and what it asks of it.

Every method raises Unavailable while the server is away and AccessRefused when it
refuses; nothing here retries.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shared.store.batches import load_contexts
from shared.store.configuration import load_plant
from shared.store.latest import write_latest
from shared.store.ledger import seal
from shared.store.moments import microseconds
from shared.store.pool import naming_situations, open_pool
from shared.store.reached import reached
from shared.store.transaction import load_positions, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    import asyncpg

    from shared.bus import Position, TopicPartition
    from shared.readings import Block
    from shared.settings import DatabaseSettings
    from shared.store.batches import Context
    from shared.store.configuration import KnownPlant, Role
    from shared.store.pool import Connection
    from shared.store.reached import Reached
    from shared.store.transaction import Content, Outcome


@asynccontextmanager
async def open_archive(settings: DatabaseSettings) -> AsyncIterator[Archive]:
    """Own the archiver's connections for the length of the block.

    Raises:
        Unavailable, AccessRefused: as `open_pool`.
    """
    async with open_pool(settings) as pool:
        yield Archive(pool, settings)


class Archive:
    """What the archiver reads and writes."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], settings: DatabaseSettings
    ) -> None:
        self._pool = pool
        self._settings = settings

    @asynccontextmanager
    async def _connection(
        self,
    ) -> AsyncIterator[Connection]:
        with naming_situations(self._settings):
            async with self._pool.acquire() as connection:
                yield connection

    async def store(self, content: Content, *, through_staging: bool) -> Outcome:
        """Store in one transaction; see `transaction.store`."""
        async with self._connection() as connection:
            return await store(connection, content, through_staging=through_staging)

    async def positions(
        self, ats: Iterable[TopicPartition]
    ) -> dict[TopicPartition, Position]:
        """Return where each partition goes on; those never stored are left out."""
        async with self._connection() as connection:
            return await load_positions(connection, ats)

    async def plant(self) -> KnownPlant:
        """Return what is configured."""
        async with self._connection() as connection:
            return await load_plant(connection)

    async def contexts(
        self, tags: Mapping[int, tuple[str, Role]]
    ) -> dict[str, Context]:
        """Return each vessel's batch, product and client."""
        async with self._connection() as connection:
            return await load_contexts(connection, tags)

    async def write_latest(self, block: Block) -> None:
        """Write the newest readings for restarts of the API."""
        async with self._connection() as connection:
            await write_latest(connection, block)

    async def seal_ledger(self, before: int) -> int:
        """Fold the ledger's rows of minutes before `before`, us UTC."""
        async with self._connection() as connection:
            return await seal(connection, before)

    async def reached(self, partition: int) -> dict[str, Reached]:
        """Return how far each server's readings of a partition of `plant` are stored.

        See shared.store.reached.
        """
        async with self._connection() as connection:
            return await reached(connection, partition)

    async def last_stored(self, at: TopicPartition) -> int | None:
        """Return when readings of the partition were last stored, us UTC."""
        async with self._connection() as connection:
            found = await connection.fetchval(
                "select max(stored_at) from block where topic = $1 and partition = $2",
                *(at.topic, at.partition),
            )
        return None if found is None else microseconds(found)
