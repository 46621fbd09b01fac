"""A vessel's clock against the collector's: source times that are steadily off.

The freshest reading of a window tells: it was received moments after its source time,
unless a clock is wrong. What is late for another reason is either fresh again within a
window, such as a server's queue after an outage, or comes closer from window to window,
such as a plant that catches up with its past. It is not steady, and says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.monitor.detectors.seen import Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.checks import Skew

STEADY_US = 1_000_000
"""The lag of two windows in a row differs by less than this if a clock is off."""
STAY = 0.8
"""The lag must fall below this share of the limit before the condition is away."""


@dataclass(frozen=True, slots=True)
class SkewCheck:
    """A vessel's clock with the number of its check."""

    check: int
    skew: Skew


class Skews:
    """The clock checks of a vessel, judged at the end of windows of time of receipt."""

    def __init__(self, checks: Sequence[SkewCheck]) -> None:
        self._checks = checks
        self._window = [-1] * len(checks)
        self._least: list[int | None] = [None] * len(checks)
        self._before: list[int | None] = [None] * len(checks)
        self._on = [False] * len(checks)

    def __len__(self) -> int:
        return len(self._checks)

    def see(
        self, time: NDArray[np.int64], received: NDArray[np.int64]
    ) -> list[Sighting]:
        """Return the edges at windows that these readings end.

        Args:
            time: source times, us UTC; at least one.
            received: when the collector had them, us UTC.
        """
        least, last = int((received - time).min()), int(received.max())
        found = []
        for i, check in enumerate(self._checks):
            window = last // round(check.skew.over_s * 1e6)
            if window > self._window[i]:
                found += self._judge(i)
                self._before[i], self._least[i] = self._least[i], None
                self._window[i] = window
            known = self._least[i]
            self._least[i] = least if known is None else min(known, least)
        return found

    def _judge(self, i: int) -> list[Sighting]:
        lag, before = self._least[i], self._before[i]
        if lag is None or before is None or abs(lag - before) >= STEADY_US:
            return []
        skew = self._checks[i].skew
        score = abs(lag) / (skew.most_s * 1e6)
        on = score >= (STAY if self._on[i] else 1.0)
        if on == self._on[i]:
            return []
        self._on[i] = on
        behind = "behind" if lag > 0 else "ahead of"
        text = f"source times are {abs(lag) / 1e6:.1f} s {behind} their receipt"
        end = (self._window[i] + 1) * round(skew.over_s * 1e6)
        return [Sighting(self._checks[i].check, end, on, -lag / 1e6, score, text)]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "window": list(self._window),
            "least": list(self._least),
            "before": list(self._before),
            "on": list(self._on),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._window = list(state["window"])
        self._least = list(state["least"])
        self._before = list(state["before"])
        self._on = list(state["on"])
