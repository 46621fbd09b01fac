"""asyncua's own subscription as a client, as its documentation shows it.

    python -m tests.benchmarks.opcua.stock URL ITEMS SECONDS

The handler gathers the values of a notification's worth of calls in lists, which become
columns at once: the cheapest way to columns that its interface leaves open.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import numpy as np
from asyncua import Client, ua

from tests.benchmarks.opcua.columns import Sums
from tests.benchmarks.opcua.watch import say, watch


class Gather:
    """A data change handler that ends in columns."""

    def __init__(self, items: int) -> None:
        self.sums = Sums()
        self._items = items
        self._rows: tuple[list[Any], ...] = ([], [], [], [])

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """Take one value, as asyncua calls it."""
        tags, times, values, statuses = self._rows
        sent = data.monitored_item.Value
        tags.append(node.nodeid.Identifier)
        times.append(sent.SourceTimestamp)
        values.append(np.nan if value is None else value)
        statuses.append(sent.StatusCode.value)
        if len(tags) == self._items:
            self._to_columns()

    def _to_columns(self) -> None:
        tags, times, values, statuses = self._rows
        self.sums.add(
            np.array(tags, np.int32),
            np.array(times, "M8[us]").astype(np.int64),
            np.array(values, np.float64),
            np.array(statuses, np.uint32),
        )
        self._rows = ([], [], [], [])


async def main(url: str, items: int, seconds: float) -> None:
    """Subscribe for a while."""
    gather = Gather(items)
    client = Client(url, timeout=30)
    async with client:
        subscription = await client.create_subscription(500, gather)
        nodes = [client.get_node(ua.NodeId(i + 1, 1)) for i in range(items)]
        for start in range(0, items, 1000):
            await subscription.subscribe_data_change(nodes[start : start + 1000])
        await watch(gather.sums, seconds)
    say(gather.sums)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
