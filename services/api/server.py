"""Serves the application until the process is asked to stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from services.api.app import create_app
from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.api.settings import ApiSettings

_log = logging.getLogger(__name__)

_LAST_ANSWERS_S = 5
"""How long answers under way may take when we stop."""
_HEARD_BYTES = 4096
"""Most that a WebSocket client may say at once; nothing is expected of it."""


class PortTaken(FedbatchError):  # noqa: N818
    """The address cannot be listened on."""


class _Server(uvicorn.Server):
    """uvicorn without signal handling, which is shared.process's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(settings: ApiSettings, listener: socket.socket | None = None) -> None:
    """Serve for ever.

    On cancel: streams end, answers under way get 5 s, then neighbours are closed.

    Args:
        settings: of this service.
        listener: a socket that listens already, instead of host and port.

    Raises:
        PortTaken: the address cannot be listened on.
        FedbatchError: a neighbour's situation that kept us from starting.
    """
    failures: list[BaseException] = []

    def stop(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    app = create_app(settings, stop)
    tls = settings.tls
    files = (None, None) if tls is None else (tls.certificate, tls.key)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="websockets-sansio",
            ws_max_size=_HEARD_BYTES,
            ws_per_message_deflate=False,
            server_header=False,
            ssl_certfile=files[0],
            ssl_keyfile=files[1],
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
        )
    )
    with listener or _listening(settings) as opened:
        serving = asyncio.create_task(server.serve(sockets=[opened]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            if hasattr(app.state, "sources"):
                app.state.sources.live.close()
            await serving
            raise
    if failures:
        raise failures[0]


def _listening(settings: ApiSettings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        family = socket.getaddrinfo(host, port)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
        # asyncio leaves this to us for sockets that name no protocol
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise PortTaken(f"{host}:{port}: expected a free address: {error}") from error
    scheme = "https" if settings.tls else "http"
    place = f"[{host}]" if ":" in host else host
    _log.info("listening on %s://%s:%d", scheme, place, listener.getsockname()[1])
    return listener
