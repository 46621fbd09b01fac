"""One session with one OPC UA server: connect, resume, and the services we use.

asyncua gives the secure channel and the encoding. Its publish loop, its supervisor and
its reconnect are not used: they acknowledge before anything is written, and forget
monitored items that a server refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asyncua import Client, ua
from asyncua.client.ua_client import UASocketState
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.ua_binary import struct_from_binary

from services.ingest.opcua.naming import named
from services.ingest.opcua.security import check_trusted, own_identity
from services.ingest.opcua.situations import (
    AccessRefused,
    ServerUnreachable,
    ServerUntrusted,
)
from shared.domain import US_PER_S, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from services.ingest.opcua.security import Identity
    from shared.plant import Server

SESSION_LIFETIME_S = 60
"""How long a server keeps a session, and its subscriptions, after contact is lost."""

_CLOSE_S = 2.0
CHANNEL_LIFETIME_S = 3600
"""Lifetime asked for a security token."""
_RENEW_AT = 0.75
"""Share of a security token's lifetime after which it is renewed (Part 4, 5.5.2)."""
_LIMIT_NODES = {
    "read": ua.NodeId(
        ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead
    ),
    "items": ua.NodeId(
        ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall
    ),
    "browse": ua.NodeId(
        ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse
    ),
    "history": ua.NodeId(
        ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData
    ),
}
_STARTED = ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime)
_AT_ONCE = 1000
"""Operations in one request when the server names no limit."""


class Session:
    """A session that survives its connection where the server allows it.

    Invariant: between `open` and `drop` there is a secure channel with an activated
    session; requests fail with a situation of ours, never with asyncua's errors.
    """

    def __init__(
        self,
        server: Server,
        *,
        folder: Path,
        identity: Identity,
        password: str | None,
        timeout_s: float,
    ) -> None:
        self._server = server
        self._folder = folder
        self._identity = identity
        self._password = password
        self._timeout_s = timeout_s
        self._client: Client | None = None
        self._theirs = b""
        """Certificate of the server, DER, that `_client` encrypts for; empty: none."""
        self._own = b""
        """Ours that it signs with."""
        self.namespaces: list[str] = []
        """NamespaceArray of the server, read anew with each new session."""
        self.limits: dict[str, int] = {}
        """Operations per request, by `read`, `items`, `browse`, `history`."""
        self.started = 0
        """When the server started, us UTC; 0 when it does not say."""

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._server.url

    async def open(self) -> bool:
        """Connect; return whether the former session, with what it holds, goes on.

        Raises:
            ServerUnreachable: no connection, or no OPC UA there.
            ServerUntrusted: the certificate must be checked by a person.
            AccessRefused: security or user refused; never tried with less security.
        """
        with named(self.url, "connect"):
            if self._client is not None and await self._resume(self._client):
                return True
            self._client = await self._new_client()
            await self._channel(self._client)
            await self._begin(self._client)
        return False

    async def _new_client(self) -> Client:
        self._identity = own_identity(self._folder)  # it may have been renewed
        client = Client(self.url, timeout=self._timeout_s)
        client.uaclient.pre_request_hook = None
        client.name = client.description = "fedbatch collector"
        client.application_uri = self._identity.uri
        client.session_timeout = SESSION_LIFETIME_S * 1000
        client.secure_channel_timeout = CHANNEL_LIFETIME_S * 1000
        security = self._server.security
        if security.policy == "None":
            return client
        endpoints = await client.connect_and_get_server_endpoints()
        mode = ua.MessageSecurityMode[security.mode]
        uri = SecurityPolicyBasic256Sha256.URI
        offers = [
            e for e in endpoints if (e.SecurityMode, e.SecurityPolicyUri) == (mode, uri)
        ]
        if not offers:
            found = sorted(
                {
                    f"{e.SecurityPolicyUri.rpartition('#')[2]}/{e.SecurityMode.name}"
                    for e in endpoints
                }
            )
            raise AccessRefused(
                f"{self.url}: the server offers {', '.join(found)}; "
                f"expected {security.policy}/{security.mode}"
            )
        der = first_certificate(offers[0].ServerCertificate or b"")
        check_trusted(self._folder, der, self.url)
        self._theirs, self._own = der, self._identity.certificate.read_bytes()
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            CertProperties(self._identity.certificate),
            CertProperties(self._identity.key),
            server_certificate=CertProperties(der, "der"),
            mode=mode,
        )
        return client

    async def _socket(self, client: Client) -> None:
        try:
            await client.connect_socket()
            await client.send_hello()
        except BaseException:
            self.drop()
            raise

    async def _channel(self, client: Client) -> None:
        await self._socket(client)
        try:
            await client.open_secure_channel()
        except BaseException:
            self.drop()
            raise

    async def _begin(self, client: Client) -> None:
        try:
            try:
                await client.create_session()
            except ua.UaStatusCodeError:
                raise
            except ua.UaError as error:
                raise AccessRefused(self._unlike(error)) from error
            await self._activate(client)
            self.namespaces = [str(u) for u in await client.get_namespace_array()]
            await self._read_facts(client)
        except BaseException:
            await self.close()
            raise

    def _unlike(self, error: ua.UaError) -> str:
        security = self._server.security
        asked = f"{security.policy}/{security.mode}"
        return f"{self.url}: {error}; expected a server that offers {asked}"

    async def _activate(self, client: Client) -> None:
        user = self._server.security.user
        await client.activate_session(username=user, password=self._password)

    async def _resume(self, client: Client) -> bool:
        """Return whether the server still had the session for the new channel."""
        session = client.uaclient.session
        if not session.has_session:
            return False
        if not self._theirs:
            await self._channel(client)
        elif not await self._channel_again(client):
            return False
        session.rebind_authentication_token()
        try:
            await self._activate(client)
        except ua.UaStatusCodeError:
            session.reset_authentication_token()
            self.drop()
            return False
        return True

    async def _channel_again(self, client: Client) -> bool:
        """Return whether there is a channel with the certificates of before.

        Not if one of them was renewed, has expired, or is not trusted any more.
        """
        try:
            check_trusted(self._folder, self._theirs, self.url)
        except ServerUntrusted:
            return False  # what the server has now is asked for and judged next
        if self._identity.certificate.read_bytes() != self._own:
            return False
        await self._socket(client)
        try:
            await client.open_secure_channel()
        except (ua.UaError, OSError, TimeoutError):  # it may have another one now
            self.drop()
            return False
        return True

    async def _read_facts(self, client: Client) -> None:
        nodes = [_STARTED, *_LIMIT_NODES.values()]
        values = await client.uaclient.session.read_attributes(
            nodes, ua.AttributeIds.Value
        )
        started, *limits = (
            v.Value.Value if v.Value is not None else None for v in values
        )
        self.started = _microseconds(started) if isinstance(started, datetime) else 0
        self.limits = {
            name: min(int(value), _AT_ONCE) if value else _AT_ONCE
            for name, value in zip(_LIMIT_NODES, limits, strict=True)
        }

    @property
    def client(self) -> Client:
        """The client of asyncua; only while open.

        Raises:
            ServerUnreachable: there is no connection.
        """
        if self._client is None or not self._is_connected():
            raise ServerUnreachable(f"{self.url}: the connection is closed")
        return self._client

    @property
    def is_open(self) -> bool:
        """Whether there is a connection now."""
        return self._is_connected()

    def _is_connected(self) -> bool:
        protocol = None if self._client is None else self._client.uaclient.protocol
        return protocol is not None and protocol.state is UASocketState.OPEN

    async def call(self, request: Any, response: type[Any], what: str) -> Any:  # noqa: ANN401  asyncua's structures
        """Send one request and return its decoded response.

        Raises:
            Unavailable: one of this room's situations.
        """
        with named(self.url, what):
            data = await self.client.uaclient.protocol.send_request(request)
            decoded = struct_from_binary(response, data)
            decoded.ResponseHeader.ServiceResult.check()
        return decoded

    async def raw(self, request: Any, what: str, *, wait: bool = True) -> bytes:  # noqa: ANN401
        """Send one request and return the undecoded response, from its type id on.

        Args:
            request: an asyncua request.
            what: for messages.
            wait: False for a request that the server holds until it has news: no
                time-out of its own.
        """
        with named(self.url, what):
            protocol = self.client.uaclient.protocol
            return bytes(await protocol.send_request(request, None if wait else 0))

    def ask(self, request: Any) -> asyncio.Future[Any]:  # noqa: ANN401
        """Send one request that the server holds until it has news: no time-out.

        Returns:
            What `answered` takes once it is done; no task waits for it.

        Raises:
            Unavailable: one of this room's situations.
        """
        with named(self.url, "ask"):
            protocol = self.client.uaclient.protocol
            asked: asyncio.Future[Any] = protocol._send_request(request, 0)  # noqa: SLF001
        return asked

    def answered(self, asked: asyncio.Future[Any], what: str, usual: bytes) -> bytes:
        """Return the undecoded response to `ask`, from its type id on.

        Args:
            asked: done.
            what: for messages.
            usual: type id of the response; anything else is looked at here.

        Raises:
            Unavailable: one of this room's situations, a ServiceFault among them.
        """
        with named(self.url, what):
            data = asked.result()
            body = bytes(data)
            if not body.startswith(usual):
                self.client.uaclient.protocol.check_answer(data, what)
        return body

    async def keep_channel(self) -> None:
        """Renew the secure channel's token for ever.

        Raises:
            ServerUnreachable: the server refused the renewal.
        """
        while True:
            client = self.client
            await asyncio.sleep(client.secure_channel_timeout / 1000 * _RENEW_AT)
            with named(self.url, "renew the secure channel"):
                await client.open_secure_channel(renew=True)
                client.uaclient.revolve_security_token()

    def drop(self) -> None:
        """Cut the connection; the server keeps the session for a while."""
        if self._client is None:
            return
        protocol = self._client.uaclient.protocol
        if protocol is not None:
            protocol.on_connection_lost = None
        self._client.uaclient.disconnect_socket()

    def forget(self) -> None:
        """Cut the connection and do not ask for the former session again."""
        self.drop()
        self._client = None

    async def close(self) -> None:
        """End the session and the connection; subscriptions go with it."""
        if self._client is not None and self._is_connected():
            with contextlib.suppress(Unavailable), named(self.url, "close"):
                async with asyncio.timeout(_CLOSE_S):
                    await self._client.uaclient.session.close_session(
                        delete_subscriptions=True
                    )
                    await self._client.close_secure_channel()
        self.forget()


def first_certificate(chain: bytes) -> bytes:
    """Return the leading certificate of a DER chain (a SEQUENCE with long length)."""
    return chain[: int.from_bytes(chain[2:4], "big") + 4]


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield `items` in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _microseconds(moment: datetime) -> int:
    """Return us UTC of what asyncua decodes: UTC without saying so."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * US_PER_S)
