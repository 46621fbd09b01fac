"""A real HTTP receiver and a real SMTP server, which can be away or refuse."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import uvicorn
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass
class Arrival:
    """One request."""

    headers: dict[str, str]
    content: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.content)
        return body

    def is_signed(self, key: bytes = KEY) -> bool:
        """Check as a receiver does, with nothing but the specification."""
        stamp = self.headers["webhook-timestamp"]
        signed = f"{self.id}.{stamp}.".encode() + self.content
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(digest).decode()
        return hmac.compare_digest(expected, self.headers["webhook-signature"])


@dataclass
class Receiver:
    """Takes webhooks; `answers` says with which status, `before` runs before that."""

    port: int
    arrivals: list[Arrival] = field(default_factory=list)
    answers: Callable[[Arrival], int] = lambda _: 204
    before: Callable[[], Awaitable[None]] | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fedbatch"

    @property
    def ids(self) -> list[str]:
        return [arrival.id for arrival in self.arrivals]

    async def until(self, said: Callable[[Receiver], bool]) -> None:
        """Wait until it is true of what has arrived."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: said(self))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        content, more = b"", True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        arrival = Arrival(headers, content)
        async with self.changed:
            self.arrivals.append(arrival)
            self.changed.notify_all()
        if self.before is not None:
            await self.before()
        status = self.answers(arrival)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Listen for the length of the block; outside, connections are refused."""
        config = uvicorn.Config(
            self, port=self.port, log_config=None, lifespan="off", ws="none"
        )
        server = _Server(config)
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            yield
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class MailServer:
    """Takes mail; `refuses` gives the answer to an address, None to take it."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    tos: list[str] = field(default_factory=list)
    refuses: Callable[[str], str | None] = lambda _: None
    logins: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle_RCPT(  # noqa: N802  the name is aiosmtpd's
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        refusal = self.refuses(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(  # noqa: N802  the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        async with self.changed:
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.tos += envelope.rcpt_tos
            self.changed.notify_all()
        return "250 taken"

    async def until(self, said: Callable[[MailServer], bool]) -> None:
        """Wait until it is true of what has arrived."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: said(self))

    @asynccontextmanager
    async def up(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        """Listen for the length of the block; with `tls`, logins after STARTTLS."""

        def authenticated(
            server: SMTP, session: Session, envelope: Envelope, kind: str, data: Any
        ) -> AuthResult:
            assert isinstance(data, LoginPassword)
            self.logins.append(f"{data.login.decode()}:{data.password.decode()}")
            return AuthResult(success=data.password == b"secret")

        open_now: set[_Dialogue] = set()

        def dialogue() -> SMTP:
            return _Dialogue(
                open_now,
                self,
                hostname="mail.test",
                tls_context=tls,
                authenticator=authenticated if tls else None,
            )

        loop = asyncio.get_running_loop()
        server = await loop.create_server(dialogue, "127.0.0.1", self.port)
        async with server:
            yield
        await asyncio.gather(*(each.hang_up() for each in tuple(open_now)))


class _Dialogue(SMTP):
    """One client's connection, which can be cut and waited for."""

    def __init__(self, open_now: set[_Dialogue], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._open_now = open_now
        self._over = asyncio.Event()
        self._wire: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called again after STARTTLS, with what lies over the first transport."""
        if self._wire is None:
            self._wire = transport
            self._open_now.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_now.discard(self)
        self._over.set()
        super().connection_lost(error)

    async def hang_up(self) -> None:
        """Cut the connection; its socket is closed on return."""
        assert isinstance(self._wire, asyncio.Transport)
        self._wire.abort()
        async with asyncio.timeout(10):
            await self._over.wait()
        await asyncio.sleep(0)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port: int = opened.getsockname()[1]
        return port
