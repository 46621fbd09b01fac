"""What the monitor says, from a real log to a real database, once and for ever."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from shared.bus import Message, TopicPartition
from shared.events import AlarmState, Cause
from shared.settings import DatabaseSettings
from shared.store.migrations import migrate
from shared.store.pool import AccessRefused, naming_situations, open_connection
from shared.store.transaction import Content, store
from tests.integration.archive.archived import open_log, until, value_of
from tests.integration.archive.test_archiving import archiving, flip_bytes, letters
from tests.neighbours.made import NOON_US, made_block
from tests.neighbours.said import (
    began,
    changed,
    detected,
    message,
    raised,
    went_on,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.wire_events import Event

RECORDS = {
    "alarm_transition": "vessel",
    "detection": "vessel",
    "batch_event": "vessel",
    "change": "actor",
    "configuration": "actor",
}
"""Tables that nobody may change, and a column of each."""


def events(partition: int) -> TopicPartition:
    return TopicPartition("events", partition)


async def stored_to(database: DatabaseSettings, offset: int, partition: int) -> None:
    """Wait until the archiver has stored so many records of a partition of events."""
    place = (
        "select max(next_offset) from position"
        f" where topic = 'events' and partition = {partition}"
    )
    await until(lambda: value_of(database, place), lambda found: found == offset)


async def test_events_are_a_journal_and_the_latest_state_of_each_alarm(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    alarm = raised(NOON_US)
    seen = went_on(alarm, Cause.ACKNOWLEDGED, AlarmState.ACKNOWLEDGED, 10, "anna")
    said = went_on(seen, Cause.COMMENTED, AlarmState.ACKNOWLEDGED, 5, "anna")
    rest: list[Event] = [detected(NOON_US), began(NOON_US), changed(NOON_US)]
    async with archiving(tmp_path, database) as bus:
        await bus.append(events(1), [message(e) for e in (alarm, seen, said, *rest)])
        await stored_to(database, 6, partition=1)
        again = [message(e) for e in (*rest, alarm, seen)]
        await bus.append(events(1), again)
        await stored_to(database, 11, partition=1)
        start = await bus.start(events(1))
    async with open_connection(database) as connection:
        journal = await connection.fetch("select * from alarm_transition order by id")
        assert [row["cause"] for row in journal] == [
            "raised",
            "acknowledged",
            "commented",
        ]
        assert [row["topic_at"] for row in journal] == [
            f"{start.epoch}/1/{start.offset + n}" for n in range(3)
        ]
        (latest,) = await connection.fetch("select * from alarm")
        assert latest["state"] == "acknowledged"
        assert (latest["changed"] - latest["raised"]).total_seconds() == 10
        for table in ("detection", "batch_event", "change"):
            assert await connection.fetchval(f"select count(*) from {table}") == 1


async def test_what_is_no_event_is_a_dead_letter(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    headers, value = message(raised(NOON_US)).headers, message(raised(NOON_US)).value
    async with archiving(tmp_path, database) as bus:
        await bus.append(
            events(0),
            [
                Message(headers, value[:40]),
                Message({"kind": "surprise"}, b"x"),
                Message(headers, value.replace(b"growth", b"gr\\u0000wth")),
                message(raised(NOON_US + 1)),
            ],
        )
        await stored_to(database, 4, partition=0)
        found = await letters(bus)
    assert await value_of(database, "select count(*) from quarantine") == 3
    assert await value_of(database, "select count(*) from alarm") == 1
    assert {letter.headers["topic"] for letter in found} == {"events"}
    assert {letter.headers["offset"] for letter in found} == {"0", "1", "2"}


async def test_damaged_events_are_kept_as_letters_and_are_no_gap_of_readings(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    await migrate(database)
    async with open_log(tmp_path) as bus:
        for n in range(3):
            await bus.append(events(0), [message(raised(NOON_US + n))])
    wanted = b'"time":%d' % (NOON_US + 1)
    flip_bytes(tmp_path / "log" / "events" / "0", wanted)
    async with archiving(tmp_path, database):
        await stored_to(database, 3, partition=0)
    assert await value_of(database, "select count(*) from alarm") == 2
    assert await value_of(database, "select count(*) from quarantine") == 1
    assert await value_of(database, "select count(*) from gap") == 0


def changing() -> Iterator[str]:
    """Yield statements that would change a record."""
    for table, column in RECORDS.items():
        yield f"update {table} set {column} = 'x'"
        yield f"delete from {table}"
        yield f"truncate {table} cascade"


@contextmanager
def refused(settings: DatabaseSettings, words: str) -> Iterator[None]:
    """Expect that the database refuses the user what is done in the block."""
    with pytest.raises(AccessRefused, match=words), naming_situations(settings):
        yield


async def test_no_one_can_change_a_record_not_even_the_owner(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    async with archiving(tmp_path, database) as bus:
        await bus.append(events(0), [message(raised(NOON_US))])
        await stored_to(database, 1, partition=0)
    async with open_connection(database) as connection:
        for statement in changing():
            with refused(database, "records are never changed"):
                await connection.execute(statement)
        await connection.execute("set session_replication_role = replica")
        with refused(database, "records are never changed"):
            await connection.execute("delete from alarm_transition")
    assert await value_of(database, "select count(*) from alarm_transition") == 1


async def test_the_services_role_stores_everything_and_changes_no_record(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    service = await _service_user(database)
    async with archiving(tmp_path, database, service) as bus:
        await bus.append(events(0), [message(raised(NOON_US)), message(began(NOON_US))])
        await stored_to(database, 2, partition=0)
        start = await bus.start(TopicPartition("plant", 0))
    at = TopicPartition("plant", 1)
    following = type(start)(start.epoch, start.offset + 1)
    content = Content(at, None, start, following, made_block(3))
    async with open_connection(service) as connection:
        assert (await store(connection, content, through_staging=True)).stored == 3
        for statement in changing():
            with refused(service, "permission denied"):
                await connection.execute(statement)
        with refused(service, "must be owner"):
            await connection.execute(
                "alter table alarm_transition disable trigger records_stay"
            )


async def _service_user(database: DatabaseSettings) -> DatabaseSettings:
    """Return settings of a user who has only the services' role."""
    await migrate(database)
    name = f"{database.namespace}_archiver"
    async with open_connection(database) as connection:
        await connection.execute(
            f"create user {name} password 'of-a-test'"
            f" in role {database.namespace}_services"
        )
    return _as_user(database, name)


def _as_user(database: DatabaseSettings, name: str) -> DatabaseSettings:
    where = database.dsn.get_secret_value().rpartition("@")[2]
    dsn = SecretStr(f"postgresql://{name}:of-a-test@{where}")
    return DatabaseSettings(dsn=dsn, namespace=database.namespace)


async def test_events_of_a_log_that_is_no_more_are_said_to_be_lost(
    tmp_path: Path, database: DatabaseSettings
) -> None:
    await migrate(database)
    async with open_connection(database) as connection:
        await connection.execute(
            "insert into position (topic, partition, epoch, next_offset)"
            " values ('events', 0, 'gone', 7)"
        )
    async with archiving(tmp_path, database) as bus:
        await bus.append(events(0), [message(raised(NOON_US))])
        await stored_to(database, 1, partition=0)
    lost = "select epoch || record || ' ' || reason from quarantine"
    assert str(await value_of(database, lost)).startswith("gone7 events may be lost: ")
    assert await value_of(database, "select count(*) from alarm") == 1
    assert await value_of(database, "select count(*) from gap") == 0


async def test_without_the_right_to_make_roles_the_triggers_stand_guard(
    database: DatabaseSettings,
) -> None:
    owner = f"{database.namespace}_owner"
    async with open_connection(database) as connection:
        name = await connection.fetchval("select quote_ident(current_database())")
        await connection.execute(f"create user {owner} password 'of-a-test'")
        await connection.execute(f"grant create on database {name} to {owner}")
    modest = _as_user(database, owner)
    await migrate(modest)
    async with open_connection(modest) as connection:
        roles = "select count(*) from pg_roles where rolname = $1"
        services = f"{database.namespace}_services"
        assert await connection.fetchval(roles, services) == 0
        for statement in changing():
            with refused(modest, "records are never changed"):
                await connection.execute(statement)
