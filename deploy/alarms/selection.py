"""What is on the screen of `fedbatch watch`, and what each key does to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.alarms.alarm import Alarm

_SEQUENCES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[H": "first",
    "\x1b[F": "last",
    "k": "up",
    "j": "down",
    "g": "first",
    "G": "last",
    "a": "acknowledge",
    "q": "quit",
    "\x03": "quit",
}
"""What terminals send, xterm and application mode."""


class Wish(StrEnum):
    """What a key asks of the world outside."""

    ACKNOWLEDGE = "acknowledge"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything that is shown."""

    now: float
    """Wall clock, s since 1970 UTC."""
    url: str
    alarms: tuple[Alarm, ...] = ()
    selected: str | None = None
    """Id of the alarm; it stays selected wherever it moves in the list."""
    sent: frozenset[tuple[str, str]] = frozenset()
    """Id and state of alarms whose acknowledgement is on the log, not yet effective."""
    more: bool = False
    """Whether there are more alarms than these."""
    notice: str = ""
    """What became of the last key, for a line at the bottom."""
    trouble: str = ""
    """Why the list is not current, if it is not."""
    asked: bool = False
    """Whether the API has answered at all."""

    @property
    def index(self) -> int:
        """Place of the selected alarm; 0 when it is gone."""
        ids = [alarm.id for alarm in self.alarms]
        return ids.index(self.selected) if self.selected in ids else 0

    @property
    def current(self) -> Alarm | None:
        """The selected alarm; the first when none is."""
        return self.alarms[self.index] if self.alarms else None

    @property
    def unseen(self) -> int:
        """How many wait for somebody."""
        return sum(alarm.is_unseen for alarm in self.alarms)


def keys(typed: str) -> list[str]:
    r"""Return what was pressed, in order; what means nothing is left out.

    >>> keys("j\x1b[Aax")
    ['down', 'up', 'acknowledge']
    """
    found: list[str] = []
    at = 0
    while at < len(typed):
        length = next((n for n in (3, 1) if typed[at : at + n] in _SEQUENCES), 0)
        if length:
            found.append(_SEQUENCES[typed[at : at + length]])
        at += length or 1
    return found


def pressed(listed: Listed, key: str) -> tuple[Listed, Wish | None]:
    """Return what is shown after a key, and what it asks for."""
    if key == "quit":
        return listed, Wish.QUIT
    current = listed.current
    if current is None:
        return listed, None
    if key == "acknowledge":
        if not current.is_unseen:
            said = f"{current.tag} is acknowledged already"
            return replace(listed, notice=said), None
        return replace(listed, notice=f"acknowledging {current.tag}"), Wish.ACKNOWLEDGE
    last = len(listed.alarms) - 1
    at = {
        "up": max(0, listed.index - 1),
        "down": min(last, listed.index + 1),
        "first": 0,
        "last": last,
    }[key]
    return replace(listed, selected=listed.alarms[at].id, notice=""), None


def renewed(listed: Listed, alarms: tuple[Alarm, ...], *, more: bool) -> Listed:
    """Return what is shown when the API has answered.

    A selected alarm that is no longer in the list gives way to the one in its place.
    """
    ids = [alarm.id for alarm in alarms]
    selected = listed.selected
    if selected not in ids:
        selected = ids[min(listed.index, len(ids) - 1)] if ids else None
    states = {(alarm.id, alarm.state) for alarm in alarms}
    return replace(
        listed,
        alarms=alarms,
        selected=selected,
        sent=listed.sent & states,
        more=more,
        trouble="",
        asked=True,
    )
