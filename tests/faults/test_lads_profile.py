"""The LADS profile as a client sees it that was not written here: node-opcua."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from simulators.loop import Loop
from simulators.outlet import Outlet
from simulators.procedural import Command
from simulators.servers import lads_model
from simulators.servers.batch_desk import BatchDesk
from simulators.servers.flat import Endpoint, FlatServer
from simulators.servers.lads import LadsProfile
from simulators.servers.variables import of_site
from simulators.settings import SimulatorSettings
from simulators.start import pace, start
from tests.neighbours.node_opcua import FOLDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.node
EMPTIED_US = 9 * 3_600_000_000
"""After an abort a vessel is empty, and clean for some hours more."""
UANODESET = "{http://opcfoundation.org/UA/2011/03/UANodeSet.xsd}"


def clock() -> int:
    return time.time_ns() // 1000


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """Return where a live plant shows both profiles; BR102 is Idle."""
    given = SimulatorSettings(data=tmp_path, vessels=2, history="PT0S", lads=True)
    begun = start(given, clock() - EMPTIED_US)
    site = begun.site
    site.command("BR102", Command.ABORT)
    site.plant_of("BR102").fast_forward(clock())
    server = FlatServer(Endpoint(), of_site("site", "area", site.suites))
    await server.build()
    await server.show_lads(LadsProfile(BatchDesk(site), site.operate))
    server.accept(site.operate)
    loop = Loop(
        site, server, Outlet(server, None), pace=pace(given), folder=tmp_path,
        clock=clock, mode=begun.mode,
    )  # fmt: skip
    await loop.publish_first()
    async with server:
        task = asyncio.create_task(loop.run())
        yield server.url
        task.cancel()
        await asyncio.wait([task])


async def seen_by_node_opcua(url: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        "node", "browse.js", url, cwd=FOLDER,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, errors.decode()[-2000:]
    (line,) = (one for one in output.decode().splitlines() if one.startswith("{"))
    found: dict[str, Any] = json.loads(line)
    return found


async def test_another_client_finds_reads_writes_holds_and_starts_a_lads_bioreactor(
    node_modules: None, url: str
) -> None:
    found = await seen_by_node_opcua(url)
    assert found["functions"]["TemperatureController"] == 1009
    assert found["functions"]["Pump1"] == 1014
    assert found["functions"]["pHSensor"] == 1000
    assert found["functions"]["FoamSensor"] == 1031
    assert len(found["functions"]) == len(lads_model.FUNCTIONS)
    assert found["range"] == [0.0, 60.0]
    assert found["unitId"] == 4408652
    assert found["batch"].startswith("CHO-")
    assert found["step"] == "Growth"
    assert (found["written"], found["held"]) == ("Good", "Good")
    assert found["again"] == "BadInvalidState"
    assert (found["busy"], found["started"]) == ("BadInvalidState", "Good")
    assert (found["run"], found["samples"]) == (["MAB-26-017"], ["S-7"])
    assert found["setpoints"][-1] == 36.25
    assert all(30.0 < degrees < 40.0 for degrees in found["temperatures"])
    assert found["states"][-1] == found["flatState"] == "Held"


def test_the_types_have_the_names_and_numbers_of_the_published_nodesets(
    node_modules: None,
) -> None:
    folder = FOLDER / "node_modules" / "node-opcua-nodesets" / "nodesets"
    for name, uri in (
        ("LADS", lads_model.LADS), ("Di", lads_model.DI),
        ("Machinery", lads_model.MACHINERY),
    ):  # fmt: skip
        published = _object_types(folder / f"Opc.Ua.{name}.NodeSet2.xml", uri)
        ours = {t.id[1]: (t.name, t.above) for t in lads_model.TYPES if t.id[0] == uri}
        assert ours.items() <= published.items()


def _object_types(path: Path, uri: str) -> dict[int, tuple[str, tuple[str, int]]]:
    """Return name and supertype of each object type of a nodeset by its number."""
    root = ET.parse(path).getroot()  # noqa: S314  of our own npm lock
    uris = ["", *(one.text or "" for one in root.iter(f"{UANODESET}Uri"))]
    found = {}
    for node in root.iter(f"{UANODESET}UAObjectType"):
        above = next(
            (
                one.text or ""
                for one in node.iter(f"{UANODESET}Reference")
                if one.get("ReferenceType") == "HasSubtype"
                and one.get("IsForward") == "false"
            ),
            "",
        )
        space, number = _split(node.get("NodeId", ""), uris)
        name = (node.get("BrowseName") or "").partition(":")[2]
        if space == uri:
            found[number] = (name, _split(above, uris))
    return found


def _split(text: str, uris: list[str]) -> tuple[str, int]:
    index, _, number = text.rpartition("i=")
    return uris[int(index[3:-1])] if index else "", int(number or 0)
