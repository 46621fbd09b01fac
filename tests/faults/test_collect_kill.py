"""The collector as a process of its own, killed without warning."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from services.ingest.opcua.subscription import utc_now
from shared.domain import GapCause
from tests.integration.collect.collected import (
    HEARTBEAT,
    PARTITIONS,
    Collected,
    check_balance,
    plant_of,
)
from tests.neighbours.instrument import Instrument, sending

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

STEP_US = 100_000
INTERVAL_US = 200_000


@pytest.fixture
async def collected(tmp_path: Path) -> AsyncIterator[Collected]:
    async with Collected(tmp_path) as one:
        yield one


async def process(collected: Collected) -> Process:
    """Start `python -m services.ingest.collect`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FEDBATCH_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ingest.collect",
        env=clean
        | {
            "FEDBATCH_COLLECTOR_BUS__URL": f"local:{collected.folder / 'log'}",
            "FEDBATCH_COLLECTOR_BUS__PARTITIONS": str(PARTITIONS),
            "FEDBATCH_COLLECTOR_SPOOL": str(collected.folder / "spool"),
            "FEDBATCH_COLLECTOR_STOP_WITH_PARENT": "true",
        },
    )


async def test_kill_9_leaves_one_gap_of_its_time_and_nothing_double(
    collected: Collected,
) -> None:
    async with Instrument(4) as instrument:
        await collected.apply(plant_of(instrument.url, 4))
        first = await process(collected)
        await collected.until(lambda: collected.all_subscribed(4))
        task = asyncio.create_task(
            sending(instrument, start=utc_now(), step=STEP_US, every_s=0.1)
        )
        await collected.until(lambda: len(collected.process()) > 100)
        first.send_signal(signal.SIGKILL)
        before = instrument.sent[-1][1]
        await first.wait()
        await collected.until(lambda: instrument.sent[-1][1] > before + 2_000_000)
        after = instrument.sent[-1][1]
        second = await process(collected)
        down = GapCause.COLLECTOR_DOWN
        await collected.until(lambda: len(collected.closed(down)) == 1)
        up = instrument.sent[-1][1]
        count = len(collected.process())
        await collected.until(lambda: len(collected.process()) > count + 50)
        task.cancel()
        former = instrument.server.iserver.subscription_service.subscriptions
        assert len(former) == 1  # the killed collector's no longer queues for nobody
        second.send_signal(signal.SIGTERM)
        assert await second.wait() == 0
        await collected.read()
    (gap,) = collected.closed(down)
    assert gap.end is not None
    assert after > before
    assert gap.end - gap.start <= up - before + 2 * INTERVAL_US
    last = max(r.time for r in collected.process())
    check_balance(collected, [s for s in instrument.sent if s[1] <= last])
    of_vessels = [r for r in collected.readings if r.tag != HEARTBEAT]
    assert collected.counts["spooled"] == len(of_vessels)
    others = collected.counts["duplicate"] + collected.counts["quarantined"]
    assert collected.counts["seen"] == len(of_vessels) + others
    keys = [(r.tag, r.time, r.tie) for r in collected.process()]
    assert len(keys) == len(set(keys))


async def test_a_stop_on_request_loses_nothing_that_arrived(
    collected: Collected,
) -> None:
    async with Instrument(2) as instrument:
        await collected.apply(plant_of(instrument.url, 2))
        one = await process(collected)
        await collected.until(lambda: collected.all_subscribed(2))
        for i in range(5):
            await instrument.send(utc_now() + i)
        await collected.until(lambda: len(collected.process()) >= 10)
        one.send_signal(signal.SIGTERM)
        assert await one.wait() == 0
        await collected.read()
    check_balance(collected, instrument.sent)
    assert collected.kinds["ledger"] >= 1
