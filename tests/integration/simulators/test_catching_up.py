"""The plant's loop behind a real server: history first, then live; restarts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from simulators import truth
from simulators.instants import TICKS_AT_1970
from simulators.loop import STATUS_FILE, Loop, Mode
from simulators.outlet import Outlet
from simulators.servers.flat import Endpoint, FlatServer
from simulators.servers.variables import HEARTBEAT, of_plant
from simulators.settings import SimulatorSettings
from simulators.site import Site
from simulators.start import pace, start
from tests.integration.simulators.listening import Listener, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECOND = 1_000_000
VESSEL = "BR101"


def clock() -> int:
    return time.time_ns() // 1000


def settings(folder: Path, **changes: Any) -> SimulatorSettings:
    plain = {"data": folder, "vessels": 1, "history": "PT2H", "truth": True}
    return SimulatorSettings.model_validate(plain | changes)


@dataclass
class Running:
    """A loop at work with its neighbours."""

    plant: Site
    server: FlatServer
    loop: Loop
    truth: Path
    folder: Path

    def status(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads((self.folder / STATUS_FILE).read_text())
        return body


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[FlatServer]:
    """One server that listens, for the plants of all tests, one after the other."""
    made = FlatServer(Endpoint(), of_plant("demo-site", "upstream", [VESSEL]))
    await made.build()
    async with made:
        yield made


@contextlib.asynccontextmanager
async def running(
    given: SimulatorSettings, server: FlatServer
) -> AsyncIterator[Running]:
    """Run a plant as simulators.__main__ does; stop it at the end."""
    given.data.mkdir(exist_ok=True)
    begun = start(given, clock())
    nodes = [v.node for v in server.variables]
    with truth.Truth(given.data, clock(), nodes) as record:
        loop = Loop(
            begun.site,
            server,
            Outlet(server, record),
            pace=pace(given),
            folder=given.data,
            clock=clock,
            mode=begun.mode,
        )
        await loop.publish_first()
        task = asyncio.create_task(loop.run())
        try:
            yield Running(begun.site, server, loop, record.path, given.data)
        finally:
            task.cancel()
            await asyncio.wait([task])


def nodes_of(running: Running) -> list[str]:
    return [v.node for v in running.server.variables]


def on_record(path: Path) -> dict[str, list[tuple[int, Any, int]]]:
    """Return (ticks, value or text, status) per node, in order."""
    rows: dict[str, list[tuple[int, Any, int]]] = {}
    for row in truth.read(path).to_pylist():
        body = row["value"] if row["text"] is None else row["text"]
        rows.setdefault(row["node"], []).append((row["ticks"], body, row["status"]))
    return rows


def ticks_now() -> int:
    return clock() * 10 + TICKS_AT_1970


async def test_a_client_gets_every_value_on_record_bit_for_bit(
    tmp_path: Path, server: FlatServer
) -> None:
    before = server.dropped
    async with (
        running(settings(tmp_path), server) as sim,
        listening(sim.server.url) as client,
    ):
        await live(client, sim)
        live_from = len(client.of(f"{VESSEL}.TIC-101.PV"))
        await client.until(
            lambda: len(client.of(f"{VESSEL}.TIC-101.PV")) >= live_from + 3
        )
        assert max(row[1] for row in client.received) <= ticks_now()
        got = {n: [row[1:] for row in client.of(n)] for n in nodes_of(sim)}
    recorded = on_record(sim.truth)
    assert set(recorded) == set(got)
    for node, rows in got.items():
        assert rows == recorded[node][: len(rows)], node
        assert len(recorded[node]) - len(rows) <= 3, node
    assert sim.server.dropped == before


async def test_catching_up_takes_the_step_and_ends_on_whole_seconds(
    tmp_path: Path, server: FlatServer
) -> None:
    given = settings(tmp_path, history="PT1H", catchup_step="PT2M")
    async with running(given, server) as sim, listening(sim.server.url) as client:
        began, tag = sim.plant.now, f"{VESSEL}.AIC-101.PV"

        def times() -> list[int]:
            return [(row[1] - TICKS_AT_1970) // 10 for row in client.of(tag)]

        def steps() -> list[int]:
            return [b - a for a, b in pairwise(times())]

        await live(client, sim)
        await client.until(lambda: steps()[-2:] == [SECOND, SECOND])
        assert times()[0] == began
        assert steps()[:29] == [120 * SECOND] * 29
        assert times()[-1] % SECOND == 0


async def test_nothing_is_published_before_somebody_listens(
    tmp_path: Path, server: FlatServer
) -> None:
    async with running(settings(tmp_path), server) as sim:
        began = sim.plant.now
        async with listening(sim.server.url) as client:
            await client.subscribe([HEARTBEAT], each=True)
            await client.until(lambda: len(client.of(HEARTBEAT)) >= 2)
            assert sim.plant.now == began
            assert sim.status()["state"] == "waiting"
            await client.subscribe(
                [n for n in nodes_of(sim) if n != HEARTBEAT], each=True
            )
            await client.until(lambda: sim.loop.mode is Mode.LIVE)


async def test_without_a_client_it_goes_on_when_the_wait_is_over(
    tmp_path: Path, server: FlatServer
) -> None:
    given = settings(tmp_path, history="PT10M", wait="PT0S")
    async with running(given, server) as sim, listening(sim.server.url) as client:
        await client.subscribe([HEARTBEAT], each=True)
        await client.until(lambda: sim.loop.mode is Mode.LIVE)


async def test_it_waits_for_slow_clients_instead_of_dropping(
    tmp_path: Path, server: FlatServer
) -> None:
    given, before = settings(tmp_path, history="PT1H"), server.dropped
    async with running(given, server) as sim, listening(sim.server.url) as client:
        process = [n for n in nodes_of(sim) if n != HEARTBEAT]
        await client.subscribe(process, each=True, queue=10, interval_ms=100.0)
        await client.until(lambda: sim.loop.mode is Mode.LIVE)
        assert sim.server.dropped == before
        times = [row[1] for row in client.of(f"{VESSEL}.TIC-101.PV")]
        assert len(times) >= 60


async def test_the_heartbeat_ticks_each_second_of_wall_time(
    tmp_path: Path, server: FlatServer
) -> None:
    async with (
        running(settings(tmp_path), server) as sim,
        listening(sim.server.url) as client,
    ):
        await client.subscribe([HEARTBEAT], each=True)
        await client.until(lambda: len(client.received) >= 3)
        values = [row[2] for row in client.received]
        assert values == [values[0] + n for n in range(len(values))]
        for _, ticks, value, _ in client.received:
            assert 0 <= (ticks - TICKS_AT_1970) / 1e7 - value < 1.0


async def test_the_status_file_tells_how_far_it_is(
    tmp_path: Path, server: FlatServer
) -> None:
    given = settings(tmp_path, history="PT30M")
    async with running(given, server) as sim, listening(sim.server.url) as client:
        await client.subscribe(nodes_of(sim), each=True)
        await client.until(lambda: sim.loop.mode is Mode.LIVE)
        status = sim.status()
        assert status["state"] == "live"
        assert status["percent"] == 100.0
        assert status["endpoint"] == sim.server.url


async def live(client: Listener, sim: Running) -> None:
    await client.subscribe(nodes_of(sim), each=True)
    await client.until(lambda: sim.loop.mode is Mode.LIVE)


async def test_a_live_plant_resumes_at_the_clock_and_skips_the_time_between(
    tmp_path: Path, server: FlatServer
) -> None:
    given = settings(tmp_path, history="PT10M")
    async with running(given, server) as sim, listening(sim.server.url) as client:
        await live(client, sim)
    stopped, batch = sim.plant.now, sim.plant.suites[0].plant.context(0)
    later = stopped + 3_600 * SECOND + 123_456
    begun = start(given, later)
    assert begun.mode is Mode.LIVE
    assert begun.site.now == later // SECOND * SECOND
    assert begun.hole == (stopped, begun.site.now)
    assert begun.site.suites[0].plant.context(0) == batch


async def test_a_plant_stopped_while_catching_up_resumes_without_repeating(
    tmp_path: Path, server: FlatServer
) -> None:
    given = settings(tmp_path, history="P2D")
    async with running(given, server) as sim, listening(sim.server.url) as client:
        await client.subscribe(nodes_of(sim), each=True, queue=10, interval_ms=200.0)
        await client.until(lambda: len(client.of(f"{VESSEL}.TIC-101.PV")) > 20)
        assert sim.loop.mode is Mode.CATCHING_UP
    last = max(
        row["time"]
        for row in truth.read(sim.truth).to_pylist()
        if row["node"] != HEARTBEAT
    )
    begun = start(given, clock())
    assert begun.mode is Mode.WAITING
    assert begun.site.now == last + 60 * SECOND


async def test_history_is_not_told_to_a_client_that_lost_its_connection(
    tmp_path: Path, server: FlatServer
) -> None:
    given = settings(tmp_path, history="P1D")
    async with running(given, server) as sim:
        with contextlib.suppress(ConnectionError):
            async with listening(sim.server.url) as lost:
                await lost.subscribe(nodes_of(sim), each=True, queue=10)
                await lost.until(lambda: len(lost.of(f"{VESSEL}.TIC-101.PV")) > 10)
                lost.client.uaclient.protocol.transport.abort()
                raise ConnectionError
        async with listening(sim.server.url) as client:
            await client.subscribe([HEARTBEAT], each=True)
            await client.until(lambda: len(client.of(HEARTBEAT)) >= 2)
            assert sim.loop.mode is Mode.WAITING
            reached = sim.plant.now
            await client.subscribe(
                [n for n in nodes_of(sim) if n != HEARTBEAT], each=True
            )
            await client.until(lambda: sim.loop.mode is Mode.LIVE)
            first = client.of(f"{VESSEL}.TIC-101.PV")[0]
            assert (first[1] - TICKS_AT_1970) // 10 == reached
