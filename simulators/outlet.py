"""Where instants leave a simulator: on record first, then to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.instants import Instant
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
        if not len(instant.nodes):
            return
        if self._truth is not None:
            self._truth.write(instant)
        await self._server.write(instant)
        self.sent += len(instant.nodes)
