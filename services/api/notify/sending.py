"""Sends what waits for one target, in the journal's order, until it is taken."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from services.api.notify.target import PushRefused, TargetAway
from shared.wire import NotUnderstood

if TYPE_CHECKING:
    from services.api.notify.target import Target
    from shared.store.outbox import Outbox, Push

_log = logging.getLogger(__name__)

_AT_ONCE = 20
"""Pushes that are read from the outbox together."""
_FIRST_PAUSE = timedelta(seconds=1)
_REFUSED_PAUSES = (timedelta(minutes=1), timedelta(hours=1))
"""First and longest pause before a refused push is offered again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often is looked and tried."""

    look: timedelta
    longest_pause: timedelta


class Sender:
    """One target's pushes.

    Bounded by: 20 pushes in memory; the others are rows. When full: n/a. Order: the
    journal's; a target that is away keeps all waiting, a push that it refuses is
    passed by the next ones and offered again later. Duplicates: a push is sent again
    with the same id when we were killed, or lost the database, before its delivery
    was noted. Retries: for ever, until the push expires. On cancel: the push under
    way stays due.
    """

    def __init__(self, outbox: Outbox, target: Target, patience: Patience) -> None:
        self._outbox = outbox
        self._target = target
        self._patience = patience
        self._away_since: float | None = None
        self._pause = _FIRST_PAUSE

    async def send_for_ever(self) -> None:
        """Send. Raises Unavailable when the database goes away."""
        while True:
            due = await self._outbox.due(self._target.name, _AT_ONCE)
            for push in due:
                if not await self._sent(push):
                    await asyncio.sleep(self._pause.total_seconds())
                    self._pause = min(2 * self._pause, self._patience.longest_pause)
                    break
            if not due:
                await asyncio.sleep(self._patience.look.total_seconds())

    async def _sent(self, push: Push) -> bool:
        """Try one; return whether the target may be given the next."""
        try:
            await self._target.send(push.said(), push.id, time.time_ns() // 1000)
        except TargetAway as error:
            self._note_away(error)
            await self._outbox.failed(push, str(error), timedelta(0))
            return False
        except (PushRefused, NotUnderstood) as error:
            pause = _refused_pause(push.attempts)
            if not push.attempts:
                _log.error("push %s refused, set aside: %s", push.id, error)
            await self._outbox.failed(push, str(error), pause)
        else:
            await self._outbox.delivered(push)
        self._note_well()
        return True

    def _note_away(self, error: TargetAway) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            _log.error("pushes wait: %s", error)

    def _note_well(self) -> None:
        self._pause = _FIRST_PAUSE
        if self._away_since is not None:
            away_s = time.monotonic() - self._away_since
            _log.info("%s answers again after %.0f s", self._target.name, away_s)
            self._away_since = None


def _refused_pause(attempts: int) -> timedelta:
    """Return the pause after so many tries before this one.

    >>> [_refused_pause(n).total_seconds() for n in (0, 1, 5, 6, 50)]
    [60.0, 120.0, 1920.0, 3600.0, 3600.0]
    """
    first, longest = _REFUSED_PAUSES
    return min(first * (1 << min(attempts, 16)), longest)
