"""How many vessels of 30 tags at 1 Hz one process of the simulated plant serves.

    python -m tests.benchmarks.opcua.vessels [VESSELS] [SECONDS]

The plant runs as `python -m simulators`, in a process of its own; here is the
collector's own session with a subscription on every tag. Prints one JSON object: CPU
of the plant, readings that came, how far it fell behind, values lost in its queues,
memory, time to start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulators.servers.variables import NAMESPACE, of_plant
from simulators.settings import SimulatorSettings
from tests.benchmarks.opcua.ours import collection_of
from tests.benchmarks.processes import cpu_s, megabytes
from tests.system.site import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL, SECONDS = 1_500, 60.0
SETTLED_S = 10.0
"""After all items are there."""


def _started(folder: Path, vessels: int) -> subprocess.Popen[bytes]:
    given = {
        "DATA": str(folder), "PORT": "0", "VESSELS": str(vessels),
        "INSTRUMENTS": "core", "HISTORY": "PT0S", "KEEP": "0",
    }  # fmt: skip
    environ = os.environ | {f"FEDBATCH_SIMULATOR_{n}": v for n, v in given.items()}
    return subprocess.Popen([sys.executable, "-m", "simulators"], cwd=ROOT, env=environ)


async def _status(folder: Path) -> dict[str, Any]:
    """Return the status file once it says that the plant is live."""
    path = folder / "status.json"
    while True:
        if path.exists():
            body: dict[str, Any] = json.loads(path.read_text())
            if body["state"] == "live":
                return body
        await asyncio.sleep(0.2)


def _nodes(folder: Path, vessels: int) -> Sequence[str]:
    given = SimulatorSettings.model_validate(
        {"data": folder, "vessels": vessels, "instruments": "core"}
    )
    names = {f"{v}.{tag.name}" for v in given.vessel_names for tag in given.tags}
    served = of_plant(given.site, given.area, given.vessel_names, given.tags)
    return [f"nsu={NAMESPACE};s={one.node}" for one in served if one.node in names]


async def measured(vessels: int, seconds: float) -> dict[str, Any]:
    """Return what it came to."""
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), time.perf_counter()
        plant = _started(folder / "plant", vessels)
        try:
            status = await _status(folder / "plant")
            ready = time.perf_counter() - began
            nodes = _nodes(folder, vessels)
            collection, sums = collection_of(status["endpoint"], nodes, folder)
            task = asyncio.create_task(collection.run())
            while sums.readings < 2 * len(nodes):  # noqa: ASYNC110  it is not told
                await asyncio.sleep(0.2)
            subscribed = time.perf_counter() - began - ready
            await asyncio.sleep(SETTLED_S)
            found = await _window(plant.pid, folder / "plant", sums, seconds)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return found | {
                "vessels": vessels, "items": len(nodes), "start_s": round(ready, 1),
                "subscribe_s": round(subscribed, 1), "mb": round(megabytes(plant.pid)),
            }  # fmt: skip
        finally:
            plant.terminate()
            plant.wait()


async def _window(pid: int, folder: Path, sums: Any, seconds: float) -> dict[str, Any]:
    begun, cpu, readings = time.perf_counter(), cpu_s(pid), sums.readings
    behind, last = 0.0, begun
    while (now := time.perf_counter()) < begun + seconds:
        body = json.loads((folder / "status.json").read_text())
        behind = max(
            behind, _seconds(body["wall_time"]) - _seconds(body["simulated_time"])
        )
        last = now
        await asyncio.sleep(0.5)
    wall = last - begun
    return {
        "core": round((cpu_s(pid) - cpu) / wall, 3),
        "readings_per_s": round((sums.readings - readings) / wall),
        "behind_s": round(behind, 2),
        "dropped": body["dropped"],
    }


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    vessels = int(sys.argv[1]) if len(sys.argv) > 1 else USUAL
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    print(json.dumps(asyncio.run(measured(vessels, seconds))))
