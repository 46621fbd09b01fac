"""The process that pushes is killed without warning, again and again."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.integration.notify.pushing import (
    T0,
    Journal,
    journal,
    kill,
    nothing_is_noted,
    process,
)
from tests.integration.notify.receivers import SECRET, Receiver, free_port
from tests.neighbours.said import raised

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.settings import DatabaseSettings

S = 1_000_000
_BLOCKED = """
select count(*) > 0 from pg_stat_activity
where wait_event_type = 'Lock' and query like '%update push set%delivered%'"""


@pytest.fixture
async def told(database: DatabaseSettings) -> AsyncIterator[Journal]:
    async with journal(database) as one:
        yield one


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver(free_port())
    async with one.up():
        yield one


def has(count: int, receiver: Receiver) -> bool:
    return len(receiver.arrivals) >= count


async def test_a_kill_between_delivery_and_its_note_repeats_with_the_same_id(
    told: Journal, receiver: Receiver
) -> None:
    first = await process(told.database, receiver.url, SECRET)
    await told.registered("webhook it")
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await go_on.wait()

    receiver.before = wait
    await told.add(raised(T0))
    await reached.wait()
    async with nothing_is_noted(told):
        go_on.set()
        await told.until(_BLOCKED, expected=True)
        await kill(first)
        await told.until(_BLOCKED.replace("> 0", "= 0"), expected=True)
    second = await process(told.database, receiver.url, SECRET)
    await receiver.until(lambda it: len(it.arrivals) == 2)
    await told.until("select outcome from push", "delivered")
    await kill(second)
    assert receiver.ids == told.ids * 2
    assert receiver.arrivals[0].content == receiver.arrivals[1].content


async def test_whatever_is_killed_every_push_arrives_and_none_without_its_alarm(
    told: Journal, receiver: Receiver
) -> None:
    chance = random.Random(7)
    running = await process(told.database, receiver.url, SECRET)
    await told.registered("webhook it")
    for round_ in range(4):
        await told.add(*(raised(T0 + (round_ * 10 + n) * S) for n in range(10)))
        seen = len(receiver.arrivals) + chance.randrange(8)
        await receiver.until(partial(has, seen))
        await kill(running)
        running = await process(told.database, receiver.url, SECRET)
    await told.until("select count(*) from push where outcome is null", 0)
    await kill(running)
    assert list(dict.fromkeys(receiver.ids)) == told.ids
    assert len(receiver.ids) <= len(told.ids) + 4


async def test_of_two_processes_one_sends_and_the_other_takes_over(
    told: Journal, receiver: Receiver
) -> None:
    first = await process(told.database, receiver.url, SECRET)
    await told.registered("webhook it")
    second = await process(told.database, receiver.url, SECRET)
    locks = "select count(*) from pg_locks where locktype = 'advisory' and granted"
    await told.add(*(raised(T0 + n * S) for n in range(5)))
    await told.until("select count(*) from push where outcome = 'delivered'", 5)
    assert await told.value(locks) == 1
    await kill(first)
    await told.add(raised(T0 + 9 * S))
    await told.until("select count(*) from push where outcome = 'delivered'", 6)
    await kill(second)
    assert receiver.ids == told.ids
