"""Who may ask: API keys, or without any only this machine and no foreign web page."""

from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import suppress
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

    With keys: a request needs one of them, as its bearer or, for browsers, as the
    password of its name (Basic); it gets that name as `subject` and its role. What a
    browser sends by itself, for whatever page, needs our own Origin if it has one:
    WebSockets, and everything with a password. Without keys: its Host must be a
    loopback name and its Origin, if it has one, the same place, so that no web page
    that the user happens to visit can read the plant or command it (DNS rebinding);
    then everything is allowed.
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
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        challenge = None
        if self._keys:
            person = "text/html" in headers.get("accept", "")
            challenge = {"WWW-Authenticate": _BASIC if person else "Bearer"}
        answer = problem_response(*refusal, scope["path"], challenge)
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Return why the request is refused; None when it is let in with its role."""
        if not self._keys:
            said = _foreign_host(headers) or _foreign_origin(headers)
            scope["role"] = Role.ADMIN
            return (403, "foreign", "Only this machine may ask", said) if said else None
        scheme, name, key = _credentials(headers)
        subject = self._subject(name, key)
        if subject is not None:
            scope["subject"] = subject
            scope["role"] = self._roles.get(subject, Role.VIEWER)
        elif scope["path"] not in _OPEN:
            return 401, "key", "A key is needed", _KEY_EXPECTED
        if scope["type"] == "websocket" or scheme == "basic":
            said = _foreign_origin(headers)
            return (403, "foreign", "No other page may ask", said) if said else None
        return None

    def _subject(self, name: str | None, key: str) -> str | None:
        """Return whose key it is; every key is compared, in constant time."""
        digest = hashlib.sha256(key.encode()).digest()
        matches = [n for n, k in self._keys.items() if hmac.compare_digest(k, digest)]
        return matches[0] if matches and name in {None, matches[0]} else None


Refusal = tuple[int, str, str, str]
"""Status, kind, title and detail of a problem."""

_BASIC = 'Basic realm="fedbatch", charset="UTF-8"'
"""Makes a browser ask for a name and its key."""


def _credentials(headers: Headers) -> tuple[str, str | None, str]:
    """Return the scheme, the name (None without one) and the key that were given."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    scheme, given = scheme.lower(), given.strip()
    if scheme == "bearer":
        return scheme, None, given
    if scheme == "basic":
        with suppress(ValueError):
            text = base64.b64decode(given, validate=True).decode()
            name, _, key = text.partition(":")
            return scheme, name, key
    return scheme, None, ""


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
