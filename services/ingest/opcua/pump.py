"""The publish pump: PublishRequests outstanding, answers in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from asyncua import ua

from services.ingest.opcua.gathered import gathered
from services.ingest.opcua.situations import ServerUnreachable, ServiceRefused
from services.ingest.opcua.subscription import utc_now
from shared.domain import Unavailable

if TYPE_CHECKING:
    from services.ingest.opcua.session import Session

OUTSTANDING = 8
"""PublishRequests kept at the server, at least half of them unless a burst is taken."""
SILENCE = 1.5
"""Keep-alive times without any answer after which a session counts as dead."""
_PUBLISH_RESPONSE = b"\x01\x00\x3d\x03"
"""Four-byte NodeId i=829."""
_ASK_AGAIN = frozenset({ua.StatusCodes.BadTimeout, ua.StatusCodes.BadRequestTimeout})


_Answer = tuple["asyncio.Future[Any]", int]
"""A request that is done, and when, us UTC."""


class Arrived(NamedTuple):
    """One answer of the server."""

    body: bytes
    """PublishResponse from its type id on."""
    received: int
    """us UTC."""


class Pump:
    """Asks for notifications and hands them out undecoded.

    Bounded by: OUTSTANDING answers. When full: nothing more is asked for and the
    server queues. Order: as the answers arrived. Duplicates: none from here.
    On cancel: outstanding requests are given up; what they would have brought stays
    unacknowledged at the server.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._depth = OUTSTANDING
        self._asked: set[asyncio.Future[Any]] = set()
        self._answers: deque[_Answer] = deque()
        self._came = asyncio.Event()
        self._request = ua.PublishRequest()
        self._acknowledgements: list[tuple[int, int]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        asked = list(self._asked)
        for future in asked:
            future.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    def acknowledge(self, subscription: int, number: int) -> None:
        """Tell the server with the next request that a notification is safe."""
        self._acknowledgements.append((subscription, number))

    async def next(self, keep_alive_s: float) -> list[Arrived]:
        """Return the answers that are there, at least one; waits for it.

        Raises:
            ServerUnreachable: nothing came for SILENCE x `keep_alive_s`.
            Unavailable: another situation of this room that the first answer says.
        """
        while True:
            self._ask()
            await self._wait(SILENCE * keep_alive_s)
            if arrived := self._taken():
                return arrived

    async def _wait(self, within_s: float) -> None:
        if self._answers:
            return
        self._came.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._came.wait()
        except TimeoutError as error:
            raise ServerUnreachable(
                f"{self._session.url}: no notification or keep-alive for "
                f"{within_s:.1f} s"
            ) from error

    def _taken(self) -> list[Arrived]:
        """Take answers up to the first that says a situation; that one next time."""
        taken: list[Arrived] = []
        while self._answers:
            future, received = self._answers[0]
            try:
                body = self._session.answered(future, "publish", _PUBLISH_RESPONSE)
            except Unavailable as error:
                if taken:
                    break
                self._answers.popleft()
                self._give_way(error)
            else:
                self._answers.popleft()
                taken.append(Arrived(body, received))
        return taken

    def _give_way(self, error: Unavailable) -> None:
        """Ask for less, or just again, where the server means the request only."""
        code = error.code if isinstance(error, ServiceRefused) else None
        if code == ua.StatusCodes.BadTooManyPublishRequests:
            self._depth = max(1, self._depth - 1)
        elif code not in _ASK_AGAIN:
            raise error

    def _ask(self) -> None:
        """Fill up to the depth once half of it is gone."""
        missing = self._depth - len(self._asked) - len(self._answers)
        if 2 * missing < self._depth:
            return
        with gathered(self._session.client.uaclient.protocol):
            for _ in range(missing):
                self._ask_once()

    def _ask_once(self) -> None:
        request = self._request
        request.Parameters.SubscriptionAcknowledgements = [
            ua.SubscriptionAcknowledgement(subscription, number)
            for subscription, number in self._acknowledgements
        ]
        future = self._session.ask(request)  # it is encoded before this returns
        self._acknowledgements.clear()
        self._asked.add(future)
        future.add_done_callback(self._answered)

    def _answered(self, future: asyncio.Future[Any]) -> None:
        self._asked.discard(future)
        if not future.cancelled():
            future.exception()  # mark as seen; `next` raises it if it gets that far
            self._answers.append((future, utc_now()))
            self._came.set()
