"""An OPC UA server of the flat DCS profile: site/area/vessel/loop/PV.

Values are pushed, never sampled: each one written reaches the queue of every monitored
item at once (subject to its filter), with the source timestamp it was written with.

Bounded by: the monitored items' queues (see simulators.servers.feed). When full: as
there. Order: as written. Duplicates: none; a new monitored item first gets the value
that was written last. On cancel: values written so far are queued or sent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from asyncua import Server, ua

from shared.domain import FedbatchError
from simulators.servers.address_space import Builder
from simulators.servers.history import History
from simulators.servers.history_files import Files
from simulators.servers.history_service import NODES_PER_READ, HistoryService
from simulators.servers.latest import Latest
from simulators.servers.outgoing import Outgoing
from simulators.servers.roles import Account, Accounts, Guard
from simulators.servers.security import TrustedClients, certificate_in
from simulators.servers.subscriptions import FedSubscriptions
from simulators.servers.troubles import Troubles
from simulators.servers.variables import NAMESPACE
from simulators.servers.writes import OperatorWrites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from simulators.instants import Instant
    from simulators.servers.lads import LadsProfile
    from simulators.servers.variables import Variable

APPLICATION_URI = "urn:fedbatch:simulator"
KEPT_VALUES = 2_000_000
"""Values of its history, about 32 bytes each."""
INSTANTS_PER_FILED_PAGE = 10
"""What a kill can take from the files."""
SESSION_MS = 60_000
"""Longest time a session, with its queues, outlives its client's connection."""


class Desk(Protocol):
    """An object with methods, for example the site's faults."""

    async def build(self, server: Server, namespace: int, guard: Guard) -> None:
        """Add it to a server that does not listen yet."""


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
    accounts: tuple[Account, ...] = ()
    """Who may connect; none: anybody."""
    certificates: Path | None = None
    """Folder of the server's certificate and key; needed when encrypted."""
    known_clients: bool = False
    """Whether only clients are let in whose certificate is trusted; see security."""


class FlatServer:
    """Serves variables; `async with` owns the socket."""

    def __init__(
        self,
        endpoint: Endpoint,
        variables: Sequence[Variable],
        *,
        keep: int = KEPT_VALUES,
        history_in: Path | None = None,
    ) -> None:
        """Serve `variables`.

        Args:
            endpoint: where.
            variables: what.
            keep: values that HistoryRead finds, the last ones; 0: none.
            history_in: folder that keeps them; default: they end with the server.
        """
        self._endpoint = endpoint
        self.variables = tuple(variables)
        self._files = None if history_in is None else Files(history_in)
        self.history = _history(keep, self._files)
        self.troubles: Troubles
        self._outgoing = Outgoing()
        self._latest = Latest(self.variables)
        self._process = np.array([variable.process for variable in variables], bool)
        users = Accounts(endpoint.accounts) if endpoint.accounts else None
        self._server = Server(user_manager=users)
        self._guard = Guard(self._server)
        self._subscriptions: FedSubscriptions
        self._space: Any = self._server.iserver.aspace
        self._nodes: list[Any] = []
        self._namespace = 0
        self._lads: LadsProfile | None = None

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
        spans = [
            0.0 if v.range is None else v.range[1] - v.range[0] for v in self.variables
        ]
        self._subscriptions = FedSubscriptions(server, self._latest, spans)
        server.iserver.subscription_service = self._subscriptions
        server.iserver.isession.subscription_service = self._subscriptions
        await self._secure()
        self._namespace = await server.register_namespace(NAMESPACE)
        builder = Builder(server, self._namespace, history=self.history.keeps)
        self._nodes = await builder.add(self.variables)
        self._latest.places = {node: n for n, node in enumerate(self._nodes)}
        self._show(self._nodes)
        await self._serve_history()
        self.troubles = Troubles(
            server, self._subscriptions, self._outgoing, self._latest.places
        )
        await self.troubles.build(self._namespace, self._guard)

    async def _serve_history(self) -> None:
        """Answer HistoryRead, and say so where clients look."""
        iserver = self._server.iserver
        iserver.history_manager = HistoryService(
            iserver, self.history, self._latest.places, self._latest.data_value
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
            node: self.variables[place].node
            for node, place in self._latest.places.items()
            if self.variables[place].writable
        }
        writes = OperatorWrites(self._space, nodes, write)
        self._server.iserver.attribute_service = writes

    async def show_lads(self, profile: LadsProfile) -> None:
        """Add the same variables as LADS devices; after `build`, before `accept`."""
        profile.history = self.history.keeps
        await profile.build(self._server, self._namespace, self._guard, self.variables)
        of = {variable.node: place for place, variable in enumerate(self.variables)}
        places = {node: of[shown] for node, shown in profile.aliases.items()}
        self._latest.places.update(places)
        self._show(places)
        self._lads = profile

    def _show(self, nodes: Iterable[Any]) -> None:
        """Let nodes show what the latest values of their places are."""
        for node in nodes:
            self._space.set_attribute_value_callback(
                node, ua.AttributeIds.Value, self._latest.read
            )

    async def offer(self, *desks: Desk) -> None:
        """Add objects with methods; call it after `build`."""
        for desk in desks:
            await desk.build(self._server, self._namespace, self._guard)

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
            if endpoint.known_clients:
                folder = endpoint.certificates / "clients"
                server.set_certificate_validator(TrustedClients(folder))
            policy = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt
        server.set_security_policy([policy])
        token = ua.AnonymousIdentityToken
        if endpoint.accounts:
            token = ua.UserNameIdentityToken
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
        self.history.close_page()
        if self._files is not None:
            self._files.close()

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
        return self._subscriptions.watched(self._connected(), self._process)

    def _connected(self) -> set[int]:
        listener = self._server.bserver
        return (
            {id(client.processor) for client in listener.clients} if listener else set()
        )

    async def write(self, instant: Instant) -> None:
        """Put values into their variables and into all queues, in order."""
        server = time.time_ns() // 1_000 + self._outgoing.skew_us
        dated = self._outgoing.skewed(instant)
        for going in self._outgoing.pass_on(dated):
            columns = self._outgoing.shown(going.columns())
            self._latest.take(columns, going.time, server)
            self._subscriptions.take(columns, going.time, server)
            if self._lads is not None:
                await self._lads.follow(columns)
        self.history.add(dated.columns(), dated.time, server)


def _history(keep: int, files: Files | None) -> History:
    """Return a history with what the files have of earlier runs."""
    if files is None:
        return History(keep)
    history = History(keep, files, instants=INSTANTS_PER_FILED_PAGE)
    for number, page in files.pages():
        history.found(number, page)
    return history
