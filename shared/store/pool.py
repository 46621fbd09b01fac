"""Connections to the database, all set to our schema and to UTC."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.settings import DatabaseSettings

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
"""What asyncpg raises while the server is away, starting or stopping."""


@asynccontextmanager
async def open_pool(
    settings: DatabaseSettings,
) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Own a pool of connections for the length of the block.

    Raises:
        Unavailable: the server cannot be reached; the message names host and port
            and never the password.
    """
    dsn = settings.dsn.get_secret_value()
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=settings.pool,
            timeout=10,
            server_settings={
                "search_path": settings.namespace,
                "timezone": "UTC",
                "application_name": "fedbatch",
            },
        )
    except UNREACHABLE as error:
        where = dsn.rpartition("@")[2]
        raise Unavailable(f"database {where}: cannot connect: {error}") from error
    try:
        yield pool
    finally:
        await pool.close()
