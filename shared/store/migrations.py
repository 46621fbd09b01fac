"""The schema: forward-only numbered SQL files, applied once each, under a lock.

A file is named `NNNN_what.sql`, runs in one transaction, and never changes once it is
released: its checksum is kept with its number. Services wait for an older schema to be
migrated and refuse a newer one.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING

from shared.domain import FedbatchError, Unavailable
from shared.store.capabilities import add_extension, detect, make_hypertable
from shared.store.pool import naming_situations, open_connection, quoted, where

if TYPE_CHECKING:
    from shared.settings import DatabaseSettings
    from shared.store.pool import Connection

_log = logging.getLogger(__name__)

OLDEST_SERVER = 150_000
"""`server_version_num` of PostgreSQL 15."""
CHUNK = timedelta(days=1)
"""Time that one chunk of the hypertable spans."""

_LOCK = "select pg_advisory_lock(hashtextextended('fedbatch ' || $1, 0))"
_VERSION_TABLE = """
create table schema_version (
    version    int primary key,
    name       text not null,
    sha256     text not null,
    applied_at timestamptz not null default clock_timestamp()
)"""
_PAUSE_S = (0.5, 5.0)
"""First and longest pause between looks at a schema that is not there yet."""


class NotOurs(FedbatchError):  # noqa: N818
    """The schema that should be ours holds tables of something else."""


class SchemaTooNew(FedbatchError):  # noqa: N818
    """A newer fedbatch has migrated this database."""


class SchemaChanged(FedbatchError):  # noqa: N818
    """An applied migration differs from the one in this program."""


class ServerTooOld(FedbatchError):  # noqa: N818
    """The PostgreSQL server is older than fedbatch supports."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The text's digest, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Return every step this program knows, in order; versions are 1, 2, 3, ..."""
    folder = files("shared.store") / "migrations"
    found = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    return tuple(
        Migration(int(file.name[:4]), file.name, file.read_text()) for file in found
    )


async def migrate(settings: DatabaseSettings, *, chunk: timedelta = CHUNK) -> int:
    """Bring the schema to this program's version; return how many steps were applied.

    Safe to call at any time and by several processes at once.

    Args:
        settings: the database; its `namespace` is made when it does not exist.
        chunk: length of a hypertable's chunks, used when `reading` is made.

    Raises:
        ServerTooOld: before anything is touched.
        NotOurs: the namespace holds something else; nothing is touched.
        SchemaTooNew: nothing is touched.
        SchemaChanged: an applied step is not this program's; nothing is touched.
        AccessRefused: the user may not create what is needed.
        Unavailable: the server cannot be reached.
    """
    async with open_connection(settings) as connection:
        with naming_situations(settings):
            await _check_server(connection, settings)
            await connection.execute(_LOCK.replace("$1", f"'{settings.namespace}'"))
            applied = await _applied(connection, settings)
            _check_applied(applied, settings)
            await add_extension(connection)
            await connection.execute(f"create schema if not exists {quoted(settings)}")
            pending = migrations()[len(applied) :]
            for migration in pending:
                await _apply(connection, migration)
            await make_hypertable(connection, chunk)
    return len(pending)


async def schema_is_ready(settings: DatabaseSettings) -> bool:
    """Return whether the schema is this program's; False while it is older.

    Raises:
        ServerTooOld, NotOurs, SchemaTooNew, SchemaChanged: as `migrate`.
        AccessRefused, Unavailable: as `open_connection`.
    """
    async with open_connection(settings) as connection:
        with naming_situations(settings):
            await _check_server(connection, settings)
            applied = await _applied(connection, settings)
    _check_applied(applied, settings)
    return len(applied) == len(migrations())


async def wait_for_schema(settings: DatabaseSettings) -> None:
    """Return when the schema is this program's; waits for ever for that.

    Bounded by: nothing is held while waiting. On cancel: ends at once.

    Raises:
        ServerTooOld, NotOurs, SchemaTooNew, SchemaChanged: as `migrate`.
        AccessRefused: the server refuses the user or the database.
    """
    pause, said = _PAUSE_S[0], ""
    while True:
        try:
            if await schema_is_ready(settings):
                return
            state = f"{where(settings)}: schema older than version {len(migrations())}"
        except Unavailable as error:
            state = str(error)
        if state != said:
            _log.warning("waiting: %s; `fedbatch migrate` makes it ready", state)
            said = state
        await asyncio.sleep(pause)
        pause = min(2 * pause, _PAUSE_S[1])


async def _check_server(connection: Connection, settings: DatabaseSettings) -> None:
    number = int(await connection.fetchval("show server_version_num"))
    if number < OLDEST_SERVER:
        capabilities = await detect(connection)
        raise ServerTooOld(
            f"{where(settings)}: PostgreSQL {capabilities.postgres}, expected "
            f"{OLDEST_SERVER // 10_000} or newer"
        )


async def _applied(
    connection: Connection, settings: DatabaseSettings
) -> list[tuple[int, str]]:
    """Return version and checksum of every applied step."""
    rows = await connection.fetch(
        "select relname::text from pg_class where relnamespace ="
        " (select oid from pg_namespace where nspname = $1)"
        " and relkind in ('r', 'p', 'v', 'm', 'f')",
        settings.namespace,
    )
    tables = sorted(row["relname"] for row in rows)
    if not tables:
        return []
    if "schema_version" not in tables:
        raise NotOurs(
            f"{where(settings)}: schema {settings.namespace!r} holds tables that are "
            f"not fedbatch's ({', '.join(tables[:3])}): expected an empty schema, or "
            "another name in DATABASE__NAMESPACE"
        )
    found = await connection.fetch(
        f"select version, sha256 from {quoted(settings)}.schema_version"
        " order by version"
    )
    return [(row["version"], row["sha256"]) for row in found]


def _check_applied(applied: list[tuple[int, str]], settings: DatabaseSettings) -> None:
    known = migrations()
    if len(applied) > len(known):
        raise SchemaTooNew(
            f"{where(settings)}: schema version {applied[-1][0]}, this program knows "
            f"{len(known)}: expected a fedbatch at least as new as the database"
        )
    for (version, sha256), migration in zip(applied, known, strict=False):
        if (version, sha256) != (migration.version, migration.sha256):
            raise SchemaChanged(
                f"{where(settings)}: migration {version} was applied with SHA-256 "
                f"{sha256[:12]}, expected {migration.sha256[:12]} ({migration.name})"
            )


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        if migration.version == 1:
            await connection.execute(_VERSION_TABLE)
        await connection.execute(migration.sql)
        await connection.execute(
            "insert into schema_version (version, name, sha256) values ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.sha256,
        )
    _log.info("schema version %d applied", migration.version)
