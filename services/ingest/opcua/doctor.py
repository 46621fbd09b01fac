"""Looks at an OPC UA server the way the collector will use it, and names what is wrong.

The steps follow the connection: name, port, endpoints, certificate, session, clock,
limits, variables, timestamps, history. A step that fails ends the examination; what was
found until then is returned. Nothing is written to the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asyncua import Client, ua

from services.ingest.opcua import clocks, history
from services.ingest.opcua.browse import variables
from services.ingest.opcua.certificate_check import certificate_findings
from services.ingest.opcua.findings import (
    Cause,
    Finding,
    Level,
    fault,
    fine,
    note,
    refusal,
)
from services.ingest.opcua.naming import named
from services.ingest.opcua.nodes import resolve
from services.ingest.opcua.security import own_identity
from services.ingest.opcua.session import Session, first_certificate
from services.ingest.opcua.situations import ServiceRefused
from shared.domain import US_PER_S, Unavailable
from shared.plant import Heartbeat, Security, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from services.ingest.opcua.found import Found
    from services.ingest.opcua.security import Identity

FEW = 100
"""Operations per call below which a large plant is slow to subscribe."""
LOOKED_AT = 20
"""Variables that are read."""
WATCH_S = 3.0
"""How long timestamps are watched."""
_TOKEN_OF_USER = {
    True: ua.UserTokenType.UserName,
    False: ua.UserTokenType.Anonymous,
}


@dataclass(frozen=True, slots=True)
class Patient:
    """Which server, and how it is to be reached."""

    url: str
    folder: Path
    """Certificates, as services.ingest.opcua.security describes it."""
    security: Security
    password: str | None = None
    timeout_s: float = 10.0
    watch_s: float = WATCH_S


class _Over(Exception):  # noqa: N818
    """The rest of the examination needs what is broken."""


class Examination:
    """One look at one server."""

    def __init__(self, patient: Patient, clock: Callable[[], int]) -> None:
        """Take the server; `clock` is ours, us UTC."""
        self._patient = patient
        self._clock = clock
        self.findings: list[Finding] = []

    async def run(self) -> list[Finding]:
        """Return what was found, in order; the last one may have ended it."""
        with contextlib.suppress(_Over):
            await self._reach()
            endpoints = await self._endpoints()
            identity = own_identity(self._patient.folder)
            self._judge_endpoint(self._chosen(endpoints))
            session = self._session(identity)
            try:
                await self._open(session, identity)
                await self._judge_session(session)
            except Unavailable as error:
                self._end(self._of_error(str(error), identity))
            finally:
                await session.close()
        return self.findings

    def _say(self, *found: Finding) -> None:
        self.findings += found

    def _end(self, found: Finding) -> None:
        self._say(found)
        raise _Over

    async def _reach(self) -> None:
        """Find the host and its port."""
        split = urlsplit(self._patient.url)
        host, port = split.hostname or "", split.port or 4840
        if split.scheme != "opc.tcp" or not host:
            self._end(
                fault(
                    Cause.HOSTNAME,
                    f"{self._patient.url}: expected opc.tcp://host:port",
                    "write the address as opc.tcp://host:4840",
                )
            )
        loop = asyncio.get_running_loop()
        try:
            await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            self._end(
                fault(
                    Cause.HOSTNAME,
                    f"{host}: no address: {error.strerror}",
                    "check the name, or use the IP address",
                )
            )
        try:
            async with asyncio.timeout(self._patient.timeout_s):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            self._end(
                fault(
                    Cause.UNREACHABLE,
                    f"{host}:{port}: {error or 'no answer'}",
                    "check that the server runs, its port, and firewalls in between",
                )
            )
        writer.close()
        self._say(fine(f"{host}:{port} takes connections"))

    async def _endpoints(self) -> Sequence[Any]:
        url = self._patient.url
        client = Client(url, timeout=self._patient.timeout_s)
        client.uaclient.pre_request_hook = None
        try:
            with named(url, "ask for endpoints"):
                found = await client.connect_and_get_server_endpoints()
        except Unavailable as error:
            fix = "check that this port is the server's OPC UA port (often 4840)"
            self._end(fault(Cause.NOT_OPC_UA, str(error), fix))
        self._say(fine(f"offers {', '.join(sorted({_offer(e) for e in found}))}"))
        return list(found)

    def _chosen(self, endpoints: Sequence[Any]) -> Any:  # noqa: ANN401
        """Return the endpoint that the collector would use."""
        security = self._patient.security
        wanted = f"{security.policy}/{security.mode}"
        for endpoint in endpoints:
            if _offer(endpoint) == wanted:
                return endpoint
        offers = ", ".join(sorted({_offer(e) for e in endpoints}))
        self._end(
            fault(
                Cause.POLICY,
                f"offers {offers}; expected {wanted}",
                f"enable {wanted} at the server"
                + ("" if security.policy == "None" else ", or ask for what it offers")
                + ("; fedbatch: --secure" if "Basic256Sha256/SignAndEncrypt" in offers
                   and security.policy == "None" else ""),
            )
        )  # fmt: skip
        return None

    def _judge_endpoint(self, endpoint: Any) -> None:  # noqa: ANN401
        """Judge user tokens, certificate and host of the endpoint."""
        security = self._patient.security
        tokens = {token.TokenType for token in endpoint.UserIdentityTokens}
        wanted = _TOKEN_OF_USER[security.user is not None]
        if wanted not in tokens:
            names = ", ".join(sorted(token.name for token in tokens)) or "no user"
            fix = "give a user with --user" if security.user is None else "give no user"
            self._end(
                fault(
                    Cause.TOKEN, f"takes {names}; expected {wanted.name}",
                    f"{fix}, or enable {wanted.name} at the server",
                )
            )  # fmt: skip
        self._judge_host(endpoint)
        if security.policy == "None":
            fix = "use Basic256Sha256 with SignAndEncrypt (--secure)"
            self._say(note(Cause.POLICY, "nothing is signed or encrypted", fix))
            return
        found = certificate_findings(
            first_certificate(endpoint.ServerCertificate or b""),
            application_uri=str(endpoint.Server.ApplicationUri),
            host=urlsplit(self._patient.url).hostname or "",
            folder=self._patient.folder,
            now=datetime.fromtimestamp(self._clock() / US_PER_S, UTC),
        )
        self._say(*found)
        if any(one.level is Level.FAULT for one in found):
            raise _Over

    def _judge_host(self, endpoint: Any) -> None:  # noqa: ANN401
        ours = urlsplit(self._patient.url).hostname
        theirs = urlsplit(str(endpoint.EndpointUrl or "")).hostname
        if theirs and theirs.lower() != ours:
            self._say(
                note(
                    Cause.HOSTNAME,
                    f"the server calls itself {theirs}; it was reached as {ours}",
                    "harmless for fedbatch, which goes on with the address you gave; "
                    "other clients need the server's own name to resolve",
                )
            )

    def _session(self, identity: Identity) -> Session:
        patient = self._patient
        server = Server(
            name="patient",
            url=patient.url,
            security=patient.security,
            heartbeat=Heartbeat(id=1),
        )
        return Session(
            server,
            folder=patient.folder,
            identity=identity,
            password=patient.password,
            timeout_s=patient.timeout_s,
        )

    async def _open(self, session: Session, identity: Identity) -> None:
        await session.open()
        self._say(fine(f"a session with certificate {identity.uri}"))

    def _of_error(self, error: str, identity: Identity) -> Finding:
        known = refusal(error, str(identity.certificate))
        fix = "look into the server's log at this moment"
        return known or fault(Cause.UNREACHABLE, error, fix)

    async def _judge_session(self, session: Session) -> None:
        await self._judge_status(session)
        self._judge_limits(session)
        found = await variables(session, lambda _: None)
        if not found:
            self._end(
                fault(
                    Cause.NOTHING,
                    "no scalar variable below Objects is visible to this user",
                    "check the user's rights to browse, and that the project is loaded",
                )
            )
        self._say(fine(f"{len(found)} variables that readings can hold"))
        chosen = found[:: max(1, len(found) // LOOKED_AT)][:LOOKED_AT]
        await self._judge_values(session, chosen)
        await self._judge_history(session, chosen)

    async def _judge_status(self, session: Session) -> None:
        before = self._clock()
        now, state = await _values(
            session,
            [
                ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime),
                ua.NodeId(ua.ObjectIds.Server_ServerStatus_State),
            ],
        )
        after = self._clock()
        if state.Value is not None and state.Value.Value not in {0, None}:
            name = ua.ServerState(state.Value.Value).name
            self._say(fault(Cause.STATE, f"the server is {name}; expected Running",
                            "start it, or look into its log"))  # fmt: skip
        if now.Value is None or not isinstance(now.Value.Value, datetime):
            self._say(note(Cause.CLOCK, "the server does not tell its time",
                           "its clock cannot be checked"))  # fmt: skip
            return
        difference = clocks.us(now.Value.Value) - (before + after) // 2
        self._say(clocks.skew(difference, after - before))

    def _judge_limits(self, session: Session) -> None:
        limits = session.limits
        told = ", ".join(f"{name} {number}" for name, number in limits.items())
        small = {name: n for name, n in limits.items() if n < FEW}
        if small:
            self._say(note(Cause.LIMITS, f"operations per call: {told}",
                           "fedbatch keeps to them; large plants subscribe slowly. "
                           "Raise them at the server if it lets you"))  # fmt: skip
        else:
            self._say(fine(f"operations per call: {told}"))

    async def _judge_values(self, session: Session, chosen: Sequence[Found]) -> None:
        nodes = [resolve(one.node, session.namespaces) for one in chosen]
        first = await _values(session, nodes)
        await asyncio.sleep(self._patient.watch_s)
        second = await _values(session, nodes)
        bad = [v for v in second if v.StatusCode is not None and v.StatusCode.is_bad()]
        if len(bad) == len(second):
            self._say(
                fault(
                    Cause.UNREADABLE,
                    f"all {len(bad)} variables are bad: {bad[0].StatusCode.name}",
                    "check the user's right to read, and the server's own connection "
                    "to its instruments",
                )
            )
            return
        pairs = [
            (a, b) for a, b in zip(first, second, strict=True)
            if not (b.StatusCode is not None and b.StatusCode.is_bad())
        ]  # fmt: skip
        self._say(clocks.timestamps(pairs, self._clock(), self._patient.watch_s))

    async def _judge_history(self, session: Session, chosen: Sequence[Found]) -> None:
        nodes = {place: one.node for place, one in enumerate(chosen)}
        end = self._clock()
        try:
            found, refused = await history.last_before(session, nodes, end)
        except ServiceRefused as error:
            found, refused = {}, {0: str(error)}
        fix = (
            "what is missed while nobody is connected stays a declared gap; let the "
            "server keep a history of its variables (HistoryRead)"
        )
        if found:
            oldest = (end - min(found.values())) // US_PER_S
            self._say(fine(f"history of {len(found)} of {len(nodes)} variables, the "
                           f"last values at most {oldest} s old"))  # fmt: skip
        else:
            why = next(iter(refused.values()), "it holds no values")
            self._say(note(Cause.NO_HISTORY, f"no history: {why}", fix))


def _offer(endpoint: Any) -> str:  # noqa: ANN401
    policy = str(endpoint.SecurityPolicyUri).rpartition("#")[2]
    return f"{policy}/{endpoint.SecurityMode.name.rstrip('_')}"


async def _values(session: Session, nodes: Sequence[Any]) -> list[Any]:
    """Return the DataValues of nodes as the server has them now."""
    request = ua.ReadRequest()
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    request.Parameters.MaxAge = 0
    for node in nodes:
        item = ua.ReadValueId()
        item.NodeId, item.AttributeId = node, ua.AttributeIds.Value
        request.Parameters.NodesToRead.append(item)
    response = await session.call(request, ua.ReadResponse, "read values")
    return list(response.Results)


async def examine(patient: Patient, clock: Callable[[], int]) -> list[Finding]:
    """Return what is right and wrong with a server, in the order of connecting.

    Args:
        patient: which server and how.
        clock: ours, us UTC.
    """
    return await Examination(patient, clock).run()
