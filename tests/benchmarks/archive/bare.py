"""A bare binary COPY of the same rows into the same table: what the database costs.

    python -m tests.benchmarks.archive.bare DSN SCHEMA SECONDS

The streams are encoded beforehand; about 100 000 rows a transaction, as many as the
archiver stores at once while it catches up; one connection.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

import asyncpg
import numpy as np

from shared.readings import merge
from shared.store.copy import COLUMNS, encode_rows, pieces
from tests.benchmarks.archive.filled import PARTITIONS, second_of

if TYPE_CHECKING:
    from shared.readings import Block

_ROWS = 100_000


async def main(dsn: str, schema: str, seconds: int) -> None:
    """Copy and print the CPU seconds of doing so."""
    streams = []
    for partition in range(PARTITIONS):
        held: list[Block] = []
        for second in range(seconds):
            held += second_of(partition, second)
            if sum(map(len, held)) >= _ROWS or second == seconds - 1:
                streams.append(encode_rows(_sorted(merge(held)), 0))
                held = []
    connection = await asyncpg.connect(dsn, server_settings={"search_path": schema})
    began = time.process_time()
    for stream in streams:
        await connection.copy_to_table(
            "reading", source=pieces(stream), columns=COLUMNS, format="binary"
        )
    print(json.dumps({"cpu_s": time.process_time() - began}), flush=True)
    await connection.close()


def _sorted(block: Block) -> Block:
    """Return the rows in the order of the index."""
    return block.take(np.lexsort((block.tie, block.time, block.tag)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
