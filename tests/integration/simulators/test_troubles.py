"""Troubles of communication that the simulated server can be told to have."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from asyncua import Client, ua

from simulators.instants import TICKS_AT_1970, Instant
from simulators.servers.flat import Endpoint, FlatServer
from simulators.servers.troubles import OBJECT, Trouble
from simulators.servers.variables import NAMESPACE, Variable
from simulators.tags import Kind
from tests.integration.simulators.listening import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

T0 = 1_795_000_000_000_000
SERVED = [Variable(f"T{n}", ("V", f"T{n}"), Kind.DOUBLE) for n in range(8)]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[FlatServer]:
    """One server; each test has a variable of its own."""
    made = FlatServer(Endpoint(), SERVED)
    await made.build()
    for node in range(len(SERVED)):
        await made.write(Instant(T0, [node], [0.0]))
    async with made:
        yield made
        await made.troubles.end()


def ticks(us: int) -> int:
    return us * 10 + TICKS_AT_1970


async def write(server: FlatServer, node: int, *seconds: int) -> None:
    for second in seconds:
        await server.write(Instant(T0 + second * 1_000_000, [node], [float(second)]))


async def test_duplicates_and_shuffled_values_come_as_they_were_sent(
    server: FlatServer,
) -> None:
    async with listening(server.url) as client:
        await client.subscribe(["T0"], each=True)
        await client.until(lambda: len(client.received) == 1)
        server.troubles.begin("duplicate", seconds=60)
        await asyncio.sleep(0)
        await write(server, 0, 1, 2)
        await client.until(lambda: len(client.received) == 5)
        await server.troubles.end()
        server.troubles.begin("shuffle", seconds=60)
        await asyncio.sleep(0)
        await write(server, 0, 3, 4)
        await client.until(lambda: len(client.received) == 7)
        await server.troubles.end()
    assert [row[2] for row in client.received] == [0, 1, 1, 2, 2, 4, 3]
    kept, _ = server.history.read(0, server.history.ahead(0, 2**62), 10)
    assert [one.value for one in kept] == [0, 1, 2, 3, 4]


async def test_a_skewed_clock_dates_values_and_its_history(server: FlatServer) -> None:
    async with listening(server.url) as client:
        await client.subscribe(["T1"], each=True)
        server.troubles.begin("skew", seconds=60, amount=-5.0)
        await asyncio.sleep(0)
        await write(server, 1, 9)
        await client.until(lambda: len(client.received) == 2)
        await server.troubles.end()
    assert client.received[-1][1] == ticks(T0 + 4_000_000)


async def test_a_removed_node_is_unknown_and_comes_back_with_its_subscription(
    server: FlatServer,
) -> None:
    async with listening(server.url) as client, Client(server.url) as other:
        await client.subscribe(["T2"], each=True)
        index = await other.get_namespace_index(NAMESPACE)
        node = other.get_node(ua.NodeId("T2", index))
        server.troubles.begin("remove", seconds=60, node="T2")
        await asyncio.sleep(0)
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            await node.read_value()
        await write(server, 2, 1)
        await server.troubles.end()
        await write(server, 2, 2)
        await client.until(lambda: client.received[-1][2] == 2.0)
    assert [row[2] for row in client.received] == [0.0, 2.0]


async def test_a_frozen_server_answers_nothing_until_it_thaws(
    server: FlatServer,
) -> None:
    async with listening(server.url) as client:
        await client.subscribe(["T3"], each=True)
        await client.until(lambda: len(client.received) == 1)
        server.troubles.begin("freeze", seconds=60)
        await asyncio.sleep(0)
        await write(server, 3, 1)
        await asyncio.sleep(0.2)
        before = len(client.received)
        await server.troubles.end()
        await client.until(lambda: len(client.received) == 2)
    assert before == 1


async def until_cut(client: Client) -> None:
    """Ask until the connection is gone."""
    async with asyncio.timeout(10):
        while True:
            await client.get_namespace_array()


async def test_dropped_connections_are_gone_and_transfer_can_be_refused(
    server: FlatServer,
) -> None:
    other = Client(server.url)
    await other.connect()
    server.troubles.begin("drop", seconds=60)
    with pytest.raises((ConnectionError, ua.UaError)):
        await until_cut(other)
    await server.troubles.end()
    await other.disconnect()
    async with Client(server.url) as client:
        server.troubles.begin("no-transfer", seconds=60)
        await asyncio.sleep(0)
        request = ua.TransferSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [1]
        with pytest.raises(ua.uaerrors.BadServiceUnsupported):
            await client.uaclient.session.transfer_subscriptions(request.Parameters)
        await server.troubles.end()


async def test_the_method_begins_a_trouble_and_refuses_what_is_none(
    server: FlatServer,
) -> None:
    async with Client(server.url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        desk = client.get_node(ua.NodeId(OBJECT, index))
        begin = ua.NodeId(f"{OBJECT}.Begin", index)
        await desk.call_method(begin, "stall", 0.05, 0.0, "")
        for wrong in (("swap", 1.0, 0.0, ""), ("stall", 0.0, 0.0, ""),
                      ("remove", 1.0, 0.0, "NOBODY")):  # fmt: skip
            with pytest.raises(ua.uaerrors.BadInvalidArgument):
                await desk.call_method(begin, *wrong)
    assert {one.value for one in Trouble} >= {"stall", "drop", "freeze"}
