"""The load servers as one process: the loads as JSON in, what was sent as JSON out.

    python -m tests.benchmarks.load '[{"port": 4840, "items": 30000}]'

Prints a line once it listens. SIGUSR1 ends the sampling with the tick under way; every
line of input is answered with what was sent, one object per server.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import asdict

from tests.benchmarks.load.loads import Load
from tests.benchmarks.load.server import LoadServer


async def serve(loads: list[Load]) -> None:
    """Serve until the input ends."""
    servers = [LoadServer(load) for load in loads]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.stop()

    loop.add_signal_handler(signal.SIGUSR1, stop)
    for server in servers:
        await server.serve()
    print(json.dumps({"ready": [load.port for load in loads]}), flush=True)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        said = [asdict(server.sent) for server in servers]
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    asyncio.run(serve([Load.of(load) for load in json.loads(sys.argv[1])]))
