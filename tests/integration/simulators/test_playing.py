"""A recorded run served over OPC UA comes back as recorded."""

from __future__ import annotations

import asyncio
import math
import time
from itertools import pairwise
from pathlib import Path

from simulators import truth
from simulators.audience import Audience
from simulators.outlet import Outlet
from simulators.playback.mapping import Mapping, Time
from simulators.playback.player import Player, variables
from simulators.playback.recording import read
from simulators.servers.flat import Endpoint, FlatServer
from simulators.servers.variables import HEARTBEAT
from tests.integration.simulators.listening import listening

ROWS = 300


def clock() -> int:
    return time.time_ns() // 1000


async def test_a_recorded_run_arrives_row_by_row_as_recorded(tmp_path: Path) -> None:
    lines = ["minutes,R1.pH,R1.VCD,R1.Phase"]
    for row in range(ROWS):
        vcd = "" if row % 3 else repr(math.exp(row / 70))
        lines.append(f"{row * 0.5},{7 + math.sin(row) / 50!r},{vcd},P{row // 100}")
    path = tmp_path / "run.csv"
    path.write_text("\n".join(lines))
    recording = read(path, Mapping(time=Time(column="minutes", unit="min")))
    served = variables(recording, "site", "area")
    server = FlatServer(Endpoint(), served)
    await server.build()
    with truth.Truth(tmp_path, clock(), [v.node for v in served]) as record:
        async with server, listening(server.url) as client:
            player = Player(
                recording,
                server,
                Outlet(server, record),
                audience=Audience(server, clock, None),
                folder=tmp_path,
                clock=clock,
            )
            task = asyncio.create_task(player.run(speed=0.0, shift=True))
            await client.subscribe([v.node for v in served], each=True, queue=20)
            await client.until(lambda: len(client.of("R1.pH")) == ROWS + 1)
            assert player.finished.is_set()
            task.cancel()
            await asyncio.wait([task])
    for node, column in zip(recording.nodes, recording.columns, strict=True):
        sent = [cell for cell in column if cell is not None]
        assert [row[2] for row in client.of(node)][-len(sent) :] == sent
    times = [row[1] for row in client.of("R1.pH")][1:]
    assert {b - a for a, b in pairwise(times)} == {300_000_000}
    recorded = [
        r for r in truth.read(record.path).to_pylist() if r["node"] != HEARTBEAT
    ]
    assert len(recorded) == ROWS + ROWS // 3 + ROWS
    assert server.dropped == 0
