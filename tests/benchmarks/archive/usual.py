"""The usual way to the database: aiokafka, rows of Python objects, copy_records.

    python -m tests.benchmarks.archive.usual BOOTSTRAP TOPIC DSN SCHEMA ROWS json|arrow

`json`: one reading a message. `arrow`: the same records that fedbatch reads, so that
only the way into the database differs. Offsets are committed to Kafka after each COPY:
at least once, where fedbatch stores exactly once. Prints the CPU seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import pyarrow as pa
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.benchmarks.archive.filled import PARTITIONS

COLUMNS = ("time", "received", "generation", "tag", "tie", "status", "server", "value")
COPY_ROWS = 5_000

Row = tuple[Any, ...]


def _from_json(value: bytes) -> list[Row]:
    row = orjson.loads(value)
    moment = datetime.fromtimestamp(row["time"] / 1e6, UTC)
    return [(moment, moment, 0, row["tag"], 0, row["status"], 0, row["value"])]


def _from_arrow(value: bytes) -> list[Row]:
    if not value.startswith(b"\xff\xff\xff\xff"):
        return []
    with pa.ipc.open_stream(value) as reader:
        rows = reader.read_all().to_pylist()
    return [
        (
            datetime.fromtimestamp(row["time"] / 1e6, UTC),
            datetime.fromtimestamp(row["received"] / 1e6, UTC),
            0,
            row["tag"],
            row["tie"],
            row["status"],
            row["server"],
            row["value"],
        )
        for row in rows
    ]


async def main(
    bootstrap: str, topic: str, dsn: str, schema: str, rows: int, how: str
) -> None:
    decode = _from_json if how == "json" else _from_arrow
    connection = await asyncpg.connect(dsn, server_settings={"search_path": schema})
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=f"usual-{schema}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    consumer.assign([TopicPartition(topic, n) for n in range(PARTITIONS)])
    await consumer.start()
    began, stored = time.process_time(), 0
    held: list[Row] = []
    while stored < rows:
        found = await consumer.getmany(timeout_ms=500, max_records=COPY_ROWS)
        for messages in found.values():
            for each in messages:
                held += decode(each.value)
        if held and (len(held) >= COPY_ROWS or not found):
            await connection.copy_records_to_table(
                "reading", records=held, columns=COLUMNS
            )
            await consumer.commit()
            stored += len(held)
            held = []
        elif stored + len(held) >= rows:
            await connection.copy_records_to_table(
                "reading", records=held, columns=COLUMNS
            )
            await consumer.commit()
            stored += len(held)
    print(json.dumps({"cpu_s": time.process_time() - began}), flush=True)
    await consumer.stop()
    await connection.close()


if __name__ == "__main__":
    _, servers, name, where, into, count, kind = sys.argv
    asyncio.run(main(servers, name, where, into, int(count), kind))
