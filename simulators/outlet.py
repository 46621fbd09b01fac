"""Where instants leave a simulator: on record first, then to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.instants import Instant, Value
    from simulators.servers.flat import FlatServer
    from simulators.truth import Truth


class Outlet:
    """Sends instants; counts them."""

    def __init__(self, server: FlatServer, truth: Truth | None) -> None:
        self._server = server
        self._truth = truth
        self.sent = 0
        """Values sent so far."""

    async def send(self, instant: Instant) -> None:
        """Put the instant on record, if that is wanted, then into the server."""
        if not instant.nodes:
            return
        if self._truth is not None:
            self._truth.write(instant)
        await self._server.write(instant)
        self.sent += len(instant.nodes)


class Changes:
    """Leaves out values of variables that report changes only."""

    def __init__(self, each: list[bool]) -> None:
        """`each` says, per node, whether every value is sent."""
        self._each = each
        self._last: dict[int, Value] = {}

    def worth_sending(self, node: int, value: Value) -> bool:
        """Whether `value` is to be sent; it then counts as the last one sent."""
        if self._each[node]:
            return True
        known = node in self._last and self._last[node] == value
        self._last[node] = value
        return not known

    def forget(self, node: int) -> None:
        """Send the node's next value whatever it is."""
        self._last.pop(node, None)
