"""How often the tags of a vessel speak, and whether the vessel has fallen silent. Pure.

Every tag is held against its own last few intervals, so that a source which comes from
coarse steps of the past to one value a second is believed after a few readings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.domain import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from services.monitor.columns import Layer

MISSED = 3
"""A tag is overdue when it missed so many of the longest of its last intervals..."""
INTERVALS = 4
"""...of so many, so that sources which send a few readings at once are known..."""
LEAST_US = 5 * US_PER_S
"""...and not before this."""
ONCE_US = 60 * US_PER_S
"""Patience with tags of which a single reading is all that is known."""


class Pace:
    """One entry per tag by its number in the vessel; only judged readings count.

    Bounded by: `INTERVALS` intervals of each tag.
    """

    def __init__(self, steady: NDArray[np.bool_]) -> None:
        """Begin with nothing heard.

        Args:
            steady: per tag, whether it speaks also when nothing changes.
        """
        self._steady = steady
        self._last = np.zeros(len(steady), np.int64)
        self._intervals = np.zeros((INTERVALS, len(steady)), np.int64)
        self._count = np.zeros(len(steady), np.int64)

    def take(self, layer: Layer) -> None:
        """Take in one reading of each of some tags."""
        at = layer.tag if layer.judged.all() else layer.tag[layer.judged]
        time = layer.time if len(at) == len(layer.time) else layer.time[layer.judged]
        last = self._last[at]
        step = np.where(last > 0, np.maximum(time - last, 0), 0)
        self._intervals[self._count[at] % INTERVALS, at] = step
        self._last[at] = np.maximum(time, last)
        self._count[at] += 1

    def punctual(
        self, tags: NDArray[np.intp], time: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which tags that speak at `time`, us UTC each, did not miss much."""
        known = self._steady[tags] & (self._count[tags] > 1)
        longest = self._intervals[:, tags].max(axis=0)
        since: NDArray[np.int64] = time - self._last[tags]
        spoke: NDArray[np.bool_] = since <= np.maximum(MISSED * longest, LEAST_US)
        return known & spoke

    def silent(self, now: int) -> bool:
        """Whether the vessel is silent at `now`, us UTC.

        It is when more than half of its tags are overdue, or never one spoke.
        """
        known = self._steady & (self._count > 1)
        if known.any():
            longest = self._intervals[:, known].max(axis=0)
            patience = np.maximum(MISSED * longest, LEAST_US)
            overdue = now - self._last[known] > patience
            return bool(2 * overdue.sum() > len(overdue))
        return now - int(self._last.max(initial=0)) > ONCE_US

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON; an entry per tag in each column."""
        return {
            "last": self._last.tolist(),
            "count": self._count.tolist(),
            "intervals": self._intervals.T.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._last = np.array(state["last"], np.int64)
        self._count = np.array(state["count"], np.int64)
        intervals = np.array(state["intervals"], np.int64)
        self._intervals = intervals.reshape(-1, INTERVALS).T.copy()
