"""The usual pipeline to Kafka: asyncua's callback, one JSON message per reading.

    python -m tests.benchmarks.opcua.usual URL ITEMS SECONDS BOOTSTRAP TOPIC

The callback queues a reading, a task encodes it (orjson) and sends it; the producer
batches by itself (acks=all). Prints readings that the broker acknowledged and the CPU
seconds from the first reading to the last acknowledgement.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from asyncua import Client, ua


class Queued:
    """A data change handler that queues readings."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.open = True
        self.first: tuple[float, float] | None = None

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """Take one value, as asyncua calls it."""
        if not self.open:
            return
        if self.first is None:
            self.first = time.process_time(), time.perf_counter()
        sent = data.monitored_item.Value
        self.queue.put_nowait(
            {
                "tag": node.nodeid.Identifier,
                "time": sent.SourceTimestamp.isoformat(),
                "value": value,
                "status": sent.StatusCode.value,
            }
        )


async def _send(handler: Queued, producer: AIOKafkaProducer, topic: str) -> int:
    sent = 0
    while (reading := await handler.queue.get()) is not None:
        key = str(reading["tag"]).encode()
        await producer.send(topic, orjson.dumps(reading), key=key)
        sent += 1
    await producer.flush()
    return sent


async def main(
    url: str, items: int, seconds: float, bootstrap: str, topic: str
) -> None:
    """Carry readings to Kafka for a while."""
    handler = Queued()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_batch_size=262_144
    )
    async with producer, Client(url, timeout=30) as client:
        subscription = await client.create_subscription(500, handler)
        nodes = [client.get_node(ua.NodeId(i + 1, 1)) for i in range(items)]
        await subscription.subscribe_data_change(nodes)
        sending = asyncio.create_task(_send(handler, producer, topic))
        await asyncio.sleep(seconds)
        handler.open = False
        handler.queue.put_nowait(None)
        sent = await sending
        assert handler.first is not None
        cpu, wall = handler.first
        said = {
            "readings": sent,
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - wall,
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    asyncio.run(
        main(
            sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5]
        )
    )
