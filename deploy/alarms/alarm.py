"""One alarm as the API lists it, and the words that a line says it with. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

UNSEEN = frozenset(
    {"unacknowledged", "returned-unacknowledged", "latched-unacknowledged"}
)
"""States in which nobody has said yet that they saw it."""
_STATES = {
    "unacknowledged": "ACTIVE",
    "acknowledged": "seen",
    "returned-unacknowledged": "returned",
    "latched-unacknowledged": "LATCHED",
    "latched-acknowledged": "latched, seen",
}


@dataclass(frozen=True, slots=True)
class MovedTag:
    """Another tag that moved before the alarm."""

    tag: str
    before: float
    now: float
    sigmas: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """One occurrence with its explanation; times are s since 1970 UTC."""

    id: str
    priority: int
    state: str
    vessel: str
    tag: str
    value: float | None
    expected: str
    check: str
    since: float
    changed: str
    """As the API wrote it: changes whenever the state does."""
    batch: str
    phase: str
    simulated: bool
    advisory: bool
    quality: str
    moved: tuple[MovedTag, ...]
    trend: str
    advice: str

    @property
    def is_unseen(self) -> bool:
        """Whether it waits for somebody to acknowledge it."""
        return self.state in UNSEEN

    @property
    def is_gone(self) -> bool:
        """Whether the condition itself is gone."""
        return self.state.startswith(("returned", "latched"))

    @property
    def state_words(self) -> str:
        """The state, short."""
        return _STATES.get(self.state, self.state)

    @property
    def words(self) -> str:
        """Tag, value and what was expected, without the vessel's name."""
        tag = self.tag.removeprefix(f"{self.vessel}/")
        value = "no data" if self.value is None else f"{self.value:.5g}"
        return f"{tag} {value}, expected {self.expected}"


def alarm_of(body: Mapping[str, Any]) -> Alarm:
    """Return an alarm from an entry of GET /alarms. Raises KeyError, ValueError."""
    why = body["explanation"]
    moved = tuple(
        MovedTag(each["tag"], each["before"], each["now"], each["sigmas"])
        for each in why["moved"]
    )
    return Alarm(
        id=body["alarm"],
        priority=body["priority"],
        state=body["state"],
        vessel=body["vessel"],
        tag=why["tag"],
        value=why["value"],
        expected=why["expected"],
        check=why["check"],
        since=datetime.fromisoformat(why["since"]).timestamp(),
        changed=body["changed"],
        batch=body["batch"] or "",
        phase=body["phase"] or "",
        simulated=body["simulated"],
        advisory=why["advisory"],
        quality=why["quality"],
        moved=moved,
        trend=why["trend"],
        advice=why["advice"],
    )


def age(seconds: float) -> str:
    """Return a length of time in its largest unit or two.

    >>> [age(s) for s in (-1, 42, 90, 3700, 86400 * 3)]
    ['0 s', '42 s', '1 min', '1 h 1 min', '3 d 0 h']
    """
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def clock(time: float, now: float) -> str:
    """Return the UTC time of day, with the day when it is not today's."""
    then, today = datetime.fromtimestamp(time, UTC), datetime.fromtimestamp(now, UTC)
    return then.strftime("%H:%M:%S" if then.date() == today.date() else "%d %b %H:%M")
