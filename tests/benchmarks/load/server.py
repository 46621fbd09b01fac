"""An OPC UA server that costs little: real handshake, pre-encoded notifications.

It speaks SecurityPolicy None, knows the nodes `ns=1;i=<index + 1>` and the server's
clock, and sends either by its clock (`paced`) or one notification for every
PublishRequest (`saturating`). Nothing is sampled and nothing is skipped: each tick of
each item is sent exactly once, in order.
"""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import (
    header_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    struct_to_binary,
    uatcp_to_binary,
)

from tests.benchmarks.load import services
from tests.benchmarks.load.loads import Load, Sent
from tests.benchmarks.load.notifications import chunks, republish_response
from tests.benchmarks.load.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 65_536
_IDS = ua.ObjectIds
_PUBLISH = _IDS.PublishRequest_Encoding_DefaultBinary
_REPUBLISH = _IDS.RepublishRequest_Encoding_DefaultBinary


class LoadServer:
    """One endpoint; one client at a time is sampled for."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.sent = Sent()
        self._stopping = False
        self._subscription: Subscription | None = None
        self._number = 0

    async def serve(self) -> asyncio.Server:
        """Listen; return the running server."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.load.port
        )

    def stop(self) -> None:
        """End the sampling with the tick that is under way."""
        self._stopping = True
        if self._subscription is not None:
            self._subscription.stopping = True

    def new_number(self) -> int:
        """Return a number of which it and the next were not used yet."""
        self._number += 2
        return self._number

    def begin(self, subscription: Subscription) -> None:
        """Sample for this subscription from now on."""
        self._subscription = subscription
        subscription.stopping = self._stopping


class _Connection(asyncio.Protocol):
    """One client: its channel, its session, its subscription."""

    def __init__(self, server: LoadServer) -> None:
        self._server = server
        self._port = server.load.port
        self._buffer = b""
        self._parts: list[bytes] = []
        self._channel = (1, 1)
        self._sequence = 0
        self._early: list[tuple[int, bytes]] = []
        self._subscription: Subscription | None = None
        self._answers: dict[int, Callable[[Any], Any]] = {
            _IDS.GetEndpointsRequest_Encoding_DefaultBinary: lambda _: (
                services.endpoints(self._port)
            ),
            _IDS.CreateSessionRequest_Encoding_DefaultBinary: lambda asked: (
                services.session(asked, self._port, server.new_number())
            ),
            _IDS.ActivateSessionRequest_Encoding_DefaultBinary: lambda _: (
                services.activated()
            ),
            _IDS.CloseSessionRequest_Encoding_DefaultBinary: self._close,
            _IDS.ReadRequest_Encoding_DefaultBinary: services.read,
            _IDS.CreateSubscriptionRequest_Encoding_DefaultBinary: self._subscribe,
            _IDS.CreateMonitoredItemsRequest_Encoding_DefaultBinary: self._monitor,
            _IDS.SetPublishingModeRequest_Encoding_DefaultBinary: (
                services.publishing_mode
            ),
            _IDS.TransferSubscriptionsRequest_Encoding_DefaultBinary: (
                services.not_transferred
            ),
            _IDS.DeleteSubscriptionsRequest_Encoding_DefaultBinary: self._delete,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self._end_subscription()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 8:
            size = int.from_bytes(self._buffer[4:8], "little")
            if len(self._buffer) < size:
                return
            part, self._buffer = self._buffer[:size], self._buffer[size:]
            self._take(part)

    def _take(self, part: bytes) -> None:
        kind = part[:3]
        if kind == b"MSG":
            (request,) = struct.unpack_from("<I", part, 20)
            self._parts.append(part[24:])
            if part[3:4] == b"F":
                body, self._parts = b"".join(self._parts), []
                self._answer(request, body)
        elif kind == b"HEL":
            limits = ua.Acknowledge()
            limits.ReceiveBufferSize = limits.SendBufferSize = CHUNK_BYTES
            answer = uatcp_to_binary(ua.MessageType.Acknowledge, limits)
            self._transport.write(answer)
        elif kind == b"OPN":
            self._open(part)
        else:
            self._transport.close()

    def _open(self, part: bytes) -> None:
        buffer = Buffer(part)
        header_from_binary(buffer)
        struct_from_binary(ua.AsymmetricAlgorithmHeader, buffer)
        sequence = struct_from_binary(ua.SequenceHeader, buffer)
        request = struct_from_binary(ua.OpenSecureChannelRequest, buffer)
        self._channel = (1, self._channel[1] + 1)
        response = ua.OpenSecureChannelResponse()
        token = response.Parameters.SecurityToken
        token.ChannelId, token.TokenId = self._channel
        token.CreatedAt = datetime.now(UTC).replace(tzinfo=None)
        token.RevisedLifetime = request.Parameters.RequestedLifetime
        response.ResponseHeader.RequestHandle = request.RequestHeader.RequestHandle
        self._sequence += 1
        head = ua.AsymmetricAlgorithmHeader(SecurityPolicyURI=services.POLICY_NONE)
        numbers = struct.pack("<II", self._sequence, sequence.RequestId)
        body = struct_to_binary(head) + numbers + struct_to_binary(response)
        self._transport.write(
            b"OPNF" + struct.pack("<II", 12 + len(body), self._channel[0]) + body
        )

    def _answer(self, request: int, body: bytes) -> None:
        kind = nodeid_from_binary(Buffer(body)).Identifier
        if kind == _PUBLISH:
            self._publish(request, body)
            return
        if kind == _REPUBLISH:
            self._republish(request, body)
            return
        answer = self._answers.get(kind)
        if answer is None:
            asked = struct_from_binary(ua.RequestHeader, Buffer(body[4:]))
            self._fault(request, asked.RequestHandle, "BadServiceUnsupported")
            return
        name = ua.ObjectIdNames[kind].removesuffix("_Encoding_DefaultBinary")
        asked = struct_from_binary(getattr(ua, name), Buffer(body))
        response = answer(asked)
        response.ResponseHeader.RequestHandle = asked.RequestHeader.RequestHandle
        self._send(request, struct_to_binary(response))

    def _fault(self, request: int, handle: int, name: str) -> None:
        fault = services.fault(name)
        fault.ResponseHeader.RequestHandle = handle
        self._send(request, struct_to_binary(fault))

    def _send(self, request: int, body: bytes) -> None:
        parts = chunks(body, self._channel, request, self._sequence + 1, CHUNK_BYTES)
        for part in parts:
            self._sequence += 1
            self._transport.write(part)

    def _close(self, _asked: Any) -> Any:
        self._end_subscription()
        return ua.CloseSessionResponse()

    def _delete(self, asked: Any) -> Any:
        self._end_subscription()
        return services.deleted(asked)

    def _end_subscription(self) -> None:
        if self._subscription is not None:
            self._subscription.end()
        self._subscription = None

    def _subscribe(self, asked: Any) -> Any:
        self._end_subscription()
        wanted = asked.Parameters
        subscription = self._subscription = Subscription(
            self._server.new_number(),
            self._server.load,
            self._server.sent,
            interval_s=wanted.RequestedPublishingInterval / 1000,
            keep_alive=max(1, wanted.RequestedMaxKeepAliveCount),
            send=self._send,
        )
        self._server.begin(subscription)
        early, self._early = self._early, []
        for request, body in early:
            self._publish(request, body)
        return services.subscribed(asked, subscription.id, subscription.keep_alive)

    def _monitor(self, asked: Any) -> Any:
        response = ua.CreateMonitoredItemsResponse()
        response.Results = [self._item(i) for i in asked.Parameters.ItemsToCreate]
        if self._subscription is not None:
            self._subscription.items_complete()
        return response

    def _item(self, item: Any) -> Any:
        result = ua.MonitoredItemCreateResult()
        node, wanted = item.ItemToMonitor.NodeId, item.RequestedParameters
        if self._subscription is None or node.NamespaceIndex > 1:
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown)
            return result
        index = node.Identifier - 1 if node.NamespaceIndex else None
        self._subscription.monitor(index, wanted.ClientHandle)
        result.MonitoredItemId = self._server.new_number()
        result.RevisedSamplingInterval = wanted.SamplingInterval
        result.RevisedQueueSize = wanted.QueueSize
        return result

    def _publish(self, request: int, body: bytes) -> None:
        if self._subscription is None:
            self._early.append((request, body))
        else:
            self._subscription.take_request(request, *publish_request(body))

    def _republish(self, request: int, body: bytes) -> None:
        asked = struct_from_binary(ua.RepublishRequest, Buffer(body))
        handle = asked.RequestHeader.RequestHandle
        number = asked.Parameters.RetransmitSequenceNumber
        found = None if self._subscription is None else self._subscription.kept(number)
        if found is None:
            self._fault(request, handle, "BadMessageNotAvailable")
        else:
            self._server.sent.republished += 1
            self._send(request, republish_response(handle, found))


def publish_request(body: bytes) -> tuple[int, list[int]]:
    """Return the request handle and the acknowledged numbers of a PublishRequest."""
    buffer = Buffer(body)
    nodeid_from_binary(buffer)
    nodeid_from_binary(buffer)
    at = len(body) - len(buffer)
    handle, _, audit = struct.unpack_from("<IIi", body, at + 8)
    at += 8 + 12 + max(audit, 0) + 4 + 3
    (count,) = struct.unpack_from("<i", body, at)
    numbers = struct.unpack_from(f"<{2 * max(count, 0)}I", body, at + 4)
    return handle, list(numbers[1::2])
