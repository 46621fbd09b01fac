"""Scatter from reading to reading: too much, or less than the instrument has.

Source: von Neumann 1941, Annals of Mathematical Statistics 12:367 (mean square
successive difference: trend in the value hardly counts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.seen import Seen, Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.checks import Noise

FEWEST = 10
"""Differences a window needs before it is judged."""
STAY = 0.1
"""The scatter must come back by this share of the limit."""


@dataclass(frozen=True, slots=True)
class NoiseCheck:
    """One scatter check with the numbers of its check and tag."""

    check: int
    tag: int
    noise: Noise


class Scatters:
    """All scatter checks of a vessel, judged at the end of windows of `over_s`."""

    def __init__(self, checks: Sequence[NoiseCheck]) -> None:
        self._checks = checks
        self._tag = np.array([c.tag for c in checks], np.intp)
        self._over = np.array([round(c.noise.over_s * 1e6) for c in checks], np.int64)
        self._last = np.full(len(checks), np.nan)
        self._window = np.full(len(checks), -1, np.int64)
        self._squares = np.zeros(len(checks))
        self._count = np.zeros(len(checks), np.int64)
        self._on = np.zeros(len(checks), np.bool_)

    def see(self, seen: Seen) -> list[Sighting]:
        """Return the edges found at windows that the new readings end."""
        fresh = seen.fresh[self._tag]
        value = seen.value[self._tag]
        window = seen.time[self._tag] // self._over
        ended = fresh & (window != self._window)
        sightings = [
            sighting
            for i in np.flatnonzero(ended & (self._count >= FEWEST))
            for sighting in self._judge(int(i))
        ]
        self._squares[ended] = 0.0
        self._count[ended] = 0
        self._window[ended] = window[ended]
        counted = fresh & ~ended & ~np.isnan(self._last)
        self._squares[counted] += (value[counted] - self._last[counted]) ** 2
        self._count[counted] += 1
        self._last[fresh] = value[fresh]
        return sightings

    def _judge(self, i: int) -> list[Sighting]:
        noise, was = self._checks[i].noise, bool(self._on[i])
        scatter = float(np.sqrt(self._squares[i] / (2.0 * float(self._count[i]))))
        least = noise.least * (1.0 + STAY * was)
        most = noise.most * (1.0 - STAY * was)
        on = not least <= scatter <= most
        if on == was:
            return []
        self._on[i] = on
        score = scatter / noise.most
        if scatter < least:
            score = noise.least / max(scatter, noise.least * 1e-6)
        end = int((self._window[i] + 1) * self._over[i])
        text = f"scatter {scatter:.4g} over {noise.over_s:.0f} s"
        check = self._checks[i].check
        return [Sighting(check, end, on, float(self._last[i]), score, text)]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "last": [None if np.isnan(v) else v for v in self._last.tolist()],
            "window": self._window.tolist(),
            "squares": self._squares.tolist(),
            "count": self._count.tolist(),
            "on": self._on.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        last = [np.nan if v is None else v for v in state["last"]]
        self._last = np.array(last, float)
        self._window = np.array(state["window"], np.int64)
        self._squares = np.array(state["squares"], float)
        self._count = np.array(state["count"], np.int64)
        self._on = np.array(state["on"], np.bool_)
