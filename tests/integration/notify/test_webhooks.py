"""Alarms reach a real HTTP receiver, signed, in order, at least once."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.events import AlarmState, Cause
from shared.store.queries import Database
from shared.store.queries_pushes import waiting_pushes
from tests.integration.notify.pushing import T0, Journal, journal, notifying, settings
from tests.integration.notify.receivers import SECRET, Receiver, free_port
from tests.neighbours.said import raised, went_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.notify.settings import NotifierSettings
    from shared.settings import DatabaseSettings

S = 1_000_000


@pytest.fixture
async def told(database: DatabaseSettings) -> AsyncIterator[Journal]:
    async with journal(database) as one:
        yield one


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(free_port())


def to(receiver: Receiver, told: Journal, **more: str) -> NotifierSettings:
    hook = {"url": receiver.url, "secret": SECRET}
    return settings(told.database, webhooks={"it": hook}, **more)


async def test_an_urgent_alarm_and_its_return_arrive_signed_and_explained(
    told: Journal, receiver: Receiver
) -> None:
    alarm = raised(T0, priority=1)
    async with receiver.up(), notifying(to(receiver, told)):
        await told.registered("webhook it")
        await told.add(alarm, went_on(alarm, Cause.RETURNED, AlarmState.RETURNED))
        await receiver.until(lambda it: len(it.arrivals) == 2)
        await told.until("select count(*) from push where outcome = 'delivered'", 2)
    assert receiver.ids == told.ids
    assert all(arrival.is_signed() for arrival in receiver.arrivals)
    assert not receiver.arrivals[0].is_signed(b"another key that is long enough")
    first, second = (arrival.told for arrival in receiver.arrivals)
    assert (first["type"], second["type"]) == ("alarm.raised", "alarm.returned")
    assert first["explanation"]["advice"] == "Look at the jacket."
    assert first["simulated"] is True
    assert first["links"]["alarm"].endswith(f"/alarms/{alarm.alarm}")


async def test_only_what_should_wake_somebody_is_pushed(
    told: Journal, receiver: Receiver
) -> None:
    low, alarm = raised(T0, priority=3), raised(T0 + S)
    shelved = replace(raised(T0 + 2 * S), after=AlarmState.SHELVED)
    back = went_on(shelved, Cause.SHELF_EXPIRED, AlarmState.UNACKNOWLEDGED)
    hidden = replace(raised(T0 + 3 * S), after=AlarmState.SUPPRESSED)
    shown = went_on(hidden, Cause.UNSUPPRESSED, AlarmState.UNACKNOWLEDGED)
    seen = went_on(alarm, Cause.ACKNOWLEDGED, AlarmState.ACKNOWLEDGED, actor="me")
    ended = went_on(seen, Cause.WITHDRAWN, AlarmState.NORMAL, actor="me")
    gone = went_on(raised(T0 + 4 * S), Cause.RETURNED, AlarmState.RETURNED)
    forgotten = went_on(gone, Cause.WITHDRAWN, AlarmState.NORMAL, actor="me")
    async with receiver.up(), notifying(to(receiver, told)):
        await told.registered("webhook it")
        await told.add(low, alarm, seen, shelved, back, hidden, shown)
        await told.add(ended, gone, forgotten)
        await receiver.until(lambda it: len(it.arrivals) == 5)
    assert [a.told["type"] for a in receiver.arrivals] == [
        "alarm.raised",
        "alarm.shelf-expired",
        "alarm.unsuppressed",
        "alarm.withdrawn",
        "alarm.returned",
    ]
    assert await told.value("select count(*) from push") == 5


async def test_a_receiver_that_was_away_gets_everything_in_order(
    told: Journal, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "services.api.notify")
    alarms = [raised(T0 + n * S) for n in range(30)]
    async with notifying(to(receiver, told)):
        await told.registered("webhook it")
        await told.add(*alarms)
        await told.until("select max(attempts) > 2 from push", expected=True)
        async with receiver.up():
            await receiver.until(lambda it: len(it.arrivals) == 30)
            await told.until("select count(*) from push where outcome is null", 0)
    assert receiver.ids == told.ids
    lines = [r.message for r in caplog.records if r.name.endswith("sending")]
    assert len(lines) == 2
    assert lines[0].startswith("pushes wait: webhook it")
    assert lines[1].startswith("webhook it answers again")


async def test_what_waits_and_why_can_be_asked(
    told: Journal, receiver: Receiver
) -> None:
    receiver.answers = lambda _: 503
    async with receiver.up(), notifying(to(receiver, told)):
        await told.registered("webhook it")
        await told.add(raised(T0))
        await receiver.until(lambda it: len(it.arrivals) > 1)
    assert len(set(receiver.ids)) == 1
    async with Database(told.database) as database, database.read() as connection:
        (state,) = await waiting_pushes(connection)
    assert (state.target, state.waiting) == ("webhook it", 1)
    assert state.error == "webhook it: HTTP 503, expected 2xx"


async def test_a_refused_push_does_not_keep_the_next_from_being_told(
    told: Journal, receiver: Receiver
) -> None:
    alarms = [raised(T0 + n * S) for n in range(3)]
    receiver.answers = lambda it: 422 if it.told["alarm"] == alarms[0].alarm else 200
    async with receiver.up(), notifying(to(receiver, told)):
        await told.registered("webhook it")
        await told.add(*alarms)
        await told.until("select count(*) from push where outcome = 'delivered'", 2)
    assert receiver.ids == told.ids
    waits = "select error from push where outcome is null"
    assert await told.value(waits) == "webhook it: HTTP 422, expected 2xx"


async def test_a_push_that_nobody_took_expires_visibly(
    told: Journal, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    async with notifying(to(receiver, told)):
        await told.registered("webhook it")
        await told.add(raised(T0))
        await told.until("select max(attempts) > 0 from push", expected=True)
    async with receiver.up(), notifying(to(receiver, told, give_up_after="PT0S")):
        await told.until("select outcome from push", "expired")
    assert "webhook it: 1 pushes expired" in caplog.text


async def test_a_target_is_told_nothing_from_before_it_was_configured(
    told: Journal, receiver: Receiver
) -> None:
    await told.add(raised(T0))
    async with receiver.up(), notifying(to(receiver, told)):
        await told.registered("webhook it")
        await told.add(raised(T0 + S))
        await receiver.until(lambda it: len(it.arrivals) == 1)
    assert receiver.ids == told.ids[1:]


async def test_what_waits_for_a_target_that_is_no_more_is_withdrawn(
    told: Journal, receiver: Receiver
) -> None:
    async with notifying(to(receiver, told)):
        await told.registered("webhook it")
        await told.add(raised(T0))
        await told.until("select max(attempts) > 0 from push", expected=True)
    other = {"other": {"url": receiver.url, "secret": SECRET}}
    async with receiver.up(), notifying(settings(told.database, webhooks=other)):
        await told.registered("webhook other")
        await told.until("select outcome from push", "withdrawn")
        await told.add(raised(T0 + S))
        await receiver.until(lambda it: len(it.arrivals) == 1)
    assert receiver.ids == told.ids[1:]


async def test_a_push_is_stored_with_its_transition_or_neither_is(
    told: Journal, receiver: Receiver
) -> None:
    alarm = raised(T0)
    async with notifying(to(receiver, told)):
        await told.registered("webhook it")
        with pytest.raises(OverflowError):
            await told.add(alarm, raised(2**62))
        assert await told.value("select count(*) from push") == 0
        await told.add(alarm, alarm)
    assert await told.value("select count(*) from push") == 1
