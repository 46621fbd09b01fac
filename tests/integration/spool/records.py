"""Records as the collector spools them, and what a log holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from shared.bus import Damaged, Message, Record
from shared.domain import Origin
from shared.readings import Block
from shared.wire import ReadingsHeader, decode_readings, encode_readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bus import Bus, TopicPartition

START_US = 1_700_000_000_000_000
PATIENCE_S = 60.0


def readings(first: int, rows: int = 100, *, server: str = "plant") -> Message:
    """Return a record of one reading per second from second `first` on."""
    number = np.arange(first, first + rows)
    block = Block(
        tag=np.ones(rows, np.int32),
        time=START_US + number * 1_000_000,
        value=number.astype(np.float64),
        status=np.zeros(rows, np.uint32),
        tie=np.zeros(rows, np.int32),
        received=START_US + number * 1_000_000,
        server=np.zeros(rows, np.int32),
    )
    header = ReadingsHeader(Origin.LIVE, server, "s1", (first, first), 1)
    return Message(*encode_readings(block, header))


async def everything(bus: Bus, at: TopicPartition) -> list[Record | Damaged]:
    """Return all that a partition holds now."""
    found: list[Record | Damaged] = []
    start, head = await bus.start(at), await bus.head(at)
    offset = start.offset
    async with asyncio.timeout(PATIENCE_S), bus.reader({at: start}) as reader:
        while offset < head.offset:
            for each in await reader.poll(max_bytes=1 << 22, timeout_s=5):
                found.append(each)
                last = each.last if isinstance(each, Damaged) else each.position
                offset = last.offset + 1
    return found


def kinds(found: Sequence[Record | Damaged]) -> list[str]:
    return [
        "damaged" if isinstance(each, Damaged) else each.headers["kind"]
        for each in found
    ]


def values(found: Sequence[Record | Damaged]) -> list[int]:
    """Return the values of all readings, in order."""
    return [
        int(value)
        for each in found
        if isinstance(each, Record) and each.headers["kind"] == "readings"
        for value in decode_readings(each.headers, each.value)[1].value
    ]
