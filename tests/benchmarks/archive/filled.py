"""The readings of the archive's comparison: the same rows for every contender. Pure.

30 000 tags at 1 Hz over four partitions, in records as a collector writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson

from shared.bus import Message
from shared.domain import Origin
from shared.readings import Block, tie
from shared.wire import ReadingsHeader, encode_readings
from tests.benchmarks.load.notifications import Layout, values
from tests.benchmarks.load.subscription import TAGS as VESSEL_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS = 30_000
PARTITIONS = 4
VESSELS = TAGS // VESSEL_TAGS
RECORD_ROWS = 1_875
"""Rows of a record: a quarter of a partition's second."""
START_S = 1_780_000_000
_EPOCH_TICKS = 116_444_736_000_000_000


def second_of(partition: int, second: int) -> Iterator[Block]:
    """Yield the blocks of one partition in one second, in order."""
    every = np.arange(TAGS, dtype=np.int64)
    mine = every[every // VESSEL_TAGS % PARTITIONS == partition]
    for part, start in enumerate(range(0, len(mine), RECORD_ROWS)):
        index = mine[start : start + RECORD_ROWS]
        at = (START_S + second) * 1_000_000 + part * 250_000
        time = np.full(len(index), at, np.int64)
        value = values(index, START_S + second, Layout.UNIFORM)
        zero = np.zeros(len(index), np.uint32)
        yield Block(
            tag=(index + 1).astype(np.int32),
            time=time,
            value=value,
            status=zero,
            tie=tie(
                time * 10 + _EPOCH_TICKS,
                np.full(len(index), 11, np.uint8),
                value.view(np.uint64),
                zero,
                zero.astype(np.uint64),
            ),
            received=time + 40_000,
            server=np.zeros(len(index), np.int32),
        )


def record(block: Block, number: int) -> Message:
    """Return the record that a collector would write."""
    header = ReadingsHeader(Origin.LIVE, "S0", "session", (number, number), 1)
    return Message(*encode_readings(block, header))


def json_messages(block: Block) -> list[bytes]:
    """Return one JSON message per reading, as the usual pipeline sends them."""
    rows = zip(
        block.tag.tolist(),
        block.time.tolist(),
        block.value.tolist(),
        block.status.tolist(),
        strict=True,
    )
    return [
        orjson.dumps({"tag": tag, "time": time, "value": value, "status": status})
        for tag, time, value, status in rows
    ]
