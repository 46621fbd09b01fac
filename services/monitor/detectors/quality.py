"""Readings that say themselves that they are not to be used, as a share of all.

A reading out of service is not counted: somebody works on the instrument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.seen import Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.monitor.columns import Layer
    from shared.checks import Quality

AWAY = 0.5
"""The share must fall below so much of the limit before the condition is away."""
LASTING = 0.9
"""From this share on the readings are bad for good, below it they come and go."""


@dataclass(frozen=True, slots=True)
class QualityCheck:
    """One check with the numbers of its check and tag."""

    check: int
    tag: int
    quality: Quality


class Qualities:
    """All checks of quality of a vessel, judged at the end of windows of `over_s`.

    Two windows in a row decide. One without any reading says nothing: silence is
    another check's.
    """

    def __init__(self, checks: Sequence[QualityCheck], tags: int) -> None:
        """Begin with nothing known of a vessel with so many number tags."""
        self._checks = checks
        count = len(checks)
        self._place = np.full(tags, -1, np.intp)
        self._place[[c.tag for c in checks]] = np.arange(count)
        self._over = np.array([round(c.quality.over_s * 1e6) for c in checks], np.int64)
        self._window = np.full(count, -1, np.int64)
        self._good = np.zeros(count, np.int64)
        self._bad = np.zeros(count, np.int64)
        self._before = np.zeros(count)
        self._on = np.zeros(count, np.bool_)

    def see(self, layer: Layer) -> list[Sighting]:
        """Return the edges at windows that these readings end."""
        if not len(self._checks):
            return []
        place = self._place[layer.tag]
        mine = place >= 0
        if layer.serviced is not None:
            mine &= ~layer.serviced
        at, bad = place[mine], ~layer.good[mine]
        window = layer.time[mine] // self._over[at]
        ended = np.zeros(len(self._checks), np.bool_)
        ended[at] = window > self._window[at]
        sightings = [
            edge
            for i in np.flatnonzero(ended & (self._good + self._bad > 0))
            for edge in self._judge(int(i))
        ]
        self._good[ended] = self._bad[ended] = 0
        self._window[at] = np.maximum(window, self._window[at])
        self._bad[at] += bad
        self._good[at] += ~bad
        return sightings

    def _judge(self, i: int) -> list[Sighting]:
        check = self._checks[i]
        share = float(self._bad[i]) / float(self._bad[i] + self._good[i])
        score = min(share, float(self._before[i])) / check.quality.most
        if self._on[i]:
            score = max(share, float(self._before[i])) / check.quality.most
        self._before[i] = share
        on = score >= (AWAY if self._on[i] else 1.0)
        if on == self._on[i]:
            return []
        self._on[i] = on
        end = int((self._window[i] + 1) * self._over[i])
        goes = "for good" if share >= LASTING else "coming and going"
        text = f"{100.0 * share:.0f} % of the readings are bad or uncertain, {goes}"
        return [Sighting(check.check, end, on, None, share / check.quality.most, text)]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "window": self._window.tolist(),
            "good": self._good.tolist(),
            "bad": self._bad.tolist(),
            "before": self._before.tolist(),
            "on": self._on.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._window = np.array(state["window"], np.int64)
        self._good = np.array(state["good"], np.int64)
        self._bad = np.array(state["bad"], np.int64)
        self._before = np.array(state["before"], float)
        self._on = np.array(state["on"], np.bool_)
