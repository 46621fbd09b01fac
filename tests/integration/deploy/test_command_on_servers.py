"""discover, check and apply on a real OPC UA server and a real local log."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from deploy.embedded import services
from deploy.embedded.folder import own_folder
from deploy.embedded.ports import reserved_port
from deploy.embedded.processes import Supervisor
from deploy.embedded.reaching import port_listens, reached
from shared.plant import parse_plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(200)


async def fedbatch(*arguments: str) -> tuple[int, str, str]:
    """Run the command; return its code and what it said on both streams."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.command", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[str]:
    """Return the URL of a simulated plant."""
    with (
        own_folder(tmp_path / "plant", or_beside=False) as folder,
        reserved_port(14840) as port,
    ):
        service = services.simulator(
            folder, port=port, vessels=2, history=timedelta(minutes=10)
        )
        async with Supervisor(folder.logs) as supervisor:
            state = await supervisor.start(service)
            await reached(lambda: port_listens(port), state, supervisor)
            yield f"opc.tcp://127.0.0.1:{port}"


async def test_a_server_is_discovered_and_applied(server: str, tmp_path: Path) -> None:
    code, text, said = await fedbatch("discover", server)
    assert code == 0, said
    plant = parse_plant(text)
    assert [vessel.name for vessel in plant.vessels] == ["BR101", "BR102"]
    assert plant.servers[0].simulated
    assert "2 vessel(s)" in said
    file = tmp_path / "plant.yaml"
    file.write_text(text)
    code, again, said = await fedbatch("discover", server, "--known", str(file))
    assert (code, again) == (0, text), said
    bus = f"local:{tmp_path / 'log'}"
    for _ in range(2):
        code, out, said = await fedbatch("apply", str(file), "--bus", bus)
        assert code == 0, said
        assert "version 1, SHA-256 " in out
    file.write_text(text + "# changed\n")
    assert "version 2" in (await fedbatch("apply", str(file), "--bus", bus))[1]


async def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}"
        code, out, said = await fedbatch("discover", url)
    assert (code, out) == (2, "")
    assert said.startswith("fedbatch: server unreachable\n")
    assert url in said
    assert "Traceback" not in said


async def test_a_broken_plant_is_not_applied(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text("site: s\nservers: []\n")
    log = tmp_path / "log"
    code, _, said = await fedbatch("apply", str(file), "--bus", f"local:{log}")
    assert code == 2
    assert f"{file}:2: servers" in said
    assert not log.exists()


async def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}/plant"
        code, _, said = await fedbatch(
            "migrate", "--database", f"postgresql://me:geheim@{place}"
        )
    assert code == 2
    assert said.startswith("fedbatch: unavailable\n")
    assert place in said
    assert "geheim" not in said


async def test_run_watches_the_plant_of_a_file(server: str, tmp_path: Path) -> None:
    code, text, said = await fedbatch("discover", server)
    assert code == 0, said
    (tmp_path / "plant.yaml").write_text(text)
    options = ("--data", str(tmp_path / "run"), "--port", "18180", "--json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.command", "run"),
        *("--plant", str(tmp_path / "plant.yaml"), *options, "--for", "150"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    events = []
    while line := await process.stdout.readline():
        events.append(json.loads(line))
        if events[-1]["event"] == "live":
            process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert [event["event"] for event in events] == ["up", "live", "end"]
    services = {"collector", "archiver", "monitor", "api"}
    assert set(events[-1]["restarts"]) == services
