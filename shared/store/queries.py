"""Reading what is known of the plant: its configuration, vessels, tags and states.

Every answer of one `Database.read` block is from one snapshot.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import asyncpg

from shared.domain import Unavailable
from shared.store.pool import naming_situations, open_pool, where

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from asyncpg.pool import PoolConnectionProxy

    from shared.settings import DatabaseSettings

    Connection = PoolConnectionProxy[asyncpg.Record]

_ACQUIRE_S = 10.0


class Database:
    """Read-only snapshots of the database, which may be away when we start.

    Bounded by: the pool's size. When full: waits 10 s for a connection, then raises
    Unavailable. Order: none between blocks. On cancel: the statement is cancelled and
    its connection goes back.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()
        self._pool = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Give a connection whose reads all see one moment.

        Raises:
            Unavailable: the database is away, or not migrated yet.
            AccessRefused: it refuses the user or the database.
        """
        pool = await self._opened()
        with naming_situations(self._settings):
            try:
                async with (
                    pool.acquire(timeout=_ACQUIRE_S) as connection,
                    connection.transaction(isolation="repeatable_read", readonly=True),
                ):
                    yield connection
            except asyncpg.UndefinedTableError as error:
                raise Unavailable(
                    f"{where(self._settings)}: {error}: expected the schema of "
                    "fedbatch; `fedbatch migrate` makes it"
                ) from error

    async def _opened(self) -> asyncpg.Pool[asyncpg.Record]:
        async with self._opening:
            if self._pool is None:
                opened = open_pool(self._settings)
                self._pool = await self._stack.enter_async_context(opened)
        return self._pool


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    """The configuration that the archiver met last."""

    version: int
    sha256: str
    applied_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class StoredServer:
    """One OPC UA server."""

    name: str
    site: str
    url: str
    simulated: bool
    heartbeat: int
    """Tag id."""


@dataclass(frozen=True, slots=True)
class StoredVessel:
    """One vessel; its context tags by id."""

    name: str
    site: str
    area: str
    server: str
    partition: int
    batch_tag: int | None
    phase_tag: int | None
    product_tag: int | None
    client_tag: int | None
    state_tag: int | None
    retired: bool


@dataclass(frozen=True, slots=True)
class StoredTag:
    """One tag with the attributes that hold now."""

    id: int
    name: str
    """Within its vessel, for example `TIC-101.PV`."""
    vessel: str | None
    server: str
    node: str
    type: str
    unit: str
    low: float | None
    high: float | None
    stepped: bool
    report: str
    description: str
    provisional: bool
    retired: bool
    valid_from: datetime

    @property
    def full_name(self) -> str:
        """`vessel/tag`, or `server/tag` for a tag of no vessel."""
        return f"{self.vessel or self.server}/{self.name}"


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """A tag's monitored item: wanted, granted, and the last error."""

    tag: int
    desired: str
    actual: str
    since: datetime
    error: str


async def configuration(connection: Connection) -> StoredConfiguration | None:
    """Return the newest stored configuration, None before the first."""
    row = await connection.fetchrow(
        "select version, sha256, applied_at, actor from configuration"
        " order by version desc limit 1"
    )
    return None if row is None else StoredConfiguration(**row)


async def plant_version(connection: Connection) -> tuple[object, ...]:
    """Return what changes whenever a server, vessel or tag changes; cheap."""
    row = await connection.fetchrow(
        "select (select max(version) from configuration),"
        " (select count(*) from tag), (select max(valid_from) from tag)"
    )
    return tuple(row) if row else ()


async def servers(connection: Connection) -> list[StoredServer]:
    """Return the servers by name."""
    rows = await connection.fetch(
        "select name, site, url, simulated, heartbeat from server order by name"
    )
    return [StoredServer(**row) for row in rows]


async def vessels(connection: Connection) -> list[StoredVessel]:
    """Return the vessels by name, retired ones too."""
    rows = await connection.fetch(
        "select name, site, area, server, partition, batch_tag, phase_tag,"
        " product_tag, client_tag, state_tag, retired from vessel order by name"
    )
    return [StoredVessel(**row) for row in rows]


async def tags(connection: Connection) -> list[StoredTag]:
    """Return the tags by id with their newest attributes."""
    rows = await connection.fetch(
        "select distinct on (id) id, name, vessel, server, node, type, unit, low,"
        " high, stepped, report, description, provisional, retired, valid_from"
        " from tag order by id, valid_from desc"
    )
    return [StoredTag(**row) for row in rows]


async def subscriptions(connection: Connection) -> dict[int, StoredSubscription]:
    """Return the subscription states by tag."""
    rows = await connection.fetch(
        "select tag, desired, actual, since, error from subscription"
    )
    return {row["tag"]: StoredSubscription(**row) for row in rows}
