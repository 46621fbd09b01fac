"""A plant whose readings are on a real log and in a real database, for the API."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from shared.bus import Message, Position, TopicPartition
from shared.configuration import apply_configuration
from shared.domain import Gap, Origin, SubscriptionState, Topic
from shared.readings import NO_SERVER_TIME, Block, empty
from shared.store.events import Said
from shared.store.transaction import Content
from shared.wire import LedgerCounts, ReadingsHeader, encode_gap, encode_readings
from tests.neighbours.said import message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import httpx

    from shared.bus import Bus
    from shared.store.archive import Archive
    from shared.wire_events import Event
    from shared.wire_filled import Filled

S = 1_000_000
T0 = 1_790_000_000 * S
"""2026-09-21T14:13:20Z: source times of the tests begin here."""
ISO0 = "2026-09-21T14:13:20Z"

PLANT = """
site: test
servers:
- {name: plc1, url: "opc.tcp://127.0.0.1:4840", simulated: true, heartbeat: {id: 100}}
- {name: plc2, url: "opc.tcp://127.0.0.1:4841", heartbeat: {id: 200}}
vessels:
- name: BR101
  server: plc1
  partition: 0
  context: {batch: BatchId, phase: Phase}
  tags:
  - {id: 1, name: TIC-101.PV, node: "ns=2;s=T", unit: Cel}
  - {id: 2, name: AIC-101.PV, node: "ns=2;s=A", unit: "[pH]"}
  - {id: 3, name: BatchId, node: "ns=2;s=B", type: string}
  - {id: 4, name: Phase, node: "ns=2;s=P", type: string}
  - {id: 5, name: XV-101, node: "ns=2;s=X", type: boolean}
- name: BR102
  server: plc2
  partition: 0
  tags:
  - {id: 11, name: TIC-102.PV, node: "ns=2;s=T", unit: Cel}
"""

Row = tuple[int, float, float | str | None]
"""Tag, seconds after T0, value or text."""


def block(*rows: Row, status: Sequence[int] | None = None, ago_s: float = 0) -> Block:
    """Return readings that were received when they were made."""
    count = len(rows)
    time = np.array([round(T0 + at * S) for _, at, _ in rows], np.int64)
    numbers = [v if isinstance(v, float | int) else np.nan for _, _, v in rows]
    texts = pa.array([v if isinstance(v, str) else None for *_, v in rows], pa.string())
    found = Block(
        tag=np.array([tag for tag, _, _ in rows], np.int32),
        time=time,
        value=np.array(numbers, np.float64),
        status=np.array(status or [0] * count, np.uint32),
        tie=np.arange(count, dtype=np.int32),
        received=time + round(ago_s * S),
        server=np.full(count, NO_SERVER_TIME, np.int32),
        text=None if texts.null_count == count else texts,
    )
    return found.take(np.lexsort((found.tie, found.time, found.tag)))


@dataclass
class StoredPlant:
    """Puts readings on the log and stores them as the archiver does."""

    bus: Bus
    archive: Archive
    next: Position | None = None
    at: TopicPartition = field(default=TopicPartition(Topic.PLANT, 0))
    events_next: Position | None = None
    events_at: TopicPartition = field(default=TopicPartition(Topic.EVENTS, 0))

    async def configure(self, text: str = PLANT) -> None:
        applied = await apply_configuration(
            self.bus, text, source="plant.yaml", actor="test", now=T0
        )
        start = await self.bus.start(self.at)
        await self._store(start, configuration=applied)

    async def reconfigure(self, text: str) -> None:
        """Apply another configuration, as the archiver stores it later."""
        head = await self.bus.head(self.at)
        applied = await apply_configuration(
            self.bus, text, source="plant.yaml", actor="test", now=T0 + S
        )
        await self._store(head, configuration=applied)

    async def log(self, readings: Block, session: str = "s1") -> Position:
        """Append readings to the log without storing them."""
        header = ReadingsHeader(Origin.LIVE, "plc1", session, (1, 1), 1)
        return await self.bus.append(
            self.at, [Message(*encode_readings(readings, header))]
        )

    async def put(self, readings: Block) -> None:
        """Append readings to the log and store them."""
        await self._store(await self.log(readings), block=readings)

    async def declare(self, *gaps: Gap) -> None:
        first = await self.bus.append(self.at, [Message(*encode_gap(g)) for g in gaps])
        await self._store(first, records=len(gaps), gaps=gaps)

    async def fill(self, filled: Filled) -> None:
        """Store what the server's history gave of a gap."""
        await self._store(await self.log(empty()), filled=(filled,))

    async def say(self, *events: Event) -> Position:
        """Append events to the log without storing them."""
        return await self.bus.append(self.events_at, [message(e) for e in events])

    async def put_events(self, *events: Event) -> None:
        """Append events to the log and store them as the archiver does."""
        first = await self.say(*events)
        following = Position(first.epoch, first.offset + len(events))
        said = tuple(
            Said(f"{first.epoch}/{self.events_at.partition}/{first.offset + n}", event)
            for n, event in enumerate(events)
        )
        content = Content(
            *(self.events_at, self.events_next, first, following, empty()), events=said
        )
        await self.archive.store(content, through_staging=False)
        self.events_next = following

    async def count(self, *counts: LedgerCounts) -> None:
        await self._store(await self.log(empty()), ledger=counts)

    async def subscribe(self, *states: SubscriptionState) -> None:
        await self._store(
            await self.log(empty()), subscriptions=(("plc1", tuple(states)),)
        )

    async def _store(self, first: Position, *, records: int = 1, **what: Any) -> None:
        following = Position(first.epoch, first.offset + records)
        content = Content(
            self.at,
            expected=self.next,
            first=first,
            next=following,
            block=what.pop("block", empty()),
            **what,
        )
        await self.archive.store(content, through_staging=False)
        self.next = following


@dataclass
class Client:
    """Asks the API."""

    http: httpx.AsyncClient

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Return the JSON of an answer that must be 200."""
        response = await self.http.get(path, params=parameters)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def post(
        self, path: str, body: object = None, **headers: str
    ) -> dict[str, Any]:
        """Return the JSON of an answer that must be 202; `_` in a header is `-`."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        response = await self.http.post(path, json=body, headers=named)
        assert response.status_code == 202, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def until(
        self, path: str, **parameters: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield answers for 20 s, until the caller has what it waits for."""
        async with asyncio.timeout(20):
            while True:
                yield await self.get(path, **parameters)
                await asyncio.sleep(0.05)

    async def refused(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Return the problem of an answer that must be one."""
        response = await self.http.get(path, params=parameters)
        assert response.headers["content-type"] == "application/problem+json"
        body: dict[str, Any] = response.json()
        assert body["status"] == response.status_code >= 400
        assert body["instance"] == path
        return body


def listener() -> socket.socket:
    """Return a socket that already takes connections."""
    opened = socket.create_server(("127.0.0.1", 0))
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened
