"""One window of one gap: asked of the server, put on topic `backfill`.

Order: a tag's readings oldest first. Duplicates: readings that came live come again;
the archiver knows them by (tag, time, tie). On cancel: what was appended stays; the
window is read again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from services.ingest.collect.ledger import Ledger
from services.ingest.opcua import history
from shared.bus import Message, TopicPartition
from shared.domain import Kind, Origin, Topic
from shared.readings import MAX_ROWS, Block, merge
from shared.wire import ReadingsHeader, encode_ledger, encode_readings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from services.ingest.collect.plan import Plan
    from services.ingest.opcua.session import Session
    from shared.bus import Bus
    from shared.domain import Gap


@dataclass(slots=True)
class Window:
    """What was read of an interval."""

    rows: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    """The server's word by tag that it gives no history of."""


def nodes_of(plan: Plan, tags: Sequence[int] | None) -> dict[int, str]:
    """Return the NodeIds of a gap's tags, without the heartbeat, by tag."""
    wanted = {one.tag: one.node for one in plan.wanted if not one.heartbeat}
    if tags is None:
        return wanted
    return {tag: wanted[tag] for tag in tags if tag in wanted}


async def fill(
    session: Session,
    outbox: Outbox,
    nodes: Mapping[int, str],
    start: int,
    end: int,
) -> Window:
    """Read [start, end] (us UTC) of some tags and append what came.

    Args:
        session: open.
        outbox: empty; takes what came to the log.
        nodes: NodeId by tag.
        start: us UTC.
        end: us UTC, included.

    Raises:
        Unavailable: the server or the log; the window is to be read again.
    """
    found = Window()
    async for piece in history.pieces(session, nodes, start, end):
        if piece.refused:
            found.refused[piece.tag] = piece.refused
        block = _within(piece.block, start, end)
        found.rows += len(block)
        await outbox.put(piece.tag, block)
    await outbox.flush()
    return found


def _within(block: Block, start: int, end: int) -> Block:
    """Return the rows in the interval: some servers add a value at either side."""
    inside = (block.time >= start) & (block.time <= end)
    return block if inside.all() else block.take(inside)


class Outbox:
    """Rows of one window by partition until a record is full.

    What lies inside the gap goes to `plant` as well, behind the same rows on
    `backfill`: the monitor judges it there, in one order with all else that it knows.

    Bounded by: MAX_ROWS per partition. When full: appended after `pace` (called with
    the number of rows) has returned. Order: as put. Duplicates: none from here. On
    cancel: what is held is left, the window is read again.
    """

    def __init__(
        self,
        bus: Bus,
        plan: Plan,
        name: str,
        pace: Callable[[int], Awaitable[None]],
        gap: Gap,
    ) -> None:
        self._bus, self._plan, self._name, self._pace = bus, plan, name, pace
        self._gap = gap
        self._held: dict[int, list[Block]] = {}
        tags = np.array(sorted(plan.vessel), np.int32)
        self._tags, self._ledger = tags, Ledger()
        self._ledger.follow(tags)
        self._sequence = 0

    async def put(self, tag: int, block: Block) -> None:
        """Hold rows of one tag."""
        if not len(block):
            return
        partition = self._plan.partition[tag]
        held = self._held.setdefault(partition, [])
        held.append(block)
        if sum(map(len, held)) >= MAX_ROWS:
            await self._append(partition)

    async def flush(self) -> None:
        """Append everything that is held, and the counts of it all."""
        for partition in [*self._held]:
            await self._append(partition)
        of_vessel = {v: self._plan.partition[t] for t, v in self._plan.vessel.items()}
        counts = self._ledger.take(self._plan.vessel)
        for partition in {of_vessel[count.vessel] for count in counts}:
            mine = [c for c in counts if of_vessel[c.vessel] == partition]
            await self._bus.append(_at(partition), [Message(*encode_ledger(mine))])

    async def _append(self, partition: int) -> None:
        block = merge(self._held.pop(partition))
        await self._pace(len(block))
        await self._bus.append(_at(partition), self._records(block))
        hidden = (block.time >= self._gap.start) & (block.time < (self._gap.end or 0))
        if hidden.any():
            past = [
                Message({**record.headers, "kind": Kind.PAST.value}, record.value)
                for record in self._records(block.take(hidden))
            ]
            await self._bus.append(TopicPartition(Topic.PLANT, partition), past)
        handle = np.searchsorted(self._tags, block.tag)
        self._ledger.count(handle, block.time, "seen", "spooled")

    def _records(self, block: Block) -> list[Message]:
        records = []
        for first in range(0, len(block), MAX_ROWS):
            rows = np.arange(first, min(first + MAX_ROWS, len(block)))
            self._sequence += 1
            header = ReadingsHeader(
                Origin.BACKFILL,
                self._plan.server.name,
                self._name,
                (self._sequence, self._sequence),
                self._plan.version,
            )
            records.append(Message(*encode_readings(block.take(rows), header)))
        return records


def _at(partition: int) -> TopicPartition:
    return TopicPartition(Topic.BACKFILL, partition)
