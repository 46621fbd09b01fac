"""One subscription with its monitored items, kept as the configuration wants them.

Requests go out in batches within the server's OperationLimits; a batch that the server
finds too large is halved and the smaller size remembered. A refused item does not
disturb the others and is asked for again for ever, with back-off.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from asyncua import ua

from services.ingest.opcua.naming import status_name
from services.ingest.opcua.nodes import NamespaceUnknown, resolve
from services.ingest.opcua.session import SESSION_LIFETIME_S, batches
from services.ingest.opcua.situations import ServiceRefused
from shared.plant import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from services.ingest.opcua.items import Item, Items
    from services.ingest.opcua.session import Session
    from shared.domain import SubscriptionState

KEEP_ALIVE_S = 3.0
"""Longest silence of a healthy subscription, unless the settings say otherwise."""
ROWS_PER_NOTIFICATION = 5_000
_TOO_MANY = frozenset(
    {
        ua.StatusCodes.BadTooManyOperations,
        ua.StatusCodes.BadRequestTooLarge,
        ua.StatusCodes.BadResponseTooLarge,
        ua.StatusCodes.BadEncodingLimitsExceeded,
    }
)
_FILTER_REFUSED = frozenset(
    {
        ua.StatusCodes.BadMonitoredItemFilterUnsupported,
        ua.StatusCodes.BadMonitoredItemFilterInvalid,
        ua.StatusCodes.BadFilterNotAllowed,
    }
)


def utc_now() -> int:
    """Return the collector's clock, us UTC."""
    return time.time_ns() // 1000


class Subscription:
    """The server's subscription `id` (0 while there is none).

    Order: notifications are numbered by the server. Duplicates: none from here.
    On cancel: a request on its way is given up; `items` shows what was granted so far.
    """

    def __init__(
        self,
        session: Session,
        items: Items,
        *,
        publishing_interval_ms: int,
        keep_alive_s: float,
        changed: Callable[[Sequence[SubscriptionState]], None],
    ) -> None:
        self._session = session
        self._interval_ms = publishing_interval_ms
        self._changed = changed
        self.items = items
        self.id = 0
        self._keep_alive_s = keep_alive_s
        self.keep_alive_s = keep_alive_s
        """Longest silence the server agreed to."""
        self.interval_s = publishing_interval_ms / 1000

    async def create(self) -> None:
        """Make a new, empty subscription. Raises the room's situations."""
        request = ua.CreateSubscriptionRequest()
        parameters = request.Parameters
        parameters.RequestedPublishingInterval = float(self._interval_ms)
        keep_alive = max(1, math.floor(self._keep_alive_s * 1000 / self._interval_ms))
        parameters.RequestedMaxKeepAliveCount = keep_alive
        lifetime = math.ceil(SESSION_LIFETIME_S * 1000 / self._interval_ms)
        parameters.RequestedLifetimeCount = max(3 * keep_alive, lifetime)
        parameters.MaxNotificationsPerPublish = ROWS_PER_NOTIFICATION
        parameters.PublishingEnabled = True
        response = await self._session.call(
            request, ua.CreateSubscriptionResponse, "create a subscription"
        )
        revised = response.Parameters
        self.id = revised.SubscriptionId
        self.interval_s = revised.RevisedPublishingInterval / 1000
        self.keep_alive_s = self.interval_s * revised.RevisedMaxKeepAliveCount

    async def probe(self) -> None:
        """Return when the server still has the subscription.

        Raises:
            SubscriptionLost: it does not.
        """
        request = ua.SetPublishingModeRequest()
        request.Parameters.PublishingEnabled = True
        request.Parameters.SubscriptionIds = [self.id]
        response = await self._session.call(
            request, ua.SetPublishingModeResponse, "ask for the subscription"
        )
        for status in response.Parameters.Results:
            self._check(status, "ask for the subscription")

    async def transfer(self) -> None:
        """Take the subscription over from a lost session into the present one.

        Raises:
            SubscriptionLost: the server no longer has it, or does not transfer.
        """
        request = ua.TransferSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [self.id]
        request.Parameters.SendInitialValues = False
        response = await self._session.call(
            request, ua.TransferSubscriptionsResponse, "transfer the subscription"
        )
        for result in response.Parameters.Results:
            self._check(result.StatusCode, "transfer the subscription")

    async def delete(self, subscription: int) -> None:
        """Delete a subscription of this session by its id."""
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [subscription]
        await self._session.call(
            request, ua.DeleteSubscriptionsResponse, "delete a subscription"
        )

    def _check(self, status: ua.StatusCode, what: str) -> None:
        if not status.is_good():
            message = f"{self._session.url}: {what}: {status_name(status.value)}"
            raise ServiceRefused(message, status.value)

    async def republish(self, number: int) -> bytes:
        """Return the undecoded RepublishResponse of one notification.

        Raises:
            ServiceRefused: BadMessageNotAvailable, the server no longer has it.
        """
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = self.id
        request.Parameters.RetransmitSequenceNumber = number
        return await self._session.raw(request, f"republish notification {number}")

    async def reconcile(self) -> None:
        """Ask once for everything that is wanted, not granted, and due."""
        await self._delete_leaving()
        due = self.items.due(asyncio.get_running_loop().time())
        states: list[SubscriptionState] = []
        ready = [item for item in due if self._resolvable(item, states)]
        while ready:
            size = self._session.limits["items"]
            batch, rest = ready[:size], ready[size:]
            try:
                states += await self._create_items(batch)
            except ServiceRefused as error:
                if error.code not in _TOO_MANY or size <= 1:
                    raise
                self._session.limits["items"] = max(1, min(size, len(batch)) // 2)
                continue
            ready = rest
        if states:
            self._changed(states)

    async def _delete_leaving(self) -> None:
        for batch in batches(self.items.leaving(), self._session.limits["items"]):
            request = ua.DeleteMonitoredItemsRequest()
            request.Parameters.SubscriptionId = self.id
            request.Parameters.MonitoredItemIds = list(batch)
            await self._session.call(
                request, ua.DeleteMonitoredItemsResponse, "delete monitored items"
            )

    def _resolvable(self, item: Item, states: list[SubscriptionState]) -> bool:
        try:
            resolve(item.wanted.node, self._session.namespaces)
        except NamespaceUnknown as error:
            self._refuse(item, str(error), states)
            return False
        return True

    async def _create_items(self, batch: Sequence[Item]) -> list[SubscriptionState]:
        results = await self._request_items(batch, filtered=True)
        states: list[SubscriptionState] = []
        without_filter = []
        for item, result in zip(batch, results, strict=True):
            if result.StatusCode.value in _FILTER_REFUSED:
                without_filter.append(item)
            else:
                self._settle(item, result, "", states)
        if without_filter:
            results = await self._request_items(without_filter, filtered=False)
            note = "the server refuses the trigger; it reports changes of value only"
            for item, result in zip(without_filter, results, strict=True):
                self._settle(item, result, note, states)
        return states

    async def _request_items(
        self, batch: Sequence[Item], *, filtered: bool
    ) -> Sequence[ua.MonitoredItemCreateResult]:
        self.items.ask(batch)
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = self.id
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ItemsToCreate = [
            _create_request(item, self._session.namespaces, filtered=filtered)
            for item in batch
        ]
        response = await self._session.call(
            request, ua.CreateMonitoredItemsResponse, "create monitored items"
        )
        results: Sequence[ua.MonitoredItemCreateResult] = response.Results
        return results

    def _settle(
        self,
        item: Item,
        result: ua.MonitoredItemCreateResult,
        note: str,
        states: list[SubscriptionState],
    ) -> None:
        if result.StatusCode.is_bad():
            self._refuse(item, status_name(result.StatusCode.value), states)
        else:
            states.append(
                self.items.grant(item, result.MonitoredItemId, utc_now(), note)
            )

    def _refuse(self, item: Item, error: str, states: list[SubscriptionState]) -> None:
        now_s = asyncio.get_running_loop().time()
        text = f"{item.wanted.node}: {error}"
        state = self.items.refuse(item, text, utc_now(), now_s)
        if state is not None:
            states.append(state)

    def judge_values(self, tags: NDArray[np.int32], refused: dict[int, str]) -> None:
        """Show tags whose values are of a kind that readings cannot hold.

        Their items stay; a tag that sends a reading again is shown as subscribed.
        """
        states = self.items.content(tags, utc_now())
        for item in self.items.items_of(refused):
            reason = refused[item.wanted.tag]
            state = self.items.complain(item, reason, utc_now())
            if state is not None:
                states.append(state)
        if states:
            self._changed(states)

    async def tend(self, wake: asyncio.Event) -> None:
        """Reconcile for ever: when refused items are due, and when `wake` is set."""
        loop = asyncio.get_running_loop()
        while True:
            due = self.items.next_due()
            pause = None if due is None else max(0.0, due - loop.time())
            try:
                async with asyncio.timeout(pause):
                    await wake.wait()
            except TimeoutError:
                pass
            wake.clear()
            await self.reconcile()


def _create_request(
    item: Item, namespaces: Sequence[str], *, filtered: bool
) -> ua.MonitoredItemCreateRequest:
    request = ua.MonitoredItemCreateRequest()
    request.ItemToMonitor.NodeId = resolve(item.wanted.node, namespaces)
    request.ItemToMonitor.AttributeId = ua.AttributeIds.Value
    request.MonitoringMode = ua.MonitoringMode.Reporting
    parameters = request.RequestedParameters
    parameters.ClientHandle = item.handle
    parameters.SamplingInterval = float(item.wanted.sampling_ms)
    parameters.QueueSize = item.wanted.queue
    parameters.DiscardOldest = True
    if filtered:
        parameters.Filter = ua.DataChangeFilter(
            Trigger=ua.DataChangeTrigger.StatusValueTimestamp
            if item.wanted.report is Report.EACH
            else ua.DataChangeTrigger.StatusValue
        )
    return request
