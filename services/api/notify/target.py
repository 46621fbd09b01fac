"""What a target of pushes is, and the two ways in which it may not take one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from shared.domain import FedbatchError, Unavailable

if TYPE_CHECKING:
    from shared.events import AlarmTransition


class TargetAway(Unavailable):
    """The target takes nothing now; the next push would fare no better."""


class PushRefused(FedbatchError):  # noqa: N818
    """The target works, but will not have this one push."""


class Target(Protocol):
    """Somebody who is told."""

    @property
    def name(self) -> str:
        """What it is called in the outbox, for ever."""

    async def send(self, said: AlarmTransition, push_id: str, now: int) -> None:
        """Return when the target has taken responsibility for the push.

        Args:
            said: what is told.
            push_id: the same whenever this transition is told.
            now: wall clock, us UTC.

        Raises:
            TargetAway: nothing can be sent now.
            PushRefused: this one is not taken.
        """
