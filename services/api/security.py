"""Who may ask: API keys, or without any only this machine and no foreign web page."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from services.api.problems import problem_response
from services.api.roles import Role

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from services.api.settings import ApiSettings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN = frozenset({"/health/live", "/health/ready"})
"""What an orchestrator asks without a key."""


class Admission:
    """ASGI middleware that answers those who may not ask.

    With keys: a request needs one of them as its bearer; it gets its name as `subject`
    and its role; a WebSocket that has an Origin must come from the API itself, because
    no browser asks us before it opens one. Without: its Host must be a loopback name
    and its Origin, if it has one, the same place, so that no web page that the user
    happens to visit can read the plant or command it (DNS rebinding); then everything
    is allowed.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._keys = {
            name: hashlib.sha256(key.get_secret_value().encode()).digest()
            for name, key in settings.keys.items()
        }
        self._roles = settings.roles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        refusal = None
        if self._keys:
            subject = self._subject(headers)
            if subject is not None:
                scope["subject"] = subject
                scope["role"] = self._roles.get(subject, Role.VIEWER)
            elif path not in _OPEN:
                refusal = (401, "key", "A key is needed", _KEY_EXPECTED)
            if scope["type"] == "websocket" and (said := _foreign_origin(headers)):
                refusal = (403, "foreign", "No other page may listen", said)
        elif said := _foreign_host(headers) or _foreign_origin(headers):
            refusal = (403, "foreign", "Only this machine may ask", said)
        else:
            scope["role"] = Role.ADMIN
        if refusal is None:
            await self._app(scope, receive, send)
            return
        challenge = {"WWW-Authenticate": "Bearer"} if self._keys else None
        await problem_response(*refusal, path, challenge)(scope, receive, send)

    def _subject(self, headers: Headers) -> str | None:
        """Return whose key it is; every key is compared, in constant time."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(given.strip().encode()).digest()
        matches = [n for n, k in self._keys.items() if hmac.compare_digest(k, digest)]
        return matches[0] if matches and scheme.lower() == "bearer" else None


_KEY_EXPECTED = "expected the header `Authorization: Bearer <key>` with a key we know"


def _foreign_host(headers: Headers) -> str:
    """Return what is wrong with Host; empty when it is this machine."""
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if name not in _LOOPBACK:
        return f"Host {host!r}: expected localhost, 127.0.0.1 or [::1]"
    return ""


def _foreign_origin(headers: Headers) -> str:
    """Return what is wrong with Origin; empty when it is ours or there is none."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if origin is not None and origin not in {f"http://{host}", f"https://{host}"}:
        return f"Origin {origin!r}: expected the API itself, http://{host}"
    return ""
