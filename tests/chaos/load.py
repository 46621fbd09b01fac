"""The bulk of the readings: a load server beside the simulated plant, and its truth.

Its values follow from item and tick, so what it generated needs no record. Ticks at
which nobody was subscribed count as generated, too: they must lie in a declared gap.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import yaml

from tests.benchmarks.load.notifications import Layout, values
from tests.benchmarks.load.subscription import SLOTS, TAGS
from tests.benchmarks.way.site_plan import SitePlan, plant_yaml
from tests.chaos.equation import columns
from tests.system.site import ROOT

if TYPE_CHECKING:
    from pathlib import Path

S = 1_000_000
VESSELS = 94
"""Of 30 tags at 1 Hz; with the simulated plant 3 000 readings/s."""
FIRST = 120_000
"""Index of the first item; tag ids are one more, beyond those of the simulator."""
SERVER = "load"


def start(port: int) -> subprocess.Popen[bytes]:
    """Start the load server."""
    load = {"port": port, "first": FIRST, "items": VESSELS * TAGS, "period_us": S}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.load", json.dumps([load])],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()  # it says that it listens
    return process


def last_tick(process: subprocess.Popen[bytes]) -> int:
    """End the sampling; return the last tick that was sent in whole."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.send_signal(signal.SIGUSR1)
    while True:
        process.stdin.write(b"\n")
        process.stdin.flush()
        (sent,) = json.loads(process.stdout.readline())
        if sent["stopped"]:
            return int(sent["last"])


def add_to(file: Path, port: int) -> None:
    """Add the load's server and vessels to plant.yaml."""
    plant = yaml.safe_load(file.read_text())
    load = yaml.safe_load(plant_yaml(SitePlan(vessels=VESSELS, servers=1), [port]))
    (server,) = load["servers"]
    server |= {"name": SERVER, "publishing_interval_ms": 500}
    plant["servers"].append(server)
    for vessel in load["vessels"]:
        vessel["server"] = SERVER
        for tag in vessel["tags"]:
            tag["id"] += FIRST
            tag["node"] = f"ns=1;i={tag['id']}"
        plant["vessels"].append(vessel)
    file.write_text(yaml.safe_dump(plant))


def generated(first: int, last: int) -> pa.Table:
    """Return the readings of the ticks `first` to `last` in KEY's columns."""
    index = np.arange(FIRST, FIRST + VESSELS * TAGS)
    shift = index // TAGS % SLOTS * (S // SLOTS)
    ticks = range(first, last + 1)
    time = np.concatenate([tick * S + shift for tick in ticks])
    value = np.concatenate([values(index, tick, Layout.UNIFORM) for tick in ticks])
    return columns(
        pa.array(np.tile(index + 1, len(ticks)), pa.int32()),
        pa.array(time),
        pa.array(value),
        pa.array(np.zeros(len(time), np.int64)),
        pa.nulls(len(time), pa.string()),
    )


def first_tick(stored: pa.Table) -> int:
    """Return the first whole tick of which something is stored."""
    mine = stored.filter(pa.array(stored["tag"].to_numpy() > FIRST))
    times: Any = mine["time"].to_numpy()
    return int(times.min()) // S + 1


def generated_since(stored: pa.Table, last: int) -> pa.Table:
    """Return what was generated from the first whole tick on, until `last`."""
    return generated(first_tick(stored), last)


def without_edges(stored: pa.Table, last: int) -> pa.Table:
    """Return stored readings without those of ticks that were not sent in whole."""
    tag, tick = stored["tag"].to_numpy(), stored["time"].to_numpy() // S
    whole = (tick >= first_tick(stored)) & (tick <= last)
    return stored.filter(pa.array((tag <= FIRST) | whole))
