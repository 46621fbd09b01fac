"""The last hour of a vessel in steps of half a minute: for explanations and residuals.

Columns are the tags by number. Steps without any reading are left out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from services.monitor.columns import Layer

STEP_US = 30_000_000
KEPT = 140
"""Steps kept: ten minutes now, an hour before."""
WINDOW_US = 600_000_000
"""What an explanation calls now."""
FEWEST = 10
"""Steps before the window that a tag needs to have a past."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came in one step."""

    number: int
    """Start of the step / STEP_US."""
    total: NDArray[np.float64]
    """Sum of good values."""
    good: NDArray[np.int64]
    other: NDArray[np.int64]
    """Readings that were uncertain or bad."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Return the mean of good values; NaN where there are none."""
        count = np.where(self.good > 0, self.good, 1)
        return np.where(self.good > 0, self.total / count, np.nan)


@dataclass(frozen=True, slots=True)
class Change:
    """How a tag's values of now differ from its own last hour."""

    tag: int
    before: float
    now: float
    sigmas: float


class History:
    """Sums of the running step and the finished ones."""

    def __init__(self, tags: int) -> None:
        self._tags = tags
        self._steps: deque[Step] = deque(maxlen=KEPT)
        self._open = self._empty(-1)

    def _empty(self, number: int) -> Step:
        none = np.zeros(self._tags, np.int64)
        return Step(number, np.zeros(self._tags), none, none.copy())

    def begin(self, number: int) -> Step | None:
        """Begin step `number`; return the one before if that ends it."""
        if number <= self._open.number:
            return None
        ended = self._open
        self._open = self._empty(number)
        if ended.number < 0:
            return None
        self._steps.append(ended)
        return ended

    def take(self, layer: Layer) -> None:
        """Count readings into the running step."""
        good = layer.tag[layer.good]
        self._open.total[good] += layer.value[layer.good]
        self._open.good[good] += 1
        self._open.other[layer.tag[~layer.good]] += 1

    def counts(self, tag: int, time: int) -> tuple[int, int]:
        """Return readings of a tag in the window before `time`: good, others."""
        first = (time - WINDOW_US) // STEP_US
        steps = [s for s in (*self._steps, self._open) if s.number >= first]
        good = sum(int(step.good[tag]) for step in steps)
        return good, sum(int(step.other[tag]) for step in steps)

    def changes(self, time: int, least: float) -> list[Change]:
        """Return what moved by `least` sigmas or more, strongest first.

        Compared are the last finished steps before `time` (one minute) with the hour
        that ends ten minutes before it, by the scatter of that hour's steps.
        """
        last, past = time // STEP_US, (time - WINDOW_US) // STEP_US
        before = [s.mean for s in self._steps if s.number < past]
        now = [s.mean for s in self._steps if past <= s.number < last][-2:]
        if len(before) < FEWEST or not now:
            return []
        return [
            change
            for change in _compared(np.array(before), np.array(now))
            if change.sigmas >= least
        ]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {"steps": [_to_json(step) for step in (*self._steps, self._open)]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        *finished, self._open = [_from_json(step) for step in state["steps"]]
        self._steps = deque(finished, maxlen=KEPT)


def _compared(before: NDArray[np.float64], now: NDArray[np.float64]) -> list[Change]:
    """Return the change of every tag that has a past, (steps, tags) each."""
    known = (np.isfinite(before).sum(axis=0) >= FEWEST) & np.isfinite(now).any(axis=0)
    changes = []
    for tag in np.flatnonzero(known):
        past = before[np.isfinite(before[:, tag]), tag]
        present = now[np.isfinite(now[:, tag]), tag]
        mean, value = float(past.mean()), float(present.mean())
        least = 1e-3 * abs(mean) + 1e-9
        sigma = max(float(past.std()), least)
        changes.append(Change(int(tag), mean, value, abs(value - mean) / sigma))
    return sorted(changes, key=lambda change: (-change.sigmas, change.tag))


def _to_json(step: Step) -> list[Any]:
    return [step.number, step.total.tolist(), step.good.tolist(), step.other.tolist()]


def _from_json(body: list[Any]) -> Step:
    number, total, good, other = body
    return Step(
        number,
        np.array(total, float),
        np.array(good, np.int64),
        np.array(other, np.int64),
    )
