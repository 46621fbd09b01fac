"""What breaks between an instrument and the log is declared, and heals by itself."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from services.ingest.opcua.subscription import utc_now
from shared.domain import Actual, GapCause
from tests.integration.collect.collected import Collected, check_balance, plant_of
from tests.neighbours.instrument import Instrument, sending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STEP_US = 100_000
EVERY_S = 0.1


@contextlib.asynccontextmanager
async def sender(
    instrument: Instrument, start: int | None = None
) -> AsyncIterator[None]:
    """Send in the background."""
    begin = utc_now() if start is None else start
    task = asyncio.create_task(
        sending(instrument, start=begin, step=STEP_US, every_s=EVERY_S)
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def collected(tmp_path: Path) -> AsyncIterator[Collected]:
    async with Collected(tmp_path) as one:
        yield one


async def all_arrives(collected: Collected, instrument: Instrument) -> None:
    """Wait until the last value sent of every tag is on the log."""
    last = {s[0]: s for s in instrument.sent}

    def there() -> bool:
        found = {(r.tag - 1, r.time, r.value) for r in collected.process()}
        return set(last.values()) <= found

    await collected.until(there)


async def test_every_value_sent_is_on_the_log_once(collected: Collected) -> None:
    async with Instrument(6) as instrument:
        await collected.apply(plant_of(instrument.url, 6))
        await collected.start()
        await collected.until(lambda: collected.all_subscribed(6))
        async with sender(instrument):
            await collected.until(lambda: len(collected.process()) > 200)
        await all_arrives(collected, instrument)
        await collected.stop()
        await collected.read()
    assert not collected.gaps
    assert {r.partition for r in collected.process() if r.tag <= 3} == {0}
    assert {r.partition for r in collected.process() if r.tag > 3} == {1}
    check_balance(collected, instrument.sent)


async def test_a_restarted_server_is_collected_again_within_30_s(
    collected: Collected,
) -> None:
    instrument = Instrument(5)
    await instrument.start()
    await collected.apply(plant_of(instrument.url, 5))
    await collected.start()
    await collected.until(lambda: collected.all_subscribed(5))
    async with sender(instrument):
        await collected.until(lambda: len(collected.process()) > 40)
    await instrument.stop()
    await collected.until(lambda: collected.states[1].actual is Actual.DISCONNECTED)
    assert "opc.tcp://" in collected.states[1].error
    await instrument.start()
    async with sender(instrument):
        await collected.until(lambda: any(g.end for g in collected.gaps), within_s=30)
    await all_arrives(collected, instrument)
    await instrument.stop()
    await collected.stop()
    await collected.read()
    check_balance(collected, instrument.sent)
    assert len({h.session for h in collected.headers}) == 2


async def test_five_missing_nodes_do_not_disturb_ninety_five(
    collected: Collected,
) -> None:
    instrument = Instrument(100, max_items=30)
    await instrument.start()
    await collected.apply(plant_of(instrument.url, 100))
    await collected.start()
    await collected.until(lambda: collected.all_subscribed(100))
    async with sender(instrument):
        await collected.until(lambda: len(collected.process()) > 300)
    await instrument.stop()
    instrument.hidden = {0, 20, 40, 60, 80}
    await instrument.start()
    refused = Actual.REFUSED
    async with sender(instrument):
        await collected.until(
            lambda: (
                sum(s.actual is refused for s in collected.states.values()) == 5
                and any(g.end for g in collected.gaps)
            )
        )
        assert "BadNodeIdUnknown" in collected.states[21].error
    for i in [*instrument.hidden]:
        await instrument.show(i)
    async with sender(instrument):
        await collected.until(lambda: collected.all_subscribed(100), within_s=60)
        cause = GapCause.TAG_REFUSED
        await collected.until(
            lambda: (
                sum(g.cause is cause and g.end is not None for g in collected.gaps) == 5
            )
        )
    await all_arrives(collected, instrument)
    await instrument.stop()
    await collected.stop()
    await collected.read()
    check_balance(collected, instrument.sent)


async def test_an_unreachable_server_is_shown_and_disturbs_no_other(
    collected: Collected,
) -> None:
    from tests.neighbours.instrument import free_port

    nowhere = f"opc.tcp://127.0.0.1:{free_port()}/"
    async with Instrument(2) as instrument:
        plant = plant_of(instrument.url, 2)
        other = plant_of(nowhere, 1, name="B").servers[0]
        beat = other.heartbeat.model_copy(update={"id": 9001})
        other = other.model_copy(update={"heartbeat": beat})
        plant = plant.model_copy(update={"servers": (*plant.servers, other)})
        await collected.apply(plant)
        await collected.start()
        async with sender(instrument):
            await collected.until(lambda: len(collected.process()) > 40)
            await collected.until(
                lambda: collected.states[9001].actual is Actual.DISCONNECTED
            )
        assert nowhere in collected.states[9001].error
        await collected.stop()


async def test_a_new_configuration_keeps_what_stays(collected: Collected) -> None:
    async with Instrument(4) as instrument:
        await collected.apply(plant_of(instrument.url, 3))
        await collected.start()
        await collected.until(lambda: collected.all_subscribed(3))
        async with sender(instrument):
            await collected.until(lambda: len(collected.process()) > 20)
            await collected.apply(plant_of(instrument.url, 4))
            await collected.until(lambda: collected.all_subscribed(4))
            await collected.until(lambda: any(r.tag == 4 for r in collected.process()))
            await collected.apply(plant_of(instrument.url, 2))
            await collected.until(lambda: collected.states[4].desired.value == "none")
        await collected.stop()
        await collected.read()
    assert not collected.gaps
    kept = [s for s in instrument.sent if s[0] < 2]
    found = {(r.tag - 1, r.time, r.value) for r in collected.process()}
    last = max(time for i, time, _ in found if i == 0)
    assert {s for s in kept if s[1] <= last} <= found
    assert {h.configuration for h in collected.headers} >= {1, 2}
