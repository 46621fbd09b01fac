"""The OPC UA fault suite: one collector, one server behind a proxy, one fault a test.

The collector is never restarted. After each fault readings flow again within 30 s, what
was sent is on the log or inside a declared gap, and the ledger's counts add up. Every
token of the secure channel lives six seconds, so that all of it happens under renewal;
a message may be late by a quarter of that (Part 4, 5.5.2), as on a busy machine.
Another server, in a process of its own, is frozen and let go, and disturbed by nothing.
Overflowing queues, numbers that are missing, nodes that are missing and certificates
have their own tests (test_collect_sequence, test_collect_faults,
test_collect_security).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from asyncua import ua

from services.ingest.opcua import session
from services.ingest.opcua.subscription import utc_now
from shared.domain import GapCause
from shared.settings import Timeouts
from tests.integration.collect.collected import (
    HEARTBEAT,
    Collected,
    check_balance,
    final,
    plant_of,
)
from tests.neighbours.instrument import Instrument, free_port
from tests.neighbours.proxy import Proxy

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from shared.domain import Gap
    from shared.plant import Plant

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = 4
"""Tags of each server: 1 to 4, and 101 to 104."""
OTHER = 100
STEP_S = 0.1
INTERVAL_US = 200_000
FLOWS_S = 30
BLACK_HOLE_S = 20
"""Time-outs are scaled down from 10 s to 2 s here; `make chaos` waits 5 min."""
HOUR_US = 3_600_000_000


@dataclass
class Suite:
    """The one server with its sender, its proxy, and the one collector."""

    collected: Collected
    instrument: Instrument
    proxy: Proxy
    clock_us: int = 0
    """Added to UTC by the server that is sampled."""
    other: list[tuple[int, int, float]] = field(default_factory=list)
    """What the other server sent, as Instrument.sent."""
    frozen: Process | None = None
    since: dict[str, int] = field(default_factory=dict)
    """How many readings a server had sent when all of its tags were heard."""
    _found: set[tuple[int, int, float]] = field(default_factory=set)
    _read: int = 0

    @property
    def service(self) -> Any:
        """The subscriptions of the server."""
        return self.instrument.server.iserver.subscription_service

    async def send_for_ever(self) -> None:
        """Send ten times a second, by the server's clock."""
        while True:
            await self.instrument.send(utc_now() + self.clock_us)
            await asyncio.sleep(STEP_S)

    async def hear_other(self, process: Process) -> None:
        """Take down what the other server sends."""
        assert process.stdout is not None
        async for line in process.stdout:
            i, time, value = line.split()
            self.other.append((int(i) + OTHER, int(time), float(value)))

    def gaps_of(self, server: str) -> list[Gap]:
        """Return the declared gaps of a server."""
        return [g for g in final(self.collected.gaps) if g.server == server]

    async def end_sessions(self, *, with_subscriptions: bool) -> None:
        """Let the server forget its sessions."""
        sessions = self.instrument.server.iserver._external_sessions
        for each in [*sessions.values()]:
            await each.close_session(with_subscriptions)

    async def flows(self, sent: list[tuple[int, int, float]]) -> int:
        """Wait until readings that are sent from now on arrive.

        Returns:
            How many readings of `sent` have arrived by then or never will: those that
            were sent, in order, before the ones that arrived.
        """
        before, places = len(sent), dict[int, int]()

        def there() -> bool:
            fresh = self.collected.readings[self._read :]
            self._read += len(fresh)
            self._found |= {(r.tag - 1, r.time, r.value) for r in fresh}
            for place in range(before, len(sent)):
                if sent[place] in self._found:
                    places[sent[place][0]] = place
            return len(places) == COUNT

        await self.collected.until(there, within_s=FLOWS_S)
        return min(places.values())

    async def balances(self) -> None:
        """Hold what must be true after every fault, once readings flow again."""
        for server, sent in (("A", self.instrument.sent), ("B", self.other)):
            due = slice(self.since[server], await self.flows(sent))
            check_balance(self.collected, [*sent], server, due=due)
        await self.collected.until(
            lambda: all(g.end is not None for g in self.gaps_of("A"))
        )

    def new_gaps(self, server: str, before: list[Gap]) -> list[Gap]:
        """Return the gaps that were declared since `before`."""
        return [g for g in self.gaps_of(server) if g not in before]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    folder = tmp_path_factory.mktemp("suite")
    scaled = {
        "keep_alive": timedelta(seconds=1.2),
        "timeouts": Timeouts(neighbour=timedelta(seconds=2)),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "CHANNEL_LIFETIME_S", 6)
        async with (
            Instrument(COUNT) as instrument,
            Proxy(instrument.port) as proxy,
            other_server() as process,
            Collected(folder, **scaled) as collected,
        ):
            one = Suite(collected, instrument, proxy, frozen=process.process)
            await collected.apply(both(proxy.port, process.port))
            await collected.start()
            tasks = [
                asyncio.create_task(one.send_for_ever()),
                asyncio.create_task(one.hear_other(process.process)),
            ]
            await collected.until(
                lambda: {1, OTHER + 1} <= {r.tag for r in collected.process()}
            )
            one.since["A"] = await one.flows(one.instrument.sent)
            one.since["B"] = await one.flows(one.other)
            yield one
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await collected.stop()
            await collected.read()
            counts = collected.counts
            of_vessels = [r for r in collected.readings if r.tag < HEARTBEAT]
            assert counts["spooled"] == len(of_vessels)
            others = counts["duplicate"] + counts["quarantined"]
            assert counts["seen"] == counts["spooled"] + others


@dataclass(frozen=True)
class Other:
    """A server in a process of its own."""

    process: Process
    port: int


@asynccontextmanager
async def other_server() -> AsyncIterator[Other]:
    """Run a server that sends by itself."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.neighbours.instrument", str(port), str(COUNT)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Other(process, port)
    finally:
        process.kill()
        await process.wait()


def both(port: int, other_port: int) -> Plant:
    """Return a plant of both servers."""
    first = plant_of(f"opc.tcp://127.0.0.1:{port}/", COUNT, queue=20)
    second = plant_of(f"opc.tcp://127.0.0.1:{other_port}/", COUNT, name="B")
    (server,) = second.servers
    beat = server.heartbeat.model_copy(update={"id": HEARTBEAT + 1})
    vessels = [
        vessel.model_copy(
            update={
                "name": f"{vessel.name}-B",
                "tags": tuple(
                    tag.model_copy(update={"id": tag.id + OTHER}) for tag in vessel.tags
                ),
            }
        )
        for vessel in second.vessels
    ]
    servers = (*first.servers, server.model_copy(update={"heartbeat": beat}))
    return first.model_copy(
        update={"servers": servers, "vessels": (*first.vessels, *vessels)}
    )


async def test_secure_channels_are_renewed_without_a_trace(suite: Suite) -> None:
    before, gaps = suite.proxy.channels, suite.gaps_of("A")
    renewals = 2
    await suite.collected.until(lambda: suite.proxy.channels >= before + 2 * renewals)
    await suite.balances()
    assert not suite.new_gaps("A", gaps)


async def test_a_reset_connection_heals_within_its_session(suite: Suite) -> None:
    sessions = {h.session for h in suite.collected.headers}
    before, gaps = suite.instrument.sent[-1][1], suite.gaps_of("A")
    suite.proxy.cut()
    await suite.collected.until(lambda: bool(suite.new_gaps("A", gaps)))
    suite.proxy.heal()
    await suite.flows(suite.instrument.sent)
    after = suite.instrument.sent[-1][1]
    await suite.balances()
    (gap,) = suite.new_gaps("A", gaps)
    assert gap.cause is GapCause.SERVER_UNREACHABLE
    assert gap.start >= before - 2 * INTERVAL_US
    assert gap.end is not None
    assert gap.end <= after + 2 * INTERVAL_US
    assert {h.session for h in suite.collected.headers} == sessions


async def test_a_black_hole_is_noticed_and_only_its_time_is_a_gap(
    suite: Suite,
) -> None:
    before, gaps = suite.instrument.sent[-1][1], suite.gaps_of("A")
    steps = len(suite.instrument.sent) + int(BLACK_HOLE_S / STEP_S) * COUNT
    suite.proxy.black_hole()
    await suite.collected.until(lambda: bool(suite.new_gaps("A", gaps)))
    await suite.collected.until(
        lambda: len(suite.instrument.sent) >= steps, within_s=4 * BLACK_HOLE_S
    )
    suite.proxy.heal()
    await suite.flows(suite.instrument.sent)
    after = suite.instrument.sent[-1][1]
    await suite.balances()
    for gap in suite.new_gaps("A", gaps):
        assert gap.start >= before - 2 * INTERVAL_US
        assert gap.end is not None
        assert gap.end <= after + 2 * INTERVAL_US


async def test_a_frozen_server_is_noticed_and_disturbs_no_other(suite: Suite) -> None:
    assert suite.frozen is not None
    mine, gaps = suite.gaps_of("A"), suite.gaps_of("B")
    os.kill(suite.frozen.pid, signal.SIGSTOP)
    try:
        await suite.collected.until(lambda: bool(suite.new_gaps("B", gaps)))
        await suite.flows(suite.instrument.sent)
    finally:
        os.kill(suite.frozen.pid, signal.SIGCONT)
    await suite.balances()
    assert {g.cause for g in suite.new_gaps("B", gaps)} <= {
        GapCause.SERVER_UNREACHABLE,
        GapCause.SUBSCRIPTION_LOST,
    }
    assert not suite.new_gaps("A", mine)


async def test_a_deleted_subscription_is_made_anew(suite: Suite) -> None:
    gaps = suite.gaps_of("A")
    await suite.service.delete_subscriptions([*suite.service.subscriptions])
    await suite.collected.until(lambda: bool(suite.new_gaps("A", gaps)))
    await suite.balances()
    assert len(suite.new_gaps("A", gaps)) == 1


async def test_a_killed_session_is_made_anew(suite: Suite) -> None:
    gaps = suite.gaps_of("A")
    suite.proxy.cut()
    await suite.collected.until(lambda: bool(suite.new_gaps("A", gaps)))
    await suite.end_sessions(with_subscriptions=True)
    suite.proxy.heal()
    await suite.balances()
    assert len(suite.new_gaps("A", gaps)) == 1


async def test_a_server_that_transfers_nothing_is_subscribed_anew(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise ua.uaerrors.BadServiceUnsupported

    sessions = {h.session for h in suite.collected.headers}
    gaps = suite.gaps_of("A")
    monkeypatch.setattr(suite.service, "transfer_subscriptions", refuse)
    suite.proxy.cut()
    await suite.collected.until(lambda: bool(suite.new_gaps("A", gaps)))
    await suite.end_sessions(with_subscriptions=False)
    suite.proxy.heal()
    await suite.balances()
    assert len({h.session for h in suite.collected.headers} - sessions) == 1


@pytest.mark.parametrize("jump", [HOUR_US, -HOUR_US], ids=["on", "back"])
async def test_a_clock_that_jumps_loses_nothing(suite: Suite, jump: int) -> None:
    gaps = suite.gaps_of("A")
    suite.clock_us = jump
    await suite.balances()
    suite.clock_us = 0
    await suite.balances()
    assert not suite.new_gaps("A", gaps)


@pytest.mark.parametrize("jump", [HOUR_US, -HOUR_US], ids=["on", "back"])
async def test_a_clock_that_jumps_while_nobody_listens_hides_no_loss(
    suite: Suite, jump: int
) -> None:
    gaps = suite.gaps_of("A")
    suite.proxy.cut()
    await suite.collected.until(lambda: bool(suite.new_gaps("A", gaps)))
    await suite.end_sessions(with_subscriptions=True)
    suite.clock_us = jump
    sent = len(suite.instrument.sent)
    await suite.collected.until(lambda: len(suite.instrument.sent) > sent + 3 * COUNT)
    suite.proxy.heal()
    await suite.flows(suite.instrument.sent)
    suite.clock_us = 0
    await suite.balances()
    assert any("clock was set" in gap.detail for gap in suite.new_gaps("A", gaps))
