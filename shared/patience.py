"""Waiting for a neighbour that is away: back-off, and one log line per change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

LONGEST = 10
"""The longest pause, in first pauses."""

T = TypeVar("T")


class Patience:
    """Tries again for ever, with growing pauses.

    Bounded by: nothing is queued. When full: cannot be. Order: one try at a time.
    Duplicates: the caller's try may have had its effect. On cancel: ends at once.
    """

    def __init__(self, what: str, first_pause_s: float) -> None:
        self._what = what
        self._first_s = first_pause_s
        self._pause_s = first_pause_s
        self._away = False

    async def wait(self, error: Unavailable) -> None:
        """Pause after a failed try."""
        if not self._away:
            _log.warning("%s: waiting: %s", self._what, error)
            self._away = True
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST * self._first_s)

    def succeeded(self) -> None:
        """Say so once after an absence; the next pause is short again."""
        if self._away:
            _log.info("%s: back", self._what)
        self._away, self._pause_s = False, self._first_s

    async def until_done(self, act: Callable[[], Awaitable[T]]) -> T:
        """Return what `act` returns once its neighbour is there."""
        while True:
            try:
                result = await act()
            except Unavailable as error:
                await self.wait(error)
            else:
                self.succeeded()
                return result
