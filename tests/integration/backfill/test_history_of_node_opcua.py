"""Back-fill from a server that is not ours: node-opcua's history."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from shared.domain import GapCause
from shared.plant import Heartbeat, Plant, Server, Tag, Vessel
from tests.integration.backfill.test_filling_gaps import backfilled
from tests.integration.collect.collected import Collected
from tests.neighbours.instrument import free_port
from tests.neighbours.node_opcua import URI, NodeOpcua
from tests.neighbours.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.node

NAMES = ("Double", "Float", "Int32", "Int64", "Boolean", "String", "Enumeration")


@pytest.fixture
def node(node_modules: None, tmp_path: Path) -> Iterator[NodeOpcua]:
    """Return node-opcua with a history of every variable."""
    with NodeOpcua(free_port(), tmp_path / "node", history=True) as server:
        yield server


def plant_of(port: int) -> Plant:
    """Return a plant with one tag of each kind on two partitions."""
    server = Server(
        name="A",
        url=f"opc.tcp://127.0.0.1:{port}",
        heartbeat=Heartbeat(id=9000),
        publishing_interval_ms=200,
        sampling_interval_ms=0,
        queue_size=3,
    )
    tags = [
        Tag(
            id=i + 1,
            name=name,
            node=f"nsu={URI};s=NV1.{name}",
            type="string" if name == "String" else "number",
        )
        for i, name in enumerate(NAMES)
    ]
    vessels = (
        Vessel(name="V0", server="A", partition=0, tags=tuple(tags[:4])),
        Vessel(name="V1", server="A", partition=1, tags=tuple(tags[4:])),
    )
    return Plant(site="test", servers=(server,), vessels=vessels)


async def test_its_history_fills_an_outage_with_the_identities_of_the_live_readings(
    tmp_path: Path, node: NodeOpcua
) -> None:
    port = int(node.url.rpartition(":")[2].partition("/")[0])
    sent = []
    async with Proxy(port) as proxy, Collected(tmp_path / "c") as collected:
        await collected.apply(plant_of(proxy.port))
        await collected.start()
        await collected.until(lambda: collected.all_subscribed(len(NAMES)))
        sent += await asyncio.to_thread(node.send, 8, good=True)
        await collected.until(lambda: len(collected.process()) >= 8 * len(NAMES))
        proxy.cut()
        await collected.until(lambda: len(collected.gaps) > 0)
        sent += await asyncio.to_thread(node.send, 12, good=True)
        proxy.heal()
        await collected.until(lambda: collected.all_subscribed(len(NAMES)))
        sent += await asyncio.to_thread(node.send, 4, good=True)
        cause = GapCause.SERVER_UNREACHABLE
        await collected.until(lambda: len(collected.closed(cause)) == 1)
        left = collected.settings.spool / "backfill.json"
        await collected.until(lambda: not json.loads(left.read_text())["servers"])
        await collected.until(lambda: max(r.time for r in collected.process())
                              >= max(one.time for one in sent))  # fmt: skip
        fetched, filled = await backfilled(collected)
    assert {f.missing for f in filled if not f.gap.tags} == {()}
    every = [*collected.process(), *fetched]
    ties: dict[tuple[int, int], set[int]] = {}
    for one in every:
        ties.setdefault((one.tag, one.time), set()).add(one.tie)
    assert all(len(found) == 1 for found in ties.values())
    due = {(NAMES.index(one.name) + 1, one.time) for one in sent}
    assert due <= set(ties)
    assert len(fetched) > 0
