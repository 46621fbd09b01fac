"""Connections to the database, all set to our schema and to UTC."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import asyncpg

from shared.domain import FedbatchError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from shared.settings import DatabaseSettings

    Connection = (
        asyncpg.Connection[asyncpg.Record]
        | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,
)
"""What asyncpg raises while the server is away, starting or stopping.

The last one when a connection that broke within a COPY goes back to its pool.
"""

_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
_CONNECT_S = 10.0
_COMMAND_S = 120.0
"""Longest a statement may take before the connection counts as lost."""


class AccessRefused(FedbatchError):  # noqa: N818
    """The server is there, but this user may not do that, or the database is not."""


def where(settings: DatabaseSettings) -> str:
    """Return host, port and database for messages, never the password."""
    return f"database {settings.dsn.get_secret_value().rpartition('@')[2]}"


@contextmanager
def naming_situations(settings: DatabaseSettings) -> Iterator[None]:
    """Turn what asyncpg raises about the server itself into our errors.

    Raises:
        Unavailable: the server cannot be reached now.
        AccessRefused: it answers, but refuses the user or the database.
    """
    try:
        yield
    except _REFUSED as error:
        raise AccessRefused(f"{where(settings)}: {error}") from error
    except UNREACHABLE as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"{where(settings)}: {reason}") from error


@asynccontextmanager
async def open_connection(
    settings: DatabaseSettings,
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Own one connection for the length of the block.

    Raises:
        Unavailable: the server cannot be reached.
        AccessRefused: it refuses the user or the database.
    """
    with naming_situations(settings):
        connection = await asyncpg.connect(
            settings.dsn.get_secret_value(),
            timeout=_CONNECT_S,
            server_settings=_session(settings),
        )
    try:
        yield connection
        await connection.close(timeout=_CONNECT_S)
    finally:
        connection.terminate()


@asynccontextmanager
async def open_pool(
    settings: DatabaseSettings,
) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Own a pool of connections for the length of the block.

    Raises:
        Unavailable: the server cannot be reached.
        AccessRefused: it refuses the user or the database.
    """
    with naming_situations(settings):
        pool = await asyncpg.create_pool(
            settings.dsn.get_secret_value(),
            min_size=1,
            max_size=settings.pool,
            timeout=_CONNECT_S,
            command_timeout=_COMMAND_S,
            server_settings=_session(settings),
        )
    try:
        yield pool
    finally:
        await pool.close()


def quoted(settings: DatabaseSettings) -> str:
    """Return our schema as SQL names it: it may be a word of SQL."""
    return f'"{settings.namespace}"'


def _session(settings: DatabaseSettings) -> dict[str, str]:
    return {
        "search_path": f"{quoted(settings)}, public",  # extensions live in public
        "timezone": "UTC",
        "application_name": "fedbatch",
    }
