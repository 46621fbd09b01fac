"""A server that fedbatch did not write: every type and status, bit for bit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.ingest.opcua.discover import discover
from shared.domain import Kind
from tests.integration.collect.collected import Collected, Seen

if TYPE_CHECKING:
    from pathlib import Path

    from shared.plant import Plant
    from tests.neighbours.node_opcua import NodeOpcua, Sent

pytestmark = pytest.mark.node

ROUNDS = 24


async def found_plant(node_opcua: NodeOpcua, folder: Path) -> Plant:
    """Discover, and ask for every change at once: the server samples otherwise."""
    plant = await discover(node_opcua.url, folder=folder, partitions=2)
    server = plant.servers[0].model_copy(
        update={"sampling_interval_ms": 0, "publishing_interval_ms": 200}
    )
    return plant.model_copy(update={"servers": (server,)})


def expected(sent: Sent) -> tuple[int, float | None, str | None, int]:
    """Return time, value, text and status as DESIGN's reading has them."""
    if sent.status >> 30 == 2 or isinstance(sent.value, str):
        bad = sent.status >> 30 == 2
        return sent.time, None, None if bad else sent.value, sent.status
    return sent.time, float(sent.value), None, sent.status


def got(seen: Seen) -> tuple[int, float | None, str | None, int]:
    """Return the same of what is on the log; NaN is null."""
    value = None if seen.value != seen.value else seen.value
    return seen.time, value, seen.text, seen.status


async def test_node_opcua_values_arrive_bit_for_bit(
    node_opcua: NodeOpcua, tmp_path: Path
) -> None:
    async with Collected(tmp_path) as collected:
        plant = await found_plant(node_opcua, tmp_path / "certificates")
        await collected.apply(plant)
        (vessel,) = plant.vessels
        names = {tag.id: tag.name for tag in vessel.tags}
        await collected.start()
        await collected.until(
            lambda: (
                set(names) <= {t for t, s in collected.states.items() if not s.error}
                and any(r.tag in names for r in collected.readings)
            )
        )
        sent = await asyncio.to_thread(node_opcua.send, ROUNDS)
        ids = {name: tag for tag, name in names.items()}
        times = {s.time for s in sent}

        def arrived() -> dict[str, list[Seen]]:
            of: dict[str, list[Seen]] = {name: [] for name in ids}
            for seen in collected.readings:
                if seen.tag in names and seen.time in times:
                    of[names[seen.tag]].append(seen)
            return of

        await collected.until(
            lambda: all(len(rows) >= ROUNDS for rows in arrived().values())
        )
        await collected.stop()
    for name, rows in arrived().items():
        assert [got(r) for r in rows] == [expected(s) for s in sent if s.name == name]
    assert {t.name: t.type for t in vessel.tags}["Enumeration"] == "enumeration"
    assert not collected.gaps
    assert collected.kinds[Kind.LIVENESS] > 0
