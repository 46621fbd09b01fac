"""A plain OPC UA client for tests: subscribes and keeps every notification as sent."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asyncua import Client, ua

from simulators.servers.variables import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

Received = tuple[str, int, Any, int]
"""Node identifier, OPC UA DateTime ticks (100 ns since 1601), value, StatusCode."""


class Listener:
    """One connection with one subscription."""

    def __init__(self, client: Client, namespace: int) -> None:
        self.client = client
        self.namespace = namespace
        self.received: list[Received] = []
        """In order of arrival."""
        self._names: dict[int, str] = {}
        self._more = asyncio.Event()

    def node(self, identifier: str) -> Any:
        return self.client.get_node(ua.NodeId(identifier, self.namespace))

    async def subscribe(
        self,
        identifiers: Sequence[str],
        *,
        each: bool,
        queue: int = 1000,
        interval_ms: float = 50.0,
    ) -> None:
        """Create a subscription; `each`: trigger StatusValueTimestamp."""
        params = ua.CreateSubscriptionParameters()
        params.RequestedPublishingInterval = interval_ms
        params.RequestedLifetimeCount = 10_000
        params.RequestedMaxKeepAliveCount = 100
        params.PublishingEnabled = True
        made = await self.client.uaclient.create_subscription(params, self._take)
        items = ua.CreateMonitoredItemsParameters()
        items.SubscriptionId = made.SubscriptionId
        items.TimestampsToReturn = ua.TimestampsToReturn.Both
        for identifier in identifiers:
            handle = len(self._names) + 1
            self._names[handle] = identifier
            items.ItemsToCreate.append(self._item(identifier, handle, queue, each=each))
        results = await self.client.uaclient.create_monitored_items(items)
        for result in results:
            result.StatusCode.check()

    def _item(self, identifier: str, handle: int, queue: int, *, each: bool) -> Any:
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = ua.NodeId(identifier, self.namespace)
        item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters.ClientHandle = handle
        item.RequestedParameters.QueueSize = queue
        item.RequestedParameters.DiscardOldest = True
        if each:
            wanted = ua.DataChangeFilter()
            wanted.Trigger = ua.DataChangeTrigger.StatusValueTimestamp
            item.RequestedParameters.Filter = wanted
        return item

    async def _take(self, result: Any) -> None:
        for part in result.NotificationMessage.NotificationData or ():
            for item in part.MonitoredItems:
                value = item.Value
                time = value.SourceTimestamp
                ticks = ua.datetime_to_win_epoch(time) if time is not None else 0
                body = None if value.Value is None else value.Value.Value
                name = self._names[item.ClientHandle]
                self.received.append((name, ticks, body, value.StatusCode.value))
        self._more.set()

    def of(self, identifier: str) -> list[Received]:
        return [row for row in self.received if row[0] == identifier]

    async def until(self, done: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until `done()` holds after a notification; fail after `seconds`."""
        async with asyncio.timeout(seconds):
            while not done():
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def listening(url: str, **security: Any) -> AsyncIterator[Listener]:
    """Connect; `security`: `user`, `password`, `policy` as asyncua takes them."""
    client = Client(url, timeout=20)
    if "user" in security:
        client.set_user(security["user"])
        client.set_password(security["password"])
    if "policy" in security:
        await client.set_security_string(security["policy"])
    client.application_uri = "urn:fedbatch:simulator"
    async with client:
        yield Listener(client, await client.get_namespace_index(NAMESPACE))
