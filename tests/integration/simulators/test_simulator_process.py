"""`python -m simulators` as a process: ready line, clean stop, kill -9."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulators import truth
from simulators.loop import STATE_FILE, STATUS_FILE
from simulators.servers.variables import HEARTBEAT, of_plant
from tests.integration.simulators.listening import listening

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[3]
NODES = [v.node for v in of_plant("demo-site", "upstream", ["BR101"])]


@asynccontextmanager
async def simulator(folder: Path, **changes: str) -> AsyncIterator[tuple[Process, str]]:
    """Start a simulator; yield it with its URL once it is ready."""
    given = {
        "DATA": str(folder), "PORT": "0", "VESSELS": "1", "TRUTH": "true",
        "HISTORY": "PT12H",
    } | changes  # fmt: skip
    environ = {
        name: value for name, value in os.environ.items() if "FEDBATCH" not in name
    } | {f"FEDBATCH_SIMULATOR_{name}": value for name, value in given.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", cwd=ROOT, env=environ,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process, await ready_url(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready_url(process: Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            message = str(json.loads(line)["message"])
            if message.startswith("ready at "):
                return message.split()[2].rstrip(":")
    raise AssertionError("the simulator ended before it was ready")


async def test_a_terminated_simulator_ends_well_and_keeps_its_state(
    tmp_path: Path,
) -> None:
    async with simulator(tmp_path, HISTORY="PT0S") as (process, url):
        async with listening(url) as client:
            await client.subscribe(NODES, each=True)
            await client.until(lambda: len(client.of(HEARTBEAT)) >= 2)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    assert json.loads((tmp_path / STATE_FILE).read_text())["live"] is True
    assert json.loads((tmp_path / STATUS_FILE).read_text())["state"] == "live"


def on_record(folder: Path) -> set[tuple[str, int, Any]]:
    """Return node, ticks and value or text of all that is on record."""
    (path,) = folder.glob("truth-*.arrow")
    return {
        (r["node"], r["ticks"], r["value"] if r["text"] is None else r["text"])
        for r in truth.read(path).to_pylist()
    }


async def test_kill_9_loses_nothing_from_the_record_and_nothing_is_told_twice(
    tmp_path: Path,
) -> None:
    times: list[set[int]] = []
    for _ in range(2):
        async with simulator(tmp_path) as (process, url), listening(url) as client:
            await client.subscribe(NODES, each=True, queue=20)
            await client.until(lambda: len(client.of("BR101.TIC-101.PV")) > 50)
            times.append({row[1] for row in client.of("BR101.TIC-101.PV")})
            process.kill()
            await process.wait()
        if len(times) == 1:
            assert {row[:3] for row in client.received} <= on_record(tmp_path)
    assert max(times[0]) < min(times[1])


async def test_wrong_settings_end_it_with_a_named_error(tmp_path: Path) -> None:
    environ = {n: v for n, v in os.environ.items() if "FEDBATCH" not in n} | {
        "FEDBATCH_SIMULATOR_DATA": str(tmp_path),
        "FEDBATCH_SIMULATOR_HOST": "0.0.0.0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", cwd=ROOT, env=environ,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert "host 0.0.0.0 is reachable from other machines" in stderr.decode()
