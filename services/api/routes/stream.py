"""New readings and events as they come: server-sent events, or a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from services.api.following import Sign, Told, Wished, told
from services.api.roles import READ, Needs, Right
from services.api.sources import From

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = APIRouter(tags=["values"])

_STOPPING = 1012
_POLICY = 1008
"""Close codes of RFC 6455 and its registry: service restart, policy violation."""


@router.get("/stream", openapi_extra=READ)
async def stream(found: From, wish: Wished) -> Response:
    """Send new readings, alarms and batch events as they arrive (server-sent events).

    Types: `readings` (columns), `gap` (a declared gap), `alarm` (a change of an alarm
    with its explanation), `batch` (a batch or phase began or ended), `change` (of what
    decides), `detection` (only when asked for), `damaged` (records of the log that
    cannot be read) and `lost` (this client was too slow and missed `count` readings or
    events; at most 256 records wait for a client). The `id` of an event is a place in
    the log: a client that reconnects with `Last-Event-ID` goes on after it. A reading
    may come twice (delivered again after a reconnect); (tag, time, tie) names it, and
    `id` in the data names an alarm's change. Every 5 s without an event there is a
    comment. The same path as a WebSocket sends the same as JSON messages of `event`,
    `id` and `data`.
    """
    names = await found.names()
    words = told(found, names, wish.listener(names), wish.places)
    return StreamingResponse(
        _as_events(words),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


@router.websocket("/stream", dependencies=[Depends(Needs(Right.READ))])
async def socket(websocket: WebSocket, found: From, wish: Wished) -> None:
    """Send the same over a WebSocket, one JSON message for each event.

    Bounded by: the client's Listener, and 64 KiB that wait for its network. When full:
    new records are dropped and counted in a `lost` message in their place; a client
    that answers no ping for 20 s is let go. Order: that of each partition. Duplicates:
    as in the log; behind `last_event_id` nothing comes twice. On cancel: the socket is
    closed with 1012 and the client comes back with its last id.
    """
    names = await found.names()
    words = told(found, names, wish.listener(names), wish.places)
    await websocket.accept()
    sending = asyncio.create_task(_send(websocket, words))
    hearing = asyncio.create_task(websocket.receive())
    try:
        await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        spoke = hearing.done() and not hearing.cancelled() and _is_word(hearing)
        sending.cancel()
        hearing.cancel()
        await asyncio.wait({sending, hearing})
    if spoke:
        await _close(websocket, _POLICY, "expected no message from the client")
    elif not sending.cancelled():
        sending.result()
        await _close(websocket, _STOPPING, "the API stops; come back with the last id")


async def _as_events(words: AsyncIterator[Told]) -> AsyncIterator[bytes]:
    """Yield words in the form of server-sent events; signs are comments with an id."""
    async for word in words:
        if word.data is not None:
            said = f"event: {word.event}\nid: {word.place}\ndata: {word.json()}\n\n"
        elif word.event == Sign.WAITING:
            said = ": waiting for the log\n\n"
        else:
            retry = "retry: 1000\n" if word.event == Sign.FOLLOWING else ""
            said = f"{retry}id: {word.place}\n: {word.event}\n\n"
        yield said.encode()


async def _send(websocket: WebSocket, words: AsyncIterator[Told]) -> None:
    """Send every word; returns when there are no more, or nobody is there."""
    with contextlib.suppress(WebSocketDisconnect):
        async with aclosing(words):  # type: ignore[type-var]
            async for word in words:
                await websocket.send_text(word.whole())


def _is_word(hearing: asyncio.Task[object]) -> bool:
    message = hearing.result()
    return isinstance(message, dict) and message["type"] == "websocket.receive"


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    """Say goodbye to a client that may be gone already."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await websocket.close(code, reason)
