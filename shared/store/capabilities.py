"""What the database server can do, found out at start and used."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from datetime import timedelta

    from shared.store.pool import Connection

_log = logging.getLogger(__name__)


class Edition(StrEnum):
    """Which TimescaleDB stands behind the tables."""

    PLAIN = "plain"
    """PostgreSQL alone."""
    APACHE = "apache"
    """Hypertables, but no columnstore, policies or continuous aggregates."""
    LICENSED = "timescale"
    """Everything."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One server, as found."""

    postgres: str
    """Version as the server says it, for example `18.6`."""
    timescaledb: str | None
    """Version of the extension in this database; None without it."""
    edition: Edition


async def detect(connection: Connection) -> Capabilities:
    """Return what this database can do; the extension's presence alone says little."""
    row = await connection.fetchrow(
        "select current_setting('server_version') as postgres,"
        " (select extversion from pg_extension where extname = 'timescaledb')"
        " as timescaledb,"
        " current_setting('timescaledb.license', true) as license"
    )
    if row is None or row["timescaledb"] is None:
        postgres = "" if row is None else row["postgres"]
        return Capabilities(postgres.split()[0], None, Edition.PLAIN)
    edition = Edition.LICENSED if row["license"] == "timescale" else Edition.APACHE
    return Capabilities(row["postgres"].split()[0], row["timescaledb"], edition)


async def add_extension(connection: Connection) -> None:
    """Create the TimescaleDB extension where the server has it loaded.

    Without the right to create it the store stays on plain tables; that is logged.
    """
    offered = await connection.fetchval(
        "select exists (select from pg_available_extensions where name = 'timescaledb')"
        # set by its loader; who is preloaded, only some users may ask
        " and current_setting('timescaledb.disable_load', true) is not null"
        " and not exists (select from pg_extension where extname = 'timescaledb')"
    )
    if not offered:
        return
    try:
        async with connection.transaction():
            await connection.execute("create extension timescaledb schema public")
    except asyncpg.InsufficientPrivilegeError as error:
        _log.warning("TimescaleDB is there but may not be created: %s", error)


async def make_hypertable(connection: Connection, chunk: timedelta) -> bool:
    """Make `reading` a hypertable of chunks of that length; False where it cannot be.

    A table that already holds readings stays as it is: nothing of it is rewritten.
    """
    capabilities = await detect(connection)
    if capabilities.edition is Edition.PLAIN:
        return False
    already = await connection.fetchval(
        "select exists (select from timescaledb_information.hypertables"
        " where hypertable_schema = current_schema and hypertable_name = 'reading')"
    )
    if already:
        return True
    if await connection.fetchval("select exists (select from reading)"):
        _log.warning("`reading` holds rows and stays a plain table")
        return False
    await connection.execute(
        "select public.create_hypertable('reading',"
        " public.by_range('time', $1::interval), create_default_indexes => false)",
        chunk,
    )
    return True
