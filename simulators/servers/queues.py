"""Monitored-item queues of an asyncua server: how full they are, and what they lose.

asyncua 2.1 drops the oldest value of a full queue silently. Here the next value that
stays gets the Overflow bit, as OPC UA Part 4 asks of servers, and the loss is counted.

Bounded by: each monitored item's revised queue size. When full: the oldest value goes,
the oldest that stays is marked. Order: kept. Duplicates: none. On cancel: nothing is
kept; a stopped server forgets its subscriptions.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.subscription_service import SubscriptionService

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from asyncua import Server

OVERFLOW = 0x0480
"""InfoType DataValue with the Overflow bit."""


class MarkingSubscriptions(SubscriptionService):  # type: ignore[misc]
    """asyncua's subscriptions with queues that mark and count what they drop."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.iserver.aspace, server.iserver)
        self.dropped = 0
        """Values that left a full queue unsent."""
        self.stalled = False
        """Whether nothing is published, not even keep-alives."""
        self.duplicate = False
        """Whether every value is put into the queues twice."""
        self.no_transfer = False
        """Whether TransferSubscriptions is refused as unknown."""
        self._watched: set[Any] = set()
        self._watched_key: list[tuple[int, int]] = []

    async def create_subscription(self, *args: Any, **keywords: Any) -> Any:  # noqa: ANN401
        """As asyncua does, with a marking queue."""
        result = await super().create_subscription(*args, **keywords)
        subscription = self.subscriptions[result.SubscriptionId]
        subscription.enqueue_datachange_event = partial(self._enqueue, subscription)
        publish = subscription.publish_results
        subscription.publish_results = partial(self._publish, publish)
        return result

    async def _publish(self, publish: Any, request: Any = None) -> Any:  # noqa: ANN401
        return False if self.stalled else await publish(request)

    async def transfer_subscriptions(self, *args: Any, **keywords: Any) -> Any:  # noqa: ANN401
        """As asyncua does, unless the server is to refuse it."""
        if self.no_transfer:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        return await super().transfer_subscriptions(*args, **keywords)

    async def _enqueue(
        self,
        subscription: Any,  # noqa: ANN401
        item: int,
        event: Any,  # noqa: ANN401
        size: int,
    ) -> None:
        for _ in range(1 + self.duplicate):
            await self._enqueue_once(subscription, item, event, size)

    async def _enqueue_once(
        self,
        subscription: Any,  # noqa: ANN401
        item: int,
        event: Any,  # noqa: ANN401
        size: int,
    ) -> None:
        queue = subscription._triggered_datachanges.get(item)  # noqa: SLF001
        full = queue is not None and 0 < size <= len(queue)
        await subscription._enqueue_event(  # noqa: SLF001
            item,
            event,
            size,
            subscription._triggered_datachanges,  # noqa: SLF001
        )
        if full:
            self.dropped += 1
            if size > 1:
                _mark(queue[0])

    def _served(self, connected: set[int]) -> Iterator[Any]:
        """Yield the subscriptions whose client still has its connection."""
        for subscription in self.subscriptions.values():
            source = getattr(subscription.pub_request_callback, "__self__", None)
            if id(source) in connected:
                yield subscription

    def watched(self, connected: set[int]) -> Set[Any]:
        """Return the NodeIds that clients still connected monitor.

        Args:
            connected: ids of the connections (asyncua's processors) that live. A client
                that is gone keeps its items for a while, but takes nothing from them.
        """
        served = [
            subscription.monitored_item_srv._monitored_items  # noqa: SLF001
            for subscription in self._served(connected)
        ]
        key = [(id(items), len(items)) for items in served]
        if key != self._watched_key:
            self._watched_key = key
            self._watched = {
                item.read_value_id.NodeId for items in served for item in items.values()
            }
        return self._watched

    def fullest(self, connected: set[int]) -> float:
        """Return the fill level of the fullest queue that a client still empties.

        Args:
            connected: as for `watched`.
        """
        level = 0.0
        for subscription in self._served(connected):
            items = subscription.monitored_item_srv._monitored_items  # noqa: SLF001
            queues = subscription._triggered_datachanges  # noqa: SLF001
            for item, queue in queues.items():
                if item in items:
                    level = max(level, len(queue) / max(items[item].queue_size, 1))
        return level


def _mark(event: Any) -> None:  # noqa: ANN401  MonitoredItemNotification
    status = event.Value.StatusCode
    marked = ua.StatusCode((status.value if status else 0) | OVERFLOW)
    event.Value = dataclasses.replace(event.Value, StatusCode=marked)
