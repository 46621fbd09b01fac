"""Rate of change: a value that moves faster than its process can."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.monitor.detectors.seen import Seen, Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.checks import Rate

MINUTE_US = 60_000_000
STAY = 0.8
"""The rate must fall below this share of the limit before it is within again."""


@dataclass(frozen=True, slots=True)
class RateCheck:
    """One rate limit with the numbers of its check and tag."""

    check: int
    tag: int
    rate: Rate


class Rates:
    """All rate limits of a vessel.

    A reading is compared with the newest one that is at least `over_s` older. Where
    that one is more than twice as old there was a hole, and nothing is compared.
    """

    def __init__(self, checks: Sequence[RateCheck]) -> None:
        self._checks = checks
        self._past: list[deque[tuple[int, float]]] = [deque() for _ in checks]
        self._on = [False] * len(checks)

    def see(self, seen: Seen) -> list[Sighting]:
        """Return the edges that the new readings make."""
        return [
            sighting
            for i, check in enumerate(self._checks)
            if seen.fresh[check.tag]
            for sighting in self._see_one(
                i, int(seen.time[check.tag]), float(seen.value[check.tag])
            )
        ]

    def _see_one(self, i: int, time: int, value: float) -> list[Sighting]:
        check = self._checks[i]
        past = self._past[i]
        over = round(check.rate.over_s * 1e6)
        past.append((time, value))
        while len(past) > 1 and past[1][0] <= time - over:
            past.popleft()
        passed = time - past[0][0]
        if not over <= passed <= 2 * over:
            return []
        per_min = (value - past[0][1]) * MINUTE_US / passed
        score = abs(per_min) / check.rate.per_min
        on = score >= (STAY if self._on[i] else 1.0)
        if on == self._on[i]:
            return []
        self._on[i] = on
        text = f"{per_min:+.4g} per min over {passed / 1e6:.0f} s"
        return [Sighting(check.check, time, on, value, score, text)]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        past = [[list(pair) for pair in pairs] for pairs in self._past]
        return {"on": list(self._on), "past": past}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._on = [bool(on) for on in state["on"]]
        self._past = [deque((t, v) for t, v in pairs) for pairs in state["past"]]
