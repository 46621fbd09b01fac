"""HistoryRead raw of the simulated plant's server, as our own reader sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from asyncua import Client, ua

from services.ingest.opcua import history
from services.ingest.opcua.security import own_identity
from services.ingest.opcua.session import Session
from shared.plant import Heartbeat, Server
from simulators.instants import Instant
from simulators.servers.flat import Endpoint, FlatServer
from simulators.servers.history_service import NODES_PER_READ, VALUES_PER_ANSWER
from simulators.servers.variables import NAMESPACE, Variable
from simulators.tags import Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

T0 = 1_795_000_000_000_000
STEP = 1_000_000
BAD = 0x80890000
COUNT = 2_100
SERVED = [
    Variable("A", ("site", "V1", "A", "PV"), Kind.DOUBLE),
    Variable("MODE", ("site", "V1", "MODE"), Kind.INT32),
    Variable("TEXT", ("site", "V1", "TEXT"), Kind.STRING),
    Variable("EMPTY", ("site", "V1", "EMPTY"), Kind.DOUBLE),
    *(Variable(f"X{n}", ("site", "V1", f"X{n}"), Kind.DOUBLE) for n in range(120)),
]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[FlatServer]:
    """One server whose past is written once."""
    made = FlatServer(Endpoint(), SERVED, keep=4_000 * len(SERVED))
    await made.build()
    for n in range(COUNT):
        bad = BAD if n % 7 == 0 else 0
        instant = Instant(
            T0 + n * STEP,
            [0, 1, 2, 4 + n % 120],
            [None if bad else n / 8, float(n), f"phase {n}", 1.0],
            [bad, 0, 0, 0],
        )
        await made.write(instant)
    async with made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(
    server: FlatServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Session]:
    """Our own session with it."""
    folder = tmp_path_factory.mktemp("certificates")
    known = Server(name="A", url=server.url, heartbeat=Heartbeat(id=1))
    made = Session(
        known,
        folder=folder,
        identity=own_identity(folder),
        password=None,
        timeout_s=20,
    )
    await made.open()
    yield made
    await made.close()


def moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def nodes(*names: str) -> dict[int, str]:
    return {n + 1: f"nsu={NAMESPACE};s={name}" for n, name in enumerate(names)}


async def test_more_than_one_answer_holds_comes_whole_and_in_order(
    session: Session,
) -> None:
    assert COUNT > VALUES_PER_ANSWER
    times: dict[int, list[int]] = {1: [], 2: [], 3: []}
    async for piece in history.pieces(
        session, nodes("A", "MODE", "TEXT"), T0, T0 + COUNT * STEP
    ):
        assert not piece.refused
        before = times[piece.tag][-1:]
        times[piece.tag] += [t for t in piece.block.time.tolist() if t not in before]
    assert times == {tag: [T0 + n * STEP for n in range(COUNT)] for tag in (1, 2, 3)}


async def test_values_types_and_statuses_are_those_that_were_published(
    session: Session,
) -> None:
    found = {}
    async for piece in history.pieces(
        session, nodes("A", "MODE", "TEXT"), T0 + 7 * STEP, T0 + 8 * STEP + 1
    ):
        text = piece.block.text
        found[piece.tag] = (
            piece.block.value.tolist(),
            piece.block.status.tolist(),
            None if text is None else text.to_pylist(),
        )
    assert found[1][0][1] == 1.0
    assert found[1][0][0] != found[1][0][0]
    assert found[1][1] == [BAD, 0]
    assert found[2] == ([7.0, 8.0], [0, 0], None)
    assert found[3][2] == ["phase 7", "phase 8"]


async def test_more_nodes_than_a_request_may_have_are_asked_in_turn(
    session: Session,
) -> None:
    many = nodes(*(f"X{n}" for n in range(120)))
    assert len(many) > NODES_PER_READ
    rows = 0
    async for piece in history.pieces(session, many, T0, T0 + COUNT * STEP):
        rows += len(piece.block)
    assert rows == COUNT


async def test_the_last_value_before_a_time_is_found_where_there_is_one(
    session: Session,
) -> None:
    at = T0 + 10 * STEP + 3
    found = await history.last_before(session, nodes("A", "EMPTY", "X50"), at)
    assert found == ({1: T0 + 10 * STEP}, {})


async def test_an_unknown_node_is_refused_by_name_and_the_others_are_read(
    session: Session,
) -> None:
    wanted = nodes("NOBODY", "A")
    refused = {}
    async for piece in history.pieces(session, wanted, T0, T0 + STEP + 1):
        refused[piece.tag] = piece.refused
    assert refused == {1: "BadNodeIdUnknown (0x80340000)", 2: ""}


async def test_another_client_reads_it_forwards_backwards_and_in_portions(
    server: FlatServer,
) -> None:
    async with Client(server.url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        node = client.get_node(ua.NodeId("MODE", index))
        start, end = moment(T0), moment(T0 + 5 * STEP)
        ahead = await node.read_raw_history(start, end)
        back = await node.read_raw_history(end, start)
        three = await node.read_raw_history(start, end, numvalues=3)
        last = await node.read_raw_history(None, end, numvalues=2)
    assert [v.Value.Value for v in ahead] == [0, 1, 2, 3, 4]
    assert [v.Value.Value for v in back] == [5, 4, 3, 2, 1]
    assert [v.Value.Value for v in three] == [0, 1, 2]
    assert [v.Value.Value for v in last] == [5, 4]


async def test_a_server_without_history_says_so() -> None:
    silent = FlatServer(Endpoint(), SERVED[:1], keep=0)
    await silent.build()
    async with silent, Client(silent.url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        with pytest.raises(ua.uaerrors.BadHistoryOperationUnsupported):
            await client.get_node(ua.NodeId("A", index)).read_raw_history(
                moment(T0), moment(T0 + STEP)
            )
