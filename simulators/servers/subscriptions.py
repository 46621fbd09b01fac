"""Subscriptions of an asyncua server whose process variables come from feeds.

asyncua keeps a callback, two copies and a queue of objects per monitored item. Here a
subscription's items on process variables are one `Feed`; all others (the server's own
variables, events) are asyncua's as before.

Bounded by: each monitored item's revised queue size. When full: see
simulators.servers.feed. Order: of each item, as published. Duplicates: none, unless the
server is told to send some. On cancel: a stopped server forgets its subscriptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.server.subscription_service import SubscriptionService
from asyncua.ua.uaprotocol_auto import DataChangeFilter

from simulators.instants import TICKS_AT_1970, Columns
from simulators.servers.feed import Feed, Item
from simulators.servers.notifications import NEVER, data_change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncua import Server

    from simulators.servers.latest import Latest

FASTEST_MS = 10.0
"""Shortest publishing interval."""
_BODY = ua.NodeId(ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary)


class FedItems(MonitoredItemService):  # type: ignore[misc]
    """asyncua's monitored items; those on process variables stand in a feed."""

    def __init__(
        self,
        subscription: FedSubscription,
        space: Any,  # noqa: ANN401
        latest: Latest,
        spans: Sequence[float],
    ) -> None:
        """Serve the variables that `latest` has; `spans` are their ranges' widths."""
        super().__init__(subscription, space)
        self.feed = Feed(latest.types)
        self._latest, self._spans = latest, spans
        self._slots: dict[int, int] = {}

    async def _create_data_change_monitored_item(self, params: Any) -> Any:  # noqa: ANN401
        wanted = params.ItemToMonitor
        place = self._latest.places.get(wanted.NodeId)
        if place is None or wanted.AttributeId != ua.AttributeIds.Value:
            return await super()._create_data_change_monitored_item(params)
        result, made = self._make_monitored_item_common(params)
        if wanted.NodeId not in self.aspace:
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown)
            return result
        slot = self.feed.add(self._item(place, made))
        self._slots[result.MonitoredItemId] = slot
        self._commit_monitored_item(result, made)
        self.feed.switch(slot, on=made.mode != ua.MonitoringMode.Disabled)
        self._say_first(slot, place, made.mode)
        return result

    def _say_first(self, slot: int, place: int, mode: Any) -> None:  # noqa: ANN401
        if mode == ua.MonitoringMode.Disabled:
            return
        columns, time, server = self._latest.one(place)
        source = ticks(time) if server else NEVER
        self.feed.take_one(slot, columns, source, ticks(server))

    def _item(self, place: int, made: Any) -> Item:  # noqa: ANN401
        asked = made.filter
        each, deadband = False, 0.0
        if isinstance(asked, DataChangeFilter):
            each = asked.Trigger == ua.DataChangeTrigger.StatusValueTimestamp
            if asked.DeadbandType == ua.DeadbandType.Absolute:
                each, deadband = False, asked.DeadbandValue
            elif asked.DeadbandType == ua.DeadbandType.Percent:
                share = asked.DeadbandValue / 100.0
                each, deadband = False, share * self._spans[place]
        return Item(place, made.client_handle, made.queue_size, each, deadband)

    def _modify_monitored_item(self, params: Any) -> Any:  # noqa: ANN401
        slot = self._slots.get(params.MonitoredItemId)
        if slot is None:
            return super()._modify_monitored_item(params)
        made, asked = self._monitored_items[params.MonitoredItemId], params
        parameters = asked.RequestedParameters
        made.client_handle = parameters.ClientHandle
        made.queue_size = self._revise_queue_size(parameters.QueueSize)
        made.filter = parameters.Filter
        place = self._latest.places[made.read_value_id.NodeId]
        self.feed.change(slot, self._item(place, made))
        result = ua.MonitoredItemModifyResult()
        result.RevisedSamplingInterval = self.isub.data.RevisedPublishingInterval
        result.RevisedQueueSize = made.queue_size
        return result

    async def _set_monitoring_mode(self, mode: Any, mid: int) -> Any:  # noqa: ANN401
        slot = self._slots.get(mid)
        if slot is None:
            return await super()._set_monitoring_mode(mode, mid)
        made = self._monitored_items[mid]
        before, made.mode = made.mode, mode
        self.feed.switch(slot, on=mode != ua.MonitoringMode.Disabled)
        if before == ua.MonitoringMode.Disabled:
            place = self._latest.places[made.read_value_id.NodeId]
            self._say_first(slot, place, mode)
        return ua.StatusCode()

    def _delete_monitored_items(self, mid: int) -> Any:  # noqa: ANN401
        slot = self._slots.pop(mid, None)
        if slot is None:
            return super()._delete_monitored_items(mid)
        self.feed.remove(slot)
        del self._monitored_items[mid]
        return ua.StatusCode()


class FedSubscription(InternalSubscription):  # type: ignore[misc]
    """asyncua's subscription; its data changes of process variables are bytes."""

    stalled = False
    """Whether nothing is published, not even keep-alives."""

    def serve(self, space: Any, latest: Latest, spans: Sequence[float]) -> None:  # noqa: ANN401
        """Take items on the variables that `latest` has."""
        self.monitored_item_srv = FedItems(self, space, latest, spans)

    @property
    def feed(self) -> Feed:
        """Return what waits to be sent."""
        made: Feed = self.monitored_item_srv.feed
        return made

    def has_published_results(self) -> bool:
        """Whether there is something to publish now."""
        if self._publishing_enabled and self.feed.waits:
            return True
        return bool(super().has_published_results())

    async def publish_results(self, requestdata: Any = None) -> bool:  # noqa: ANN401
        """As asyncua does, unless the server is stalled."""
        if self.stalled:
            return False
        return bool(await super().publish_results(requestdata))

    def _pop_triggered_datachanges(self, result: Any) -> None:  # noqa: ANN401
        super()._pop_triggered_datachanges(result)
        if self.feed.waits:
            body = data_change(self.feed.give())
            made = ua.ExtensionObject(TypeId=_BODY, Body=body)
            result.NotificationMessage.NotificationData.append(made)


class FedSubscriptions(SubscriptionService):  # type: ignore[misc]
    """All subscriptions of a server."""

    def __init__(self, server: Server, latest: Latest, spans: Sequence[float]) -> None:
        super().__init__(server.iserver.aspace, server.iserver)
        self._latest, self._spans = latest, spans
        self._stalled = False
        self.duplicate = False
        """Whether every value is put into the queues twice."""
        self.no_transfer = False
        """Whether TransferSubscriptions is refused as unknown."""
        self._gone = 0

    @property
    def stalled(self) -> bool:
        """Whether nothing is published, not even keep-alives."""
        return self._stalled

    @stalled.setter
    def stalled(self, on: bool) -> None:
        self._stalled = on
        for one in self.subscriptions.values():
            one.stalled = on

    @property
    def dropped(self) -> int:
        """Return how many values left a full queue unsent."""
        return self._gone + sum(
            int(one.feed.dropped) for one in self.subscriptions.values()
        )

    async def create_subscription(
        self,
        params: Any,  # noqa: ANN401
        callback: Any,  # noqa: ANN401
        session_id: Any,  # noqa: ANN401
        request_callback: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Make a subscription, within the server's limits."""
        limits: Any = self.iserver
        if len(self.subscriptions) >= limits.max_subscriptions:
            raise ServiceError(ua.StatusCodes.BadTooManySubscriptions)
        result = ua.CreateSubscriptionResult()
        result.RevisedPublishingInterval = max(
            params.RequestedPublishingInterval, FASTEST_MS
        )
        result.RevisedLifetimeCount = self._clamp_lifetime_count(
            params.RequestedLifetimeCount
        )
        result.RevisedMaxKeepAliveCount = self._clamp_keep_alive_count(
            params.RequestedMaxKeepAliveCount
        )
        self._sub_id_counter += 1
        number = result.SubscriptionId = self._sub_id_counter
        made = FedSubscription(
            result,
            self.aspace,
            callback,
            session_id,
            request_callback=request_callback,
            delete_callback=lambda: self._forget(number),
            no_acks_limit=limits.max_unacked_messages_per_subscription,
            max_queue_size=limits.max_monitored_item_queue_size,
            publishing_enabled=params.PublishingEnabled,
        )
        made.serve(self.aspace, self._latest, self._spans)
        made.stalled = self._stalled
        await made.start()
        self.subscriptions[number] = made
        return result

    def _forget(self, number: int) -> None:
        gone = self.subscriptions.pop(number, None)
        self._gone += gone.feed.dropped if gone is not None else 0

    async def delete_subscriptions(self, ids: list[int]) -> Any:  # noqa: ANN401
        """As asyncua does; what they lost stays counted."""
        for number in ids:
            gone = self.subscriptions.get(number)
            self._gone += gone.feed.dropped if gone is not None else 0
        return await super().delete_subscriptions(ids)

    async def transfer_subscriptions(self, *args: Any, **keywords: Any) -> Any:  # noqa: ANN401
        """As asyncua does, unless the server is to refuse it."""
        if self.no_transfer:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        return await super().transfer_subscriptions(*args, **keywords)

    def take(self, columns: Columns, time: int, server: int) -> None:
        """Queue an instant for every item it concerns; both times in us UTC."""
        times = 1 + self.duplicate
        for one in self.subscriptions.values():
            one.feed.take(columns, ticks(time), ticks(server), times=times)

    def _served(self, connected: set[int]) -> Iterator[FedSubscription]:
        """Yield the subscriptions whose client still has its connection.

        A client that is gone keeps its items for a while, but takes nothing from them.
        """
        for subscription in self.subscriptions.values():
            source = getattr(subscription.pub_request_callback, "__self__", None)
            if id(source) in connected:
                yield subscription

    def watched(self, connected: set[int], process: Any) -> int:  # noqa: ANN401
        """Return how many process variables clients still connected monitor.

        Args:
            connected: ids of the connections (asyncua's processors) that live.
            process: whether a variable is of the process, by place; an array.
        """
        seen = np.zeros(len(process), bool)
        for one in self._served(connected):
            seen[one.feed.nodes] = True
        return int((seen & process).sum())

    def fullest(self, connected: set[int]) -> float:
        """Return the fill level of the fullest queue that a client still empties."""
        return max((one.feed.fullest() for one in self._served(connected)), default=0.0)


def ticks(time: int) -> int:
    """Return an OPC UA DateTime of us since 1970."""
    return time * 10 + TICKS_AT_1970
