"""The publish pump: PublishRequests outstanding, answers in order of arrival."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Self

from asyncua import ua

from services.ingest.opcua.situations import ServerUnreachable, ServiceRefused
from services.ingest.opcua.subscription import utc_now

if TYPE_CHECKING:
    from services.ingest.opcua.session import Session

OUTSTANDING = 4
"""PublishRequests kept at the server, so that it never waits for one."""
SILENCE = 1.5
"""Keep-alive times without any answer after which a session counts as dead."""
_ASK_AGAIN = frozenset({ua.StatusCodes.BadTimeout, ua.StatusCodes.BadRequestTimeout})


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
        self._asked: set[asyncio.Task[Arrived]] = set()
        self._answers: asyncio.Queue[asyncio.Task[Arrived]] = asyncio.Queue()
        self._acknowledgements: list[tuple[int, int]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        asked = list(self._asked)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    def acknowledge(self, subscription: int, number: int) -> None:
        """Tell the server with the next request that a notification is safe."""
        self._acknowledgements.append((subscription, number))

    async def next(self, keep_alive_s: float) -> Arrived:
        """Return the next answer.

        Raises:
            ServerUnreachable: nothing came for SILENCE x `keep_alive_s`.
            Unavailable: another situation of this room that the answer says.
        """
        while True:
            self._ask()
            try:
                async with asyncio.timeout(SILENCE * keep_alive_s):
                    task = await self._answers.get()
            except TimeoutError as error:
                raise ServerUnreachable(
                    f"{self._session.url}: no notification or keep-alive for "
                    f"{SILENCE * keep_alive_s:.1f} s"
                ) from error
            try:
                return task.result()
            except ServiceRefused as error:
                self._give_way(error)

    def _give_way(self, error: ServiceRefused) -> None:
        """Ask for less, or just again, where the server means the request only."""
        if error.code == ua.StatusCodes.BadTooManyPublishRequests:
            self._depth = max(1, self._depth - 1)
        elif error.code not in _ASK_AGAIN:
            raise error

    def _ask(self) -> None:
        while len(self._asked) + self._answers.qsize() < self._depth:
            task = asyncio.create_task(self._one())
            self._asked.add(task)
            task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[Arrived]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            task.exception()  # mark as seen; `next` raises it if it gets that far
            self._answers.put_nowait(task)

    async def _one(self) -> Arrived:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = [
            ua.SubscriptionAcknowledgement(subscription, number)
            for subscription, number in self._acknowledgements
        ]
        self._acknowledgements.clear()
        body = await self._session.raw(request, "publish", wait=False)
        return Arrived(body, utc_now())
