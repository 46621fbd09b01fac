"""Notifications that do not come, and server queues that overflow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from services.ingest.opcua.discover import discover
from services.ingest.opcua.subscription import utc_now
from shared.domain import GapCause
from tests.integration.collect.collected import (
    Collected,
    check_balance,
    final,
    plant_of,
)
from tests.neighbours.instrument import Instrument

if TYPE_CHECKING:
    from pathlib import Path

    from tests.neighbours.node_opcua import NodeOpcua


def withhold(instrument: Instrument) -> Any:
    """Make the server believe that it sent what is queued; return the subscription."""
    subscriptions = instrument.server.iserver.subscription_service.subscriptions
    (subscription,) = subscriptions.values()
    subscription._pop_publish_result()
    return subscription


async def test_a_notification_that_did_not_come_is_fetched_again(
    tmp_path: Path,
) -> None:
    async with Instrument(3) as instrument, Collected(tmp_path) as collected:
        await collected.apply(plant_of(instrument.url, 3))
        await collected.start()
        await collected.until(lambda: collected.all_subscribed(3))
        start = utc_now()
        await instrument.send(start)
        await collected.until(lambda: len(collected.process()) == 3)
        await instrument.send(start + 1000)
        withhold(instrument)
        await instrument.send(start + 2000)
        await collected.until(lambda: len(collected.process()) == 9)
        await collected.stop()
    origins = {r.time - start: r.origin for r in collected.process()}
    assert (origins[1000], origins[2000]) == ("republished", "live")
    assert not collected.gaps
    check_balance(collected, instrument.sent)


async def test_a_notification_that_the_server_forgot_is_a_gap(tmp_path: Path) -> None:
    async with Instrument(3) as instrument, Collected(tmp_path) as collected:
        await collected.apply(plant_of(instrument.url, 3))
        await collected.start()
        await collected.until(lambda: collected.all_subscribed(3))
        start = utc_now()
        for step in range(2):
            await instrument.send(start + step * 1000)
            await collected.until(lambda n=3 * step + 3: len(collected.process()) == n)  # type: ignore[misc]
        await instrument.send(start + 2000)
        subscription = withhold(instrument)
        subscription._not_acknowledged_results.clear()
        await instrument.send(start + 3000)
        missing = GapCause.SEQUENCE_MISSING
        await collected.until(lambda: len(collected.closed(missing)) == 1)
        await collected.until(lambda: len(collected.process()) == 9)
        await collected.stop()
    (gap,) = collected.closed(missing)
    assert (gap.start - start, (gap.end or 0) - start) == (1001, 3000)
    check_balance(collected, instrument.sent)


@pytest.mark.node
async def test_what_a_servers_queue_dropped_is_a_gap_of_that_tag(
    node_opcua: NodeOpcua, tmp_path: Path
) -> None:
    plant = await discover(node_opcua.url, folder=tmp_path / "c", partitions=2)
    server = plant.servers[0].model_copy(
        update={"sampling_interval_ms": 0, "queue_size": 3}
    )
    async with Collected(tmp_path) as collected:
        await collected.apply(plant.model_copy(update={"servers": (server,)}))
        await collected.start()
        (vessel,) = plant.vessels
        ids = {tag.name: tag.id for tag in vessel.tags}
        await collected.until(
            lambda: set(ids.values()) <= {r.tag for r in collected.readings}
        )
        first = await asyncio.to_thread(node_opcua.send, 1, good=True)
        double = ids["Double"]
        await collected.until(
            lambda: any(
                (r.tag, r.time) == (double, first[0].time) for r in collected.readings
            )
        )
        sent = await asyncio.to_thread(node_opcua.send, 20, good=True)
        await collected.until(
            lambda: any(
                (r.tag, r.time) == (double, sent[-1].time) for r in collected.readings
            )
        )
        await collected.stop()
        await collected.read()
    gaps = [g for g in final(collected.gaps) if g.tags == (double,)]
    assert gaps
    assert {g.cause for g in gaps} == {GapCause.QUEUE_OVERFLOW}
    found = {r.time for r in collected.readings if r.tag == double}
    lost = [s.time for s in sent if s.name == "Double" and s.time not in found]
    assert lost
    for time in lost:
        assert any(g.start <= time < (g.end or 0) for g in gaps)
