"""The timed section of a Python client: CPU seconds and readings after a warm-up."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.opcua.columns import Sums

WARM_UP_S = 0.5


async def watch(sums: Sums, seconds: float) -> None:
    """Wait for the first readings, then watch for `seconds` and print what it came to.

    Prints one JSON object: readings and cpu_s of the window.
    """
    while not sums.readings:  # noqa: ASYNC110  an event would cost the peers
        await asyncio.sleep(0.01)
    await asyncio.sleep(WARM_UP_S)
    readings, cpu, wall = sums.readings, time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    window = {
        "window": sums.readings - readings,
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
    }
    print(json.dumps(window), flush=True)


def say(sums: Sums) -> None:
    """Print the totals of everything, when nothing more comes."""
    print(json.dumps(asdict(sums)), flush=True)
