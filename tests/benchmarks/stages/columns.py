"""OPC UA notifications to columns: fedbatch, asyncua, node-opcua in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.load.notifications import Layout
from tests.benchmarks.opcua.columns import differences, expected
from tests.benchmarks.processes import Speaker
from tests.benchmarks.results import OURS, Comparison, Goal
from tests.neighbours.node_opcua import FOLDER, install
from tests.system.site import ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

STOCK, NODE = "asyncua", "node-opcua"
CASES = (
    (1_000, Layout.UNIFORM, {STOCK: Goal(40), NODE: Goal(2)}),
    (100, Layout.UNIFORM, {STOCK: Goal(12)}),
    (1_000, Layout.MIXED, {STOCK: Goal(12)}),
)
_CLIENT_S = 120
_FOLDER = ROOT / "tests" / "benchmarks" / "opcua"


class SumsDiffer(Exception):  # noqa: N818
    """A contender did not deliver what was sent; its speed means nothing."""


def compare(rounds: int, seconds: float) -> Iterator[Comparison]:
    """Measure every case; yield each when its rounds are over."""
    install()
    for items, layout, goals in CASES:
        contenders = (OURS, STOCK, NODE) if NODE in goals else (OURS, STOCK)
        measured = [
            {name: speed(name, items, layout, seconds) for name in contenders}
            for _ in range(rounds)
        ]
        case = f"{items} {layout} items"
        yield Comparison("OPC UA to columns", case, goals, measured)


def speed(contender: str, items: int, layout: Layout, seconds: float) -> float:
    """Return readings per CPU second of one contender.

    Raises:
        SumsDiffer: what it delivered is not what was sent.
    """
    load = {
        "port": free_port(),
        "items": items,
        "layout": layout,
        "period_us": 0,
        "per_message": items,
    }
    with Speaker("tests.benchmarks.load", [json.dumps([load])]) as server:
        server.hear()
        url = f"opc.tcp://127.0.0.1:{load['port']}"
        window, sums = _run(_command(contender), [url, str(items), str(seconds)])
        first = server.ask()[0]["first"]
    wanted = expected(items, layout, first, int(sums["readings"]) // items)
    wrong = differences(sums, wanted)
    if wrong:
        raise SumsDiffer(f"{contender}, {items} {layout} items: {'; '.join(wrong)}")
    return window["window"] / window["cpu_s"]


def _command(contender: str) -> list[str]:
    if contender == NODE:
        return ["node", str(_FOLDER / "client.js")]
    module = "ours" if contender == OURS else "stock"
    return [sys.executable, "-m", f"tests.benchmarks.opcua.{module}"]


def _run(
    command: list[str], arguments: list[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the two objects that a client says: its window and its sums."""
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env={**os.environ, "NODE_PATH": str(FOLDER / "node_modules")},
        capture_output=True,
        text=True,
        timeout=_CLIENT_S,
        check=False,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or len(said) < 2:
        raise RuntimeError(f"{command}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    window, sums = (json.loads(line) for line in said[-2:])
    return window, sums
