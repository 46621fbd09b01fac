"""The schema on both databases: made once, refused where it is not ours."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from shared.domain import Unavailable
from shared.settings import DatabaseSettings
from shared.store import migrations as room
from shared.store.capabilities import Edition, detect
from shared.store.migrations import (
    NotOurs,
    SchemaChanged,
    SchemaTooNew,
    ServerTooOld,
    migrate,
    migrations,
    schema_is_ready,
    wait_for_schema,
)
from shared.store.pool import AccessRefused, open_connection


async def test_migrating_twice_applies_every_step_once(
    database: DatabaseSettings,
) -> None:
    assert await migrate(database) == len(migrations())
    assert await migrate(database) == 0
    assert await schema_is_ready(database)


async def test_the_schema_may_be_named_like_a_word_of_sql(
    database: DatabaseSettings,
) -> None:
    named = database.model_copy(update={"namespace": "select"})
    await migrate(named)
    assert await schema_is_ready(named)
    async with open_connection(named) as connection:
        assert await connection.fetchval("select count(*) from reading") == 0


async def test_many_processes_may_migrate_at_once(database: DatabaseSettings) -> None:
    applied = await asyncio.gather(*(migrate(database) for _ in range(5)))
    assert sorted(applied) == [0, 0, 0, 0, len(migrations())]


async def test_a_newer_schema_is_refused(database: DatabaseSettings) -> None:
    await migrate(database)
    async with open_connection(database) as connection:
        await connection.execute(
            "insert into schema_version (version, name, sha256)"
            " values (9999, 'later', 'x')"
        )
    with pytest.raises(SchemaTooNew, match="schema version 9999"):
        await migrate(database)
    with pytest.raises(SchemaTooNew):
        await schema_is_ready(database)


async def test_a_changed_migration_is_refused(database: DatabaseSettings) -> None:
    await migrate(database)
    async with open_connection(database) as connection:
        await connection.execute("update schema_version set sha256 = 'other'")
    with pytest.raises(SchemaChanged, match=r"migration 1 .*other"):
        await migrate(database)


async def test_a_schema_with_other_tables_is_not_touched(
    database: DatabaseSettings,
) -> None:
    async with open_connection(database) as connection:
        await connection.execute(f"create schema {database.namespace}")
        await connection.execute("create table payroll (name text)")
    with pytest.raises(NotOurs, match=r"payroll.*expected an empty schema"):
        await migrate(database)
    async with open_connection(database) as connection:
        assert await connection.fetchval("select count(*) from payroll") == 0


async def test_a_server_that_is_too_old_is_named(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "OLDEST_SERVER", 990_000)
    with pytest.raises(ServerTooOld, match=r"PostgreSQL \d+\.\d+, expected 99"):
        await migrate(database)


async def test_an_older_schema_is_waited_for(database: DatabaseSettings) -> None:
    waiting = asyncio.create_task(wait_for_schema(database))
    await asyncio.sleep(0)
    assert not await schema_is_ready(database)
    await migrate(database)
    await asyncio.wait_for(waiting, 30)


async def test_readings_are_a_hypertable_where_the_server_can(
    database: DatabaseSettings,
) -> None:
    await migrate(database, chunk=timedelta(hours=4))
    async with open_connection(database) as connection:
        capabilities = await detect(connection)
        if capabilities.edition is Edition.PLAIN:
            assert capabilities.timescaledb is None
            return
        length = await connection.fetchval(
            "select time_interval from timescaledb_information.dimensions"
            " where hypertable_schema = $1",
            database.namespace,
        )
        assert length == timedelta(hours=4)
        indexes = await connection.fetchval(
            "select count(*) from pg_indexes"
            " where schemaname = $1 and tablename = 'reading'",
            database.namespace,
        )
        assert indexes == 1


async def test_a_wrong_password_is_refused_and_never_shown(
    database: DatabaseSettings,
) -> None:
    dsn = database.dsn.get_secret_value()
    wrong = dsn.replace(dsn.split("@")[0], "postgresql://fedbatch:not-this-one")
    with pytest.raises(AccessRefused, match="password authentication failed") as raised:
        await migrate(DatabaseSettings(dsn=SecretStr(wrong)))
    assert "not-this-one" not in str(raised.value)


async def test_an_unreachable_server_is_unavailable_by_host_and_port() -> None:
    settings = DatabaseSettings(dsn=SecretStr("postgresql://u:secret@127.0.0.1:1/x"))
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/x") as raised:
        await migrate(settings)
    assert "secret" not in str(raised.value)
