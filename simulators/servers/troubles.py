"""Troubles of communication, as real servers have them, for a stated time.

| kind | what the server does | `Amount` |
|---|---|---|
| drop | cuts every connection, again and again | |
| freeze | keeps connections open, reads and sends nothing | |
| stall | answers requests and publishes nothing: queues overflow | |
| no-transfer | refuses TransferSubscriptions | |
| remove | has no such node: `Node` | |
| skew | its clock and source times are off | seconds |
| duplicate | puts every value into the queues twice | |
| shuffle | publishes each second instant before the one before it | |

The object `Communication` has the method `Begin(Kind, Seconds, Amount, Node)`; what
does not fit is BadInvalidArgument. The record of truth keeps true times and one of each
value; the history one of each value with the times that were published.

Bounded by: one trouble of a kind at a time; a second one of it takes the first's place.
On cancel: everything is as before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from asyncua import ua

from shared.domain import US_PER_S, FedbatchError
from simulators.servers.roles import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from asyncua import Server

    from simulators.servers.outgoing import Outgoing
    from simulators.servers.roles import Guard
    from simulators.servers.subscriptions import FedSubscriptions

_log = logging.getLogger(__name__)

OBJECT = "Communication"
LONGEST_S = 3_600.0
_AGAIN_S = 0.1


class TroubleRefused(FedbatchError):  # noqa: N818
    """A trouble that does not exist, or does not fit this server."""


class Trouble(StrEnum):
    """What a server may do to its clients; see the module."""

    DROP = "drop"
    FREEZE = "freeze"
    STALL = "stall"
    NO_TRANSFER = "no-transfer"
    REMOVE = "remove"
    SKEW = "skew"
    DUPLICATE = "duplicate"
    SHUFFLE = "shuffle"


class Troubles:
    """Brings troubles upon one server."""

    def __init__(
        self,
        server: Server,
        subscriptions: FedSubscriptions,
        outgoing: Outgoing,
        places: Mapping[Any, int],
    ) -> None:
        """Take a server that is built; `places` are its variables' by NodeId."""
        self._server = server
        self._subscriptions = subscriptions
        self._outgoing, self._places = outgoing, places
        self._tasks: dict[Trouble, asyncio.Task[None]] = {}

    async def build(self, namespace: int, guard: Guard) -> None:
        """Add the object and its method; the server does not listen yet."""

        def named(name: str) -> tuple[Any, Any]:
            last = name.rpartition(".")[2]
            return ua.NodeId(name, namespace), ua.QualifiedName(last, namespace)

        desk = await self._server.nodes.objects.add_object(*named(OBJECT))
        kinds = ua.VariantType.String, ua.VariantType.Double
        begin = await desk.add_method(
            *named(f"{OBJECT}.Begin"),
            self._called,
            [kinds[0], kinds[1], kinds[1], kinds[0]],
            [],
        )
        guard.reserve(begin.nodeid, Role.ENGINEER)
        self._namespace = namespace

    async def _called(self, parent: Any, *given: Any) -> Any:  # noqa: ANN401
        del parent
        try:
            kind, seconds, amount, node = [one.Value for one in given]
            self.begin(kind, seconds=seconds, amount=amount, node=node or "")
        except (TroubleRefused, ValueError, TypeError) as error:
            _log.warning("Begin refused: %s", error)
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        return []

    def begin(
        self, kind: str, *, seconds: float, amount: float = 0.0, node: str = ""
    ) -> None:
        """Begin a trouble that ends by itself.

        Args:
            kind: a word of `Trouble`.
            seconds: how long, up to LONGEST_S.
            amount: of `skew`, s: positive when the server's clock is ahead.
            node: of `remove`, identifier of the variable.

        Raises:
            TroubleRefused: it does not exist or does not fit; nothing is changed.
        """
        if kind not in set(Trouble):
            raise TroubleRefused(f"{kind!r}: expected one of {sorted(Trouble)}")
        if not 0.0 < seconds <= LONGEST_S:
            raise TroubleRefused(f"{seconds} s: expected more than 0, up to 3600")
        which = Trouble(kind)
        during = self._during(which, amount, node)
        before = self._tasks.pop(which, None)
        if before is not None:
            before.cancel()
        self._tasks[which] = asyncio.create_task(self._hold(which, during, seconds))

    async def end(self) -> None:
        """End every trouble now."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _during(
        self, kind: Trouble, amount: float, node: str
    ) -> Callable[[], contextlib.AbstractContextManager[Callable[[], None]]]:
        if kind is Trouble.REMOVE:
            where = ua.NodeId(node, self._namespace)
            if where not in self._places or where not in self._server.iserver.aspace:
                raise TroubleRefused(f"remove {node!r}: expected a variable's node")
            return lambda: self._without(where)
        if kind is Trouble.SKEW:
            return lambda: self._set("skew_us", round(amount * US_PER_S))
        if kind is Trouble.SHUFFLE:
            return lambda: self._set("shuffle", 1)
        if kind is Trouble.DROP:
            return self._dropping
        if kind is Trouble.FREEZE:
            return self._frozen
        return lambda: self._flag(_FLAGS[kind])

    async def _hold(
        self,
        kind: Trouble,
        during: Callable[[], contextlib.AbstractContextManager[Callable[[], None]]],
        seconds: float,
    ) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        _log.info("%s for %g s", kind, seconds)
        with during() as again:
            while (left := until - loop.time()) > 0:
                again()
                await asyncio.sleep(min(left, _AGAIN_S))
        _log.info("%s is over", kind)

    def _clients(self) -> list[Any]:
        listener = self._server.bserver
        return [] if listener is None else list(listener.clients)

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[Callable[[], None]]:
        def again() -> None:
            for client in self._clients():
                client.transport.abort()

        yield again

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[Callable[[], None]]:
        paused: set[Any] = set()

        def again() -> None:
            for client in self._clients():
                if client.transport not in paused:
                    client.transport.pause_reading()
                    paused.add(client.transport)

        try:
            with self._flag("stalled"):
                yield again
        finally:
            for transport in paused:
                if not transport.is_closing():
                    transport.resume_reading()

    @contextlib.contextmanager
    def _flag(self, name: str) -> Iterator[Callable[[], None]]:
        setattr(self._subscriptions, name, True)
        try:
            yield _nothing
        finally:
            setattr(self._subscriptions, name, False)

    @contextlib.contextmanager
    def _set(self, name: str, value: int) -> Iterator[Callable[[], None]]:
        setattr(self._outgoing, name, value)
        try:
            yield _nothing
        finally:
            setattr(self._outgoing, name, 0)

    @contextlib.contextmanager
    def _without(self, node: Any) -> Iterator[Callable[[], None]]:  # noqa: ANN401
        space: Any = self._server.iserver.aspace
        kept, outgoing = space[node], self._outgoing
        del space[node]
        outgoing.hidden |= {self._places[node]}
        try:
            yield _nothing
        finally:
            space[node] = kept
            outgoing.hidden -= {self._places[node]}


_FLAGS = {
    Trouble.STALL: "stalled",
    Trouble.NO_TRANSFER: "no_transfer",
    Trouble.DUPLICATE: "duplicate",
}


def _nothing() -> None:
    """Do nothing while the trouble lasts."""
