"""Faults of a live plant as an OPC UA client injects, sees and clears them."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from asyncua import ua

from deploy.command.faulting import (
    Plant,
    cleared,
    commanded,
    injected,
    listed,
    written,
)
from shared.domain import Unavailable
from simulators.faults import record
from simulators.loop import STATE_FILE, Loop
from simulators.outlet import Outlet
from simulators.publication import BAD_NO_COMMUNICATION
from simulators.servers.batch_desk import BatchDesk
from simulators.servers.fault_desk import FaultDesk
from simulators.servers.flat import Endpoint, FlatServer
from simulators.servers.remote import PlantRefuses
from simulators.servers.variables import of_site
from simulators.settings import SimulatorSettings
from simulators.start import pace, start
from simulators.storage import read_json
from tests.integration.simulators.listening import Listener, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPEED, PRESSURE = "BR101.SIC-101.PV", "BR101.PIC-101.PV"
SCENARIO = """
about: a calibration two seconds after going live
faults:
  - {fault: H02, vessel: BR101, after: live, delay: PT2S, duration: PT1M}
"""


@dataclass
class Live:
    """A live plant of one vessel with its folder."""

    server: FlatServer
    folder: Path

    def line(self, identifier: str) -> dict[str, Any]:
        return record.read(self.folder / record.FILE)[identifier]


def clock() -> int:
    return time.time_ns() // 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    folder = tmp_path_factory.mktemp("plant")
    scenario = folder / "one.yaml"
    scenario.write_text(SCENARIO)
    given = SimulatorSettings.model_validate(
        {
            "data": folder,
            "processes": "cho=1,ecoli=1",
            "history": "PT0S",
            "scenario": str(scenario),
        }
    )
    begun = start(given, clock())
    site = begun.site
    server = FlatServer(Endpoint(), of_site("site", "area", site.suites))
    await server.build()
    desk = FaultDesk(site)
    await server.offer(desk, BatchDesk(site))
    server.accept(site.operate)
    loop = Loop(
        site, server, Outlet(server, None), pace=pace(given), folder=folder,
        clock=clock, mode=begun.mode, desk=desk,
    )  # fmt: skip
    await loop.publish_first()
    async with server:
        task = asyncio.create_task(loop.run())
        try:
            yield Live(server, folder)
        finally:
            task.cancel()
            await asyncio.wait([task])


async def call(client: Listener, method: str, *given: Any) -> Any:
    desk = client.node("Faults")
    return await desk.call_method(f"{client.namespace}:{method}", *given)


async def active(client: Listener) -> list[str]:
    """Return the lines of `Active` but that of the scenario's fault."""
    lines = await client.node("Faults.Active").read_value()
    return [line for line in lines if not line.startswith("H02")]


async def test_a_planned_fault_counts_from_going_live(plant: Live) -> None:
    async with listening(plant.server.url) as client:
        await client.subscribe(["BR101.AIC-101.PV"], each=True)
        await client.until(lambda: any(row[3] for row in client.received))
        assert client.received[-1][2] is None
        assert ua.StatusCode(client.received[-1][3]).name == "BadOutOfService"
    line = plant.line("H02-BR101-1")
    assert (line["state"], line["expected"]) == ("at work", "silent")


async def test_an_injected_trip_is_on_record_shown_and_cleared(plant: Live) -> None:
    async with listening(plant.server.url) as client:
        await client.subscribe([SPEED], each=True)
        name = await call(client, "Inject", "BR101", "A06", math.nan, 600.0)
        assert plant_active(await active(client), name)
        await client.until(lambda: any(row[2] < 10 for row in client.received))
        line = plant.line(name)
        assert line["source"] == "method"
        assert line["end_us"] - line["onset_us"] == 600_000_000
        assert line["first_detectable_us"] - line["onset_us"] <= 2_000_000
        saved = read_json(plant.folder / STATE_FILE)
        assert saved is not None
        assert name in {one["id"] for one in saved["plants"][0]["faults"]["all"]}
        assert await call(client, "Clear", "BR101", "A06") == 1
        assert await active(client) == []
        await client.until(lambda: bool(client.received[-1][2] > 70))
    assert plant.line(name)["state"] == "over"


def plant_active(lines: list[str], name: str) -> bool:
    return len(lines) == 1 and lines[0].startswith(f"{name} agitation trip: ")


async def test_a_vessel_without_communication_says_so_once_and_comes_back(
    plant: Live,
) -> None:
    async with listening(plant.server.url) as client:
        await client.subscribe([PRESSURE, "BR101.Phase"], each=True)
        await call(client, "Inject", "BR101", "C01", math.nan, math.nan)
        await client.until(lambda: bad(client, PRESSURE) == 1)
        ticks = client.of(PRESSURE)[-1][1]
        await asyncio.wait_for(beats(client, 2), 30)
        assert client.of(PRESSURE)[-1][1] == ticks
        assert bad(client, PRESSURE) == bad(client, "BR101.Phase") == 1
        await call(client, "Clear", "BR101", "C01")
        for node in (PRESSURE, "BR101.Phase"):
            await client.until(partial(good_again, client, node))


def good_again(client: Listener, node: str) -> bool:
    return client.of(node)[-1][3] == 0


def bad(client: Listener, node: str) -> int:
    return sum(row[3] == BAD_NO_COMMUNICATION for row in client.of(node))


async def beats(client: Listener, count: int) -> None:
    """Wait until the plant's loop has gone on for `count` seconds."""
    await client.subscribe(["Heartbeat"], each=True)
    await client.until(lambda: len(client.of("Heartbeat")) > count)


MISFITS: tuple[tuple[Any, ...], ...] = (
    ("Inject", "BR999", "A06", math.nan, math.nan),
    ("Inject", "BR101", "X99", math.nan, math.nan),
    ("Inject", "BR101", "A06", 7.0, math.nan),
    ("Inject", "BR101", "A06", math.nan, math.inf),
    ("Inject", "BR101", "A06", math.nan, -1.0),
    ("Inject", "BR101", "A06"),
    ("Inject", "BR101", 6, 1.0, 60.0),
    ("Clear", "BR999", "A06"),
    ("Clear",),
)


async def test_a_call_that_does_not_fit_is_refused_and_changes_nothing(
    plant: Live,
) -> None:
    async with listening(plant.server.url) as client:
        for method, *given in MISFITS:
            with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
                await call(client, method, *given)
        assert await active(client) == []


async def test_the_faults_are_no_process_variables(plant: Live) -> None:
    assert all("Faults" not in variable.node for variable in plant.server.variables)
    async with listening(plant.server.url) as client:
        with pytest.raises(ua.UaStatusCodeError):
            await client.node("Faults.Active").write_value(["mine"])


async def test_the_record_of_truth_is_a_stream_too(plant: Live) -> None:
    async with listening(plant.server.url) as client:
        await client.subscribe(["Faults.Truth"], each=True)
        name = await call(client, "Inject", "BR101", "S14", math.nan, 600.0)
        await client.until(lambda: any(name in str(row[2]) for row in client.received))
        lines = [json.loads(line) for row in client.received for line in row[2] or ()]
        told = [line for line in lines if line["id"] == name]
        assert told[0]["signature"] == ["WIT-101.PV"]
        assert told[0]["how"] == {"WIT-101.PV": "moves"}
        await call(client, "Clear", "BR101", "S14")


async def test_a_setpoint_written_over_opc_ua_comes_back_with_the_next_instant(
    plant: Live,
) -> None:
    node = "BR101.AIC-102.SP"
    async with listening(plant.server.url) as client:
        await client.subscribe([node], each=True)
        await client.node(node).write_value(45.0, ua.VariantType.Double)
        await client.until(lambda: any(row[2] == 45.0 for row in client.received))
        with pytest.raises(ua.UaStatusCodeError, match="BadOutOfRange"):
            await client.node(node).write_value(450.0, ua.VariantType.Double)
        with pytest.raises(ua.UaStatusCodeError, match="BadTypeMismatch"):
            await client.node(node).write_value("full", ua.VariantType.String)
        with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
            await client.node(SPEED).write_value(100.0, ua.VariantType.Double)


async def test_the_command_injects_lists_clears_and_writes(plant: Live) -> None:
    there = Plant(plant.server.url)
    said = await injected(there, "BR101", "S09", 0.2, "1h")
    assert said.startswith("S09-BR101-")
    assert "S09-BR101" in await listed(there)
    with pytest.raises(PlantRefuses, match="expected a vessel of"):
        await injected(there, "BR101", "S09", None, None)
    assert await cleared(there, "BR101", "S09") == "1 ended"
    await written(there, "BR101.AIC-101.MODE", 0)
    with pytest.raises(PlantRefuses, match="expected a setpoint, mode or output"):
        await written(there, "BR101.AIC-101.OUT", 1000.0)
    await written(there, "BR101.AIC-101.MODE", 1)


async def test_a_batch_is_held_and_goes_on_and_its_state_follows(plant: Live) -> None:
    there = Plant(plant.server.url)
    async with listening(plant.server.url) as client:
        nodes = ["BR102.State", "BR102.FIC-121.SP", "BR102.BatchId", "BR101.State"]
        await client.subscribe(nodes, each=True)
        said = await commanded(there, "Hold", "BR102")
        assert said.startswith("BR102: batch ECOLI-")
        assert said.endswith("is Held")
        await client.until(lambda: client.of("BR102.State")[-1][2] == "Held")
        with pytest.raises(PlantRefuses, match="BadInvalidState"):
            await commanded(there, "Hold", "BR102")
        with pytest.raises(PlantRefuses, match="BadInvalidArgument"):
            await commanded(there, "Hold", "BR109")
        assert await commanded(there, "Restart", "BR102") == said.replace(
            "Held", "Running"
        )
        await client.until(lambda: client.of("BR102.State")[-1][2] == "Running")
        assert {row[2] for row in client.of("BR101.State")} == {"Running"}


async def test_a_plant_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="expected a simulated plant"):
        await listed(Plant("opc.tcp://127.0.0.1:9"))
