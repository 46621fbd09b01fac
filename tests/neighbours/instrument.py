"""A real OPC UA server (asyncua's own) whose every sent value is on record.

python -m tests.neighbours.instrument PORT COUNT     a server that sends by itself
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from asyncua import Server, ua

URI = "urn:fedbatch:test-instrument"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def moment(us: int) -> datetime:
    """Return us UTC as asyncua takes times."""
    return (_EPOCH + timedelta(microseconds=us)).replace(tzinfo=None)


@dataclass
class Instrument:
    """Serves `count` numbers as `s=T<i>`; `sent` holds (tag index, us, value)."""

    count: int
    port: int = field(default_factory=free_port)
    sent: list[tuple[int, int, float]] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    max_items: int = 0
    """MaxMonitoredItemsPerCall; 0 for no limit."""

    def __post_init__(self) -> None:
        self.server: Any = None
        self._nodes: dict[int, Any] = {}
        self._step = 0

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        """Start; variables hold the value they were last given."""
        self.server = Server()
        await self.server.init()
        await self.prepare()
        await self.server.start()

    async def prepare(self) -> None:
        """Build the address space of `server`, which was initialised."""
        self.server.set_endpoint(self.url)
        self._index = await self.server.register_namespace(URI)
        self._folder = await self.server.nodes.objects.add_object(self._index, "V")
        if self.max_items:
            node = self.server.get_node(
                ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall
            )
            await node.write_value(ua.Variant(self.max_items, ua.VariantType.UInt32))
        self._nodes = {}
        for i in range(self.count):
            if i not in self.hidden:
                await self.show(i)

    async def show(self, i: int) -> None:
        """Add the variable of one tag, with its last value."""
        self.hidden.discard(i)
        node = await self._folder.add_variable(
            ua.NodeId(f"T{i}", self._index), f"T{i}", 0.0
        )
        self._nodes[i] = node
        last = next((s for s in reversed(self.sent) if s[0] == i), None)
        if last is None:
            waiting = ua.DataValue(
                StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
            )
            await node.write_value(waiting)
        else:
            await self._put(*last)

    async def stop(self) -> None:
        await self.server.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def _put(self, i: int, time: int, value: float) -> None:
        stamp = moment(time)
        await self._nodes[i].write_value(
            ua.DataValue(
                ua.Variant(value, ua.VariantType.Double),
                SourceTimestamp=stamp,
                ServerTimestamp=stamp,
            )
        )

    async def send(self, time: int) -> None:
        """Give every variable that is shown a new value, all at one source time."""
        self._step += 1
        for i in self._nodes:
            value = self._step * 1000.0 + i + 0.125
            self.sent.append((i, time, value))
            await self._put(i, time, value)


async def sending(
    instrument: Instrument, *, start: int, step: int, every_s: float
) -> None:
    """Send for ever: source times from `start` in steps of `step` us."""
    time = start
    while True:
        await instrument.send(time)
        time += step
        await asyncio.sleep(every_s)


async def _alone(port: int, count: int) -> None:
    """Serve, send ten times a second for ever, and print what was sent."""
    async with Instrument(count, port) as instrument:
        told = 0
        while True:
            await instrument.send(time.time_ns() // 1000)
            for i, moment_us, value in instrument.sent[told:]:
                print(i, moment_us, value, flush=True)
            told = len(instrument.sent)
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(_alone(int(sys.argv[1]), int(sys.argv[2])))
