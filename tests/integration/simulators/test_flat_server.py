"""The flat DCS profile as a client sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from asyncua import ua

from simulators import units
from simulators.instants import TICKS_AT_1970, Instant
from simulators.servers.address_space import NodeRefused
from simulators.servers.flat import Endpoint, EndpointTaken, FlatServer
from simulators.servers.notifications import OVERFLOW
from simulators.servers.roles import Account, Role
from simulators.servers.security import certificate_in
from simulators.servers.variables import Variable, of_plant
from simulators.tags import Kind
from tests.integration.simulators.listening import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

T0 = 1_795_000_000_000_001
BAD_SENSOR = 0x806D0000
A = Variable("V1.A", ("site", "V1", "A", "PV"), Kind.DOUBLE, "a", units.LITRE, (0, 9))
FLAG = Variable("V1.FLAG", ("site", "V1", "FLAG"), Kind.BOOLEAN)
MODE = Variable("V1.MODE", ("site", "V1", "MODE"), Kind.INT32)
TEXT = Variable("V1.TEXT", ("site", "V1", "TEXT"), Kind.STRING)


SPARE = [
    Variable(f"V1.X{n}", ("site", "V1", f"X{n}", "PV"), Kind.DOUBLE) for n in range(8)
]
ALIKE = replace(A, node="V2.A", path=("site", "V2", "A", "PV"))
SERVED = (A, FLAG, MODE, TEXT, *SPARE, ALIKE, *of_plant("site", "area", ["BR101"]))

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[FlatServer]:
    """One server for all; each test writes to variables of its own."""
    made = FlatServer(Endpoint(), SERVED)
    await made.build()
    async with made:
        yield made


class Own:
    """A variable that only one test writes."""

    def __init__(self, server: FlatServer, number: int) -> None:
        self.node = SPARE[number].node
        self._server, self._at = server, SERVED.index(SPARE[number])

    async def write(self, time: int, value: float, status: int = 0) -> None:
        await self._server.write(Instant(time, [self._at], [value], [status]))


def ticks(us: int) -> int:
    return us * 10 + TICKS_AT_1970


async def test_every_value_arrives_with_its_type_and_exact_source_time(
    server: FlatServer,
) -> None:
    await server.write(Instant(T0, range(4), [1.5, 1.0, 2.0, "x"]))
    async with listening(server.url) as client:
        await client.subscribe([v.node for v in SERVED[:4]], each=True)
        await server.write(Instant(T0 + 1, range(4), [1.5, 0.0, 2.0, "y"]))
        await client.until(lambda: len(client.received) == 8)
        assert client.of("V1.A") == [
            ("V1.A", ticks(T0), 1.5, 0),
            ("V1.A", ticks(T0 + 1), 1.5, 0),
        ]
        assert [row[2] for row in client.of("V1.FLAG")] == [True, False]
        assert [type(row[2]) for row in client.of("V1.MODE")] == [int, int]
        assert [row[2] for row in client.of("V1.TEXT")] == ["x", "y"]


async def test_values_written_in_a_row_all_reach_the_queue_in_order(
    server: FlatServer,
) -> None:
    own = Own(server, 0)
    await own.write(T0, 0.0)
    async with listening(server.url) as client:
        await client.subscribe([own.node], each=True)
        for n in range(1, 201):
            await own.write(T0 + n, float(n // 7))
        await client.until(lambda: len(client.received) == 201)
        assert [row[1] for row in client.received] == [
            ticks(T0 + n) for n in range(201)
        ]


async def test_an_item_that_reports_changes_gets_only_changes(
    server: FlatServer,
) -> None:
    own = Own(server, 1)
    await own.write(T0, 1.0)
    async with listening(server.url) as client:
        await client.subscribe([own.node], each=False)
        for n, value in enumerate((1.0, 1.0, 2.0, 2.0, 3.0), start=1):
            await own.write(T0 + n, value)
        await client.until(
            lambda: bool(client.received) and client.received[-1][2] == 3
        )
        assert [row[1:3] for row in client.received] == [
            (ticks(T0), 1.0),
            (ticks(T0 + 3), 2.0),
            (ticks(T0 + 5), 3.0),
        ]


async def test_a_bad_status_arrives_without_a_value(
    server: FlatServer,
) -> None:
    own = Own(server, 2)
    await own.write(T0, 1.0)
    async with listening(server.url) as client:
        await client.subscribe([own.node], each=True)
        await own.write(T0 + 1, 1.0, BAD_SENSOR)
        await own.write(T0 + 2, 2.0)
        await client.until(lambda: len(client.received) == 3)
        assert client.received[1] == (own.node, ticks(T0 + 1), None, BAD_SENSOR)
        assert client.received[2] == (own.node, ticks(T0 + 2), 2.0, 0)


async def test_a_full_queue_drops_the_oldest_marks_the_next_and_counts(
    server: FlatServer,
) -> None:
    own = Own(server, 3)
    await own.write(T0, 0.0)
    before = server.dropped
    async with listening(server.url) as client:
        await client.subscribe([own.node], each=True, queue=3, interval_ms=400.0)
        await client.until(lambda: len(client.received) == 1)
        for n in range(1, 6):
            await own.write(T0 + n, float(n))
        assert server.fullest() == 1.0
        await client.until(lambda: len(client.received) == 4)
        assert [(row[2], row[3]) for row in client.received] == [
            (0.0, 0),
            (3.0, OVERFLOW),
            (4.0, 0),
            (5.0, 0),
        ]
        assert server.dropped - before == 2
        assert server.fullest() == 0.0


async def test_queues_of_clients_that_are_gone_hold_nobody_up(
    server: FlatServer,
) -> None:
    own = Own(server, 4)
    await own.write(T0, 0.0)
    async with listening(server.url) as client:
        await client.subscribe([own.node], each=True, queue=2, interval_ms=60_000.0)
        await client.until(lambda: len(client.received) == 1)
        await own.write(T0 + 1, 1.0)
        assert server.fullest() == 0.5
        assert server.watched() == 1
    assert server.fullest() == 0.0


async def test_units_and_ranges_are_published(
    server: FlatServer,
) -> None:
    async with listening(server.url) as client:
        for variable in server.variables:
            if variable.range is None:
                continue
            node = client.node(variable.node)
            span = await (await node.get_child("0:EURange")).read_value()
            assert (span.Low, span.High) == variable.range
            if variable.unit is not None:
                unit = await (await node.get_child("0:EngineeringUnits")).read_value()
                assert unit.UnitId == variable.unit.unit_id
                assert unit.NamespaceUri == variable.unit.namespace
                assert unit.DisplayName.Text == variable.unit.ucum


async def test_variables_that_are_alike_are_two(server: FlatServer) -> None:
    await server.write(Instant(T0, [0, SERVED.index(ALIKE)], [1.5, 2.5]))
    async with listening(server.url) as client:
        nodes = [client.node(one.node) for one in (A, ALIKE)]
        for node, value, vessel in zip(nodes, (1.5, 2.5), ("V1", "V2"), strict=True):
            own = await node.read_attribute(ua.AttributeIds.NodeId)
            assert own.Value.Value == node.nodeid
            assert (await node.read_browse_name()).Name == "PV"
            assert await node.read_value() == value
            loop = await node.get_parent()
            assert (await loop.read_display_name()).Text == "A"
            above = await loop.get_parent()
            assert (await above.read_display_name()).Text == vessel
            children = {(await one.read_browse_name()).Name: one.nodeid.Identifier
                        for one in await node.get_properties()}  # fmt: skip
            assert children == {
                "EURange": f"{vessel}.A.EURange",
                "EngineeringUnits": f"{vessel}.A.EngineeringUnits",
            }
            kind = await node.read_type_definition()
            assert kind == ua.NodeId(ua.ObjectIds.AnalogItemType)


async def test_a_tag_is_found_by_its_place_and_cannot_be_written(
    server: FlatServer,
) -> None:
    async with listening(server.url) as client:
        steps = ("site", "area", "BR101", "TIC-101", "PV")
        path = [f"{client.namespace}:{step}" for step in steps]
        found = await client.client.nodes.objects.get_child(path)
        assert found.nodeid.Identifier == "BR101.TIC-101.PV"
        assert (await found.read_type_definition()).Identifier == 2368
        with pytest.raises(ua.UaStatusCodeError):
            await found.write_value(1.0)


async def test_before_any_value_a_variable_says_so(
    server: FlatServer,
) -> None:
    own = Own(server, 5)
    async with listening(server.url) as client:
        value = await client.node(own.node).read_data_value(raise_on_bad_status=False)
        assert value.StatusCode.name == "BadWaitingForInitialData"


async def test_a_node_that_exists_is_refused_and_a_taken_port_named(
    server: FlatServer,
) -> None:
    port = int(server.url.rpartition(":")[2])
    second = FlatServer(Endpoint(port=port), (A, A))
    with pytest.raises(NodeRefused, match=r"V1\.A.*BadNodeIdExists"):
        await second.build()
    with pytest.raises(EndpointTaken, match=f"127.0.0.1:{port}: cannot listen"):
        async with second:
            raise AssertionError("it listened")


async def test_sign_and_encrypt_let_in_known_users_and_clients_by_their_roles(
    tmp_path: Path,
) -> None:
    guarded = Endpoint(
        encrypted=True,
        accounts=(Account("hand", "right"), Account("eye", "see", Role.READER)),
        certificates=tmp_path,
        known_clients=True,
    )
    server = FlatServer(guarded, [replace(A, writable=True)])
    await server.build()
    written: list[float] = []
    server.accept(lambda _, value: written.append(value))
    await server.write(Instant(T0, [0], [4.5]))
    certificate, key = certificate_in(
        tmp_path / "client", "urn:fedbatch:simulator", "127.0.0.1"
    )
    policy = f"Basic256Sha256,SignAndEncrypt,{certificate},{key}"
    hand = {"user": "hand", "password": "right", "policy": policy}
    async with server:
        with pytest.raises(ua.UaError):
            async with listening(server.url, **hand):
                raise AssertionError("an unknown client connected")
        (left,) = (tmp_path / "clients" / "rejected").iterdir()
        left.rename(tmp_path / "clients" / "trusted" / left.name)
        async with listening(server.url, **hand) as client:
            assert await client.node("V1.A").read_value() == 4.5
            await client.node("V1.A").write_value(6.0)
            troubles = client.node("Communication")
            begin = f"{client.namespace}:Begin"
            await troubles.call_method(begin, "stall", 0.01, 0.0, "")
        eye = {"user": "eye", "password": "see", "policy": policy}
        async with listening(server.url, **eye) as client:
            assert await client.node("V1.A").read_value() == 4.5
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await client.node("V1.A").write_value(7.0)
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await client.node("Communication").call_method(
                    begin, "stall", 0.01, 0.0, ""
                )
        with pytest.raises(ua.UaStatusCodeError):
            async with listening(server.url, **{**hand, "password": "wrong"}):
                raise AssertionError("it connected")
    assert written == [6.0]
