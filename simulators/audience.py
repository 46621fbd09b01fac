"""Whether clients have subscribed, so that history is not told to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.servers.flat import FlatServer

SETTLED_US = 3 * US_PER_S
"""Subscribing counts as done when nothing was added for this long."""


class Audience:
    """Watches the monitored items of one server."""

    def __init__(
        self, server: FlatServer, clock: Callable[[], int], wait: int | None
    ) -> None:
        """`wait`: us of wall time after which nobody is waited for; None: never."""
        self._server, self._clock, self._wait = server, clock, wait
        self._opened = clock()
        self._seen = (0, self._opened)
        self._all = sum(variable.process for variable in server.variables)

    def listens(self) -> bool:
        """Whether clients have subscribed to all they want, as far as one can tell."""
        now = self._clock()
        watched = self._server.watched()
        if watched != self._seen[0]:
            self._seen = (watched, now)
        if watched == self._all:
            return True
        if watched and now - self._seen[1] > SETTLED_US:
            return True
        return self._wait is not None and now - self._opened > self._wait
