"""What the end of the log says after a restart: last readings, and how far it reaches.

The collector's own file is up to a second older than the log; both are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.ingest.collect.gaps import Front, marking
from shared.bus import Position, Record, TopicPartition
from shared.domain import Kind, Origin, Topic
from shared.wire import NotUnderstood, decode_readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from services.ingest.collect.plan import Layout
    from services.ingest.last_readings import LastReadings
    from shared.bus import Bus
    from shared.readings import Block

TAIL_RECORDS = 200
"""Records read back per partition: about 20 s of one busy partition."""
_FETCH_BYTES = 8 * 1024 * 1024
_FETCH_S = 5.0


Tail = dict[str, list[list["Block"]]]
"""Per server and partition, the readings of its last records, oldest first."""


async def read_tail(bus: Bus, partitions: Iterable[int], last: LastReadings) -> Tail:
    """Return the readings at the end of each partition.

    `last` learns them, so that the server's first answers are recognised. Records that
    are damaged or of another kind are passed over.

    Raises:
        Unavailable: the log cannot be read.
    """
    tail: Tail = {}
    for partition in partitions:
        found = await _tail(bus, TopicPartition(Topic.PLANT, partition))
        for server, blocks in found.items():
            tail.setdefault(server, []).append(blocks)
            for block in blocks:
                last.fresh(block)
    return tail


def reached(partitions: Sequence[Sequence[Block]], layout: Layout) -> int | None:
    """Return the source time up to which a server's readings are on the log, us UTC.

    A partition that ends earlier than the others may be behind, so the earliest end
    counts; None when no reading tells.
    """
    ends = [_end(blocks, layout) for blocks in partitions]
    return min((end for end in ends if end is not None), default=None)


def _end(blocks: Sequence[Block], layout: Layout) -> int | None:
    front = Front()
    front.grow(len(layout.tags))
    for block in blocks:
        handle, time = marks_of(block, layout)
        if len(handle):
            front.observe(handle, time, more=False)
    return front.reached()


def marks_of(
    block: Block, layout: Layout
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return handles and times of the rows that mark how far a server's data reach."""
    known = np.isin(block.tag, layout.tags)
    known &= marking(block.time, block.status, block.received)
    handle = layout.handles(block.tag[known])
    each = layout.each[handle]
    return handle[each], block.time[known][each]


async def _tail(bus: Bus, at: TopicPartition) -> dict[str, list[Block]]:
    head, start = await bus.head(at), await bus.start(at)
    offset = max(start.offset, head.offset - TAIL_RECORDS)
    found: dict[str, list[Block]] = {}
    async with bus.reader({at: Position(head.epoch, offset)}) as reader:
        while offset < head.offset:
            items = await reader.poll(max_bytes=_FETCH_BYTES, timeout_s=_FETCH_S)
            for item in items:
                if isinstance(item, Record):
                    offset = item.position.offset + 1
                    _add(item, found)
                else:
                    offset = item.last.offset + 1
            if not items:
                break
    return found


def _add(record: Record, found: dict[str, list[Block]]) -> None:
    if record.headers.get("kind") != Kind.READINGS:
        return
    try:
        header, block = decode_readings(record.headers, record.value)
    except NotUnderstood:
        return
    if header.origin in {Origin.LIVE, Origin.REPUBLISHED} and len(block):
        found.setdefault(header.server, []).append(block)
