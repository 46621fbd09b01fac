"""Gaps are filled from the server's own history, over a real outage."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Self

import pytest

from services.ingest.opcua.subscription import utc_now
from shared.bus import Position, Record, TopicPartition
from shared.domain import GapCause, Kind, Topic
from shared.plant import Heartbeat, Plant, Server, Tag, Vessel
from shared.wire import decode_readings
from shared.wire_filled import Filled, decode_filled
from simulators.instants import Instant
from simulators.servers.flat import Endpoint, FlatServer
from simulators.servers.variables import NAMESPACE, Variable
from simulators.tags import Kind as Type
from tests.integration.collect.collected import Collected, Seen, rows
from tests.neighbours.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

COUNT = 4
PARTITIONS = 2
EVERY_S = 0.1


class Instrument:
    """The simulated plant's server with numbers that a task writes."""

    def __init__(self, *, keep: int = 100_000) -> None:
        variables = [
            Variable(f"T{i}", ("V", f"T{i}"), Type.DOUBLE) for i in range(COUNT)
        ]
        self.server = FlatServer(Endpoint(), variables, keep=keep)
        self.sent: list[tuple[int, int, float]] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.server.build()
        await self.server.__aenter__()
        self._task = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.quiet()
        await self.server.__aexit__(*exc)

    async def quiet(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _send(self) -> None:
        step = 0
        while True:
            step += 1
            values = [i + step / 8 for i in range(COUNT)]
            now = utc_now()
            self.sent += [(i, now, value) for i, value in enumerate(values)]
            await self.server.write(Instant(now, range(COUNT), values))
            await asyncio.sleep(EVERY_S)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server.url.rpartition(":")[2])


def plant_of(port: int) -> Plant:
    """Return a plant with tags 1..COUNT on two vessels of two partitions."""
    server = Server(
        name="A",
        url=f"opc.tcp://127.0.0.1:{port}",
        heartbeat=Heartbeat(id=9000),
        publishing_interval_ms=200,
        sampling_interval_ms=50,
        queue_size=3,
    )
    tags = [
        Tag(id=i + 1, name=f"T{i}", node=f"nsu={NAMESPACE};s=T{i}")
        for i in range(COUNT)
    ]
    vessels = (
        Vessel(name="V0", server="A", partition=0, tags=tuple(tags[:2])),
        Vessel(name="V1", server="A", partition=1, tags=tuple(tags[2:])),
    )
    return Plant(site="test", servers=(server,), vessels=vessels)


async def backfilled(collected: Collected) -> tuple[list[Seen], list[Filled]]:
    """Return what is on topic `backfill`."""
    found: list[Seen] = []
    filled: list[Filled] = []
    for number in range(PARTITIONS):
        at = TopicPartition(Topic.BACKFILL, number)
        start, head = await collected.bus.start(at), await collected.bus.head(at)
        async with collected.bus.reader({at: start}) as reader:
            offset = start.offset
            while offset < head.offset:
                for item in await reader.poll(max_bytes=1 << 22, timeout_s=1):
                    assert isinstance(item, Record)
                    offset = Position(head.epoch, item.position.offset + 1).offset
                    if item.headers["kind"] == Kind.READINGS:
                        header, block = decode_readings(item.headers, item.value)
                        found += rows(block, header.origin.value, number)
                    elif item.headers["kind"] == Kind.FILLED:
                        filled.append(decode_filled(item.value))
    return found, filled


async def until_filled(collected: Collected) -> list[Filled]:
    """Wait until no gap waits any more; return what was told of whole-server gaps."""
    left = collected.settings.spool / "backfill.json"
    await collected.until(
        lambda: left.exists() and not json.loads(left.read_text())["servers"]
    )
    return [f for f in (await backfilled(collected))[1] if not f.gap.tags]


async def check_nothing_is_missing(
    collected: Collected, instrument: Instrument
) -> list[Seen]:
    """Hold live and back-filled readings against what was sent; return the latter."""
    await collected.read()
    fetched, _ = await backfilled(collected)
    everything = {(r.tag - 1, r.time, r.value) for r in collected.process()}
    everything |= {(r.tag - 1, r.time, r.value) for r in fetched}
    first = min(time for _, time, _ in everything)
    due = {sent for sent in instrument.sent if sent[1] >= first}
    assert everything == due
    ties: dict[tuple[int, int], set[int]] = {}
    for one in [*collected.process(), *fetched]:
        ties.setdefault((one.tag, one.time), set()).add(one.tie)
    assert all(len(found) == 1 for found in ties.values())
    assert {one.origin for one in fetched} == {"backfill"}
    return fetched


@pytest.fixture
async def collected(tmp_path: Path) -> AsyncIterator[Collected]:
    async with Collected(tmp_path) as one:
        yield one


@contextlib.asynccontextmanager
async def collecting(
    collected: Collected, instrument: Instrument
) -> AsyncIterator[Proxy]:
    """Collect through a proxy that can be cut."""
    async with Proxy(instrument.port) as proxy:
        await collected.apply(plant_of(proxy.port))
        await collected.start()
        await collected.until(lambda: len(collected.process()) > 40)
        try:
            yield proxy
        finally:
            await collected.stop()


async def outage(collected: Collected, instrument: Instrument, proxy: Proxy) -> None:
    """Cut the connection for longer than the server's queues last."""
    proxy.cut()
    await collected.until(lambda: len(collected.gaps) > 0)
    sent = len(instrument.sent)
    await collected.until(lambda: len(instrument.sent) > sent + 20 * COUNT)
    proxy.heal()
    cause = GapCause.SERVER_UNREACHABLE
    await collected.until(lambda: len(collected.closed(cause)) == 1)


async def test_an_outage_is_filled_and_each_reading_has_one_identity(
    collected: Collected,
) -> None:
    async with (
        Instrument() as instrument,
        collecting(collected, instrument) as proxy,
    ):
        await outage(collected, instrument, proxy)
        filled = await until_filled(collected)
        await instrument.quiet()
        await asyncio.sleep(0.5)
        fetched = await check_nothing_is_missing(collected, instrument)
    (gap,) = collected.closed(GapCause.SERVER_UNREACHABLE)
    assert collected.kinds[Kind.PAST] > 0  # for the monitor
    assert [(f.gap.start, f.gap.end) for f in filled] == [(gap.start, gap.end)] * 2
    assert {f.part for f in filled} == {0, 1}
    assert {f.parts for f in filled} == {(0, 1)}
    assert {(f.missing, f.proven) for f in filled} == {((), COUNT)}
    assert {f.rows for f in filled} <= {*range(COUNT * 20, len(fetched) + 1)}


async def test_a_server_without_history_leaves_the_gap_declared_with_its_word(
    collected: Collected,
) -> None:
    async with (
        Instrument(keep=0) as instrument,
        collecting(collected, instrument) as proxy,
    ):
        await outage(collected, instrument, proxy)
        filled = await until_filled(collected)
        fetched, _ = await backfilled(collected)
    assert not fetched
    assert {(f.missing, f.proven) for f in filled} == {((1, 2, 3, 4), 0)}
    assert filled[0].detail == "BadHistoryOperationUnsupported (0x80720000)"


async def test_what_came_while_no_collector_ran_is_filled_also_after_a_broken_try(
    collected: Collected,
) -> None:
    async with Instrument() as instrument:
        async with collecting(collected, instrument):
            pass
        sent = len(instrument.sent)
        await collected.until(lambda: len(instrument.sent) >= sent + 10 * COUNT)
        async with collecting(collected, instrument):
            await collected.until(
                lambda: len(collected.closed(GapCause.COLLECTOR_DOWN)) == 1
            )
        assert (collected.settings.spool / "backfill.json").exists()
        assert not (await backfilled(collected))[1]
        async with collecting(collected, instrument):
            filled = await until_filled(collected)
            await instrument.quiet()
            await asyncio.sleep(0.5)
            await check_nothing_is_missing(collected, instrument)
    assert {f.gap.cause for f in filled} == {GapCause.COLLECTOR_DOWN}
    assert {f.missing for f in filled} == {()}
