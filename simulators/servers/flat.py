"""An OPC UA server of the flat DCS profile: site/area/vessel/loop/PV.

Values are pushed, never sampled: each one written reaches the queue of every monitored
item at once (subject to its filter), with the source timestamp it was written with.

Bounded by: the monitored items' queues (see simulators.servers.queues). When full: as
there. Order: as written. Duplicates: none; a new monitored item first gets the value
that was written last. On cancel: values written so far are queued or sent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from asyncua import Server, ua

from shared.domain import FedbatchError
from simulators.servers.address_space import PYTHON, VARIANT, Builder
from simulators.servers.history import History, Kept
from simulators.servers.history_service import NODES_PER_READ, HistoryService
from simulators.servers.outgoing import Outgoing
from simulators.servers.queues import MarkingSubscriptions
from simulators.servers.security import OneUser, certificate_in
from simulators.servers.troubles import Troubles
from simulators.servers.variables import NAMESPACE
from simulators.servers.writes import OperatorWrites

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Set
    from pathlib import Path

    from simulators.instants import Instant, Value
    from simulators.servers.fault_desk import FaultDesk
    from simulators.servers.variables import Variable

APPLICATION_URI = "urn:fedbatch:simulator"
KEPT_VALUES = 2_000_000
"""Values of its history, about 60 bytes each."""
SESSION_MS = 60_000
"""Longest time a session, with its queues, outlives its client's connection."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GOOD = ua.StatusCode()


class EndpointTaken(FedbatchError):  # noqa: N818
    """The address to listen on is used or not ours."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and for whom a server listens."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free port."""
    encrypted: bool = False
    """Only Basic256Sha256 with SignAndEncrypt; else only without security."""
    user: str | None = None
    """Name of the one user who may connect; None: anybody."""
    password: str = field(default="", repr=False)
    certificates: Path | None = None
    """Folder of the server's certificate and key; needed when encrypted."""


class _Sent(ua.DataValue):  # type: ignore[misc]
    """A value that nobody changes: asyncua's deep copy per item (20 us) is itself."""

    def __deepcopy__(self, memo: object) -> _Sent:
        return self


class FlatServer:
    """Serves variables; `async with` owns the socket."""

    def __init__(
        self,
        endpoint: Endpoint,
        variables: Sequence[Variable],
        *,
        keep: int = KEPT_VALUES,
    ) -> None:
        """Serve `variables`; HistoryRead finds the last `keep` values, 0: none."""
        self._endpoint = endpoint
        self.history = History(len(variables), keep)
        self.troubles: Troubles
        self._outgoing = Outgoing()
        self.variables = tuple(variables)
        users = OneUser(endpoint.user, endpoint.password) if endpoint.user else None
        self._server = Server(user_manager=users)
        self._subscriptions: MarkingSubscriptions
        self._space: Any = self._server.iserver.aspace
        self._nodes: list[Any] = []
        self._namespace = 0
        self._process: set[Any] = set()
        self._counted: tuple[Set[Any], int] = (frozenset(), 0)
        self._types = [VARIANT[v.kind] for v in self.variables]
        self._python = [PYTHON[v.kind] for v in self.variables]

    async def build(self) -> None:
        """Make the address space; values can be written from then on.

        Raises:
            NodeRefused: two variables have the same node.
        """
        server = self._server
        server.set_server_name("fedbatch simulated plant")
        await server.init()
        await server.set_application_uri(APPLICATION_URI)
        server.set_endpoint(f"opc.tcp://{self._endpoint.host}:{self._endpoint.port}")
        server.iserver.max_session_timeout_ms = SESSION_MS
        server.iserver.allow_remote_admin = False
        self._subscriptions = MarkingSubscriptions(server)
        server.iserver.subscription_service = self._subscriptions
        server.iserver.isession.subscription_service = self._subscriptions
        await self._secure()
        self._namespace = await server.register_namespace(NAMESPACE)
        builder = Builder(server, self._namespace, history=self.history.keeps)
        self._nodes = await builder.add(self.variables)
        await self._serve_history()
        self.troubles = Troubles(server, self._subscriptions, self._outgoing)
        await self.troubles.build(self._namespace)
        self._process = {
            node
            for node, variable in zip(self._nodes, self.variables, strict=True)
            if variable.process
        }
        for node in self._nodes:
            self._value_of(node).value = _Sent(
                ua.Variant(None, ua.VariantType.Null),
                ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData),
            )

    async def _serve_history(self) -> None:
        """Answer HistoryRead, and say so where clients look."""
        iserver = self._server.iserver
        places = {node: place for place, node in enumerate(self._nodes)}
        iserver.history_manager = HistoryService(
            iserver, self.history, places, self._data_value
        )
        ids = ua.ObjectIds
        for node, variant in (
            (
                ids.HistoryServerCapabilities_AccessHistoryDataCapability,
                ua.Variant(self.history.keeps, ua.VariantType.Boolean),
            ),
            (
                ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
                ua.Variant(NODES_PER_READ, ua.VariantType.UInt32),
            ),
        ):
            await self._server.get_node(ua.NodeId(node)).write_value(variant)

    def accept(self, write: Callable[[str, float], None]) -> None:
        """Let clients write what is writable; call it after `build`.

        Args:
            write: takes a node's identifier and a number, or raises WriteRefused.
        """
        nodes = {
            node: variable.node
            for node, variable in zip(self._nodes, self.variables, strict=True)
            if variable.writable
        }
        writes = OperatorWrites(self._space, nodes, write)
        self._server.iserver.attribute_service = writes

    async def offer(self, desk: FaultDesk) -> None:
        """Add the plant's faults; call it after `build`."""
        await desk.build(self._server, self._namespace)

    async def _secure(self) -> None:
        endpoint, server = self._endpoint, self._server
        policy = ua.SecurityPolicyType.NoSecurity
        if endpoint.encrypted:
            if endpoint.certificates is None:
                raise ValueError("certificates: expected a folder, found None")
            certificate, key = certificate_in(
                endpoint.certificates, APPLICATION_URI, endpoint.host
            )
            await server.load_certificate(certificate)
            await server.load_private_key(key)
            policy = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt
        server.set_security_policy([policy])
        token = ua.UserNameIdentityToken if endpoint.user else ua.AnonymousIdentityToken
        server.set_identity_tokens([token])

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            EndpointTaken: the address cannot be bound.
        """
        try:
            await self._server.start()
        except OSError as error:
            raise EndpointTaken(
                f"{self._endpoint.host}:{self._endpoint.port}: cannot listen there "
                f"({error.strerror}); expected a free port of this machine"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.troubles.end()
        await self._server.stop()

    @property
    def url(self) -> str:
        """Return the endpoint's URL with the port in use."""
        return f"opc.tcp://{self._endpoint.host}:{self._server.bserver.port}"

    @property
    def dropped(self) -> int:
        """Return how many values left a full queue unsent."""
        return self._subscriptions.dropped

    def fullest(self) -> float:
        """Return the fill level of the fullest queue of connected clients, 0 to 1."""
        return self._subscriptions.fullest(self._connected())

    def watched(self) -> int:
        """Return how many process variables connected clients monitor."""
        watched = self._subscriptions.watched(self._connected())
        if watched is not self._counted[0]:
            self._counted = (watched, len(self._process & watched))
        return self._counted[1]

    def _connected(self) -> set[int]:
        listener = self._server.bserver
        return (
            {id(client.processor) for client in listener.clients} if listener else set()
        )

    def _value_of(self, node: Any) -> Any:  # noqa: ANN401  asyncua's AttributeValue
        return self._space[node].attributes[ua.AttributeIds.Value]

    async def write(self, instant: Instant) -> None:
        """Put values into their variables and into all queues, in order."""
        server = time.time_ns() // 1_000 + self._outgoing.skew_us
        dated = self._outgoing.skewed(instant)
        for going in self._outgoing.pass_on(dated):
            await self._put(going, server)
        self.history.add(dated, server)

    async def _put(self, instant: Instant, server: int) -> None:
        statuses = instant.statuses or (0,) * len(instant.nodes)
        for node, value, status in zip(
            instant.nodes, instant.values, statuses, strict=True
        ):
            await self._space.write_attribute_value(
                self._nodes[node],
                ua.AttributeIds.Value,
                self._data_value(node, Kept(instant.time, value, status, server)),
            )

    def _data_value(self, node: int, kept: Kept) -> _Sent:
        return _Sent(
            self._variant(node, kept.value),
            ua.StatusCode(kept.status) if kept.status else _GOOD,
            _EPOCH + timedelta(microseconds=kept.time),
            _EPOCH + timedelta(microseconds=kept.server),
        )

    def _variant(self, node: int, value: Value) -> Any:  # noqa: ANN401  Variant
        if value is None:
            return ua.Variant(None, ua.VariantType.Null)
        return ua.Variant(self._python[node](value), self._types[node])
