"""The last hour of a vessel in steps of half a minute: for explanations and residuals.

Columns are the tags by number. Steps without any reading are left out.
"""

from __future__ import annotations

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
    good: NDArray[np.int64] | NDArray[np.int32]
    other: NDArray[np.int64] | NDArray[np.int32]
    """Readings that were uncertain or bad."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Return the mean of good values; NaN where there are none."""
        return _mean(self.total, self.good)


@dataclass(frozen=True, slots=True)
class Change:
    """How a tag's values of now differ from its own last hour."""

    tag: int
    before: float
    now: float
    sigmas: float


class History:
    """Sums of the running step and the finished ones.

    Bounded by: KEPT steps, whose memory is taken at once. When full: the oldest goes.
    """

    def __init__(self, tags: int) -> None:
        self._tags = tags
        self._ended = 0
        """Steps that were finished; the last KEPT of them are in the rows below."""
        self._number = np.full(KEPT, -1, np.int64)
        self._total = np.full((KEPT, tags), 0.0)
        self._good = np.full((KEPT, tags), 0, np.int32)
        self._other = np.full((KEPT, tags), 0, np.int32)
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
        self._keep(ended)
        return ended

    def _keep(self, step: Step) -> None:
        row = self._ended % KEPT
        self._number[row] = step.number
        self._total[row] = step.total
        self._good[row], self._other[row] = step.good, step.other
        self._ended += 1

    def _rows(self) -> NDArray[np.intp]:
        """Return the rows of finished steps, oldest first."""
        return np.arange(max(0, self._ended - KEPT), self._ended) % KEPT

    def take(self, layer: Layer) -> None:
        """Count readings into the running step."""
        good = layer.tag[layer.good]
        self._open.total[good] += layer.value[layer.good]
        self._open.good[good] += 1
        self._open.other[layer.tag[~layer.good]] += 1

    def counts(self, tag: int, time: int) -> tuple[int, int]:
        """Return readings of a tag in the window before `time`: good, others."""
        first = max(0, (time - WINDOW_US) // STEP_US)
        rows = self._number >= first
        good = int(self._good[rows, tag].sum())
        other = int(self._other[rows, tag].sum())
        if self._open.number >= first:
            good += int(self._open.good[tag])
            other += int(self._open.other[tag])
        return good, other

    def changes(self, time: int, least: float) -> list[Change]:
        """Return what moved by `least` sigmas or more, strongest first.

        Compared are the last finished steps before `time` (one minute) with the hour
        that ends ten minutes before it, by the scatter of that hour's steps.
        """
        last, past = time // STEP_US, (time - WINDOW_US) // STEP_US
        rows = self._rows()
        number = self._number[rows]
        before = rows[number < past]
        now = rows[(past <= number) & (number < last)][-2:]
        if len(before) < FEWEST or not len(now):
            return []
        return [
            change
            for change in _compared(self._means(before), self._means(now))
            if change.sigmas >= least
        ]

    def _means(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        return _mean(self._total[rows], self._good[rows])

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        finished = [
            Step(int(self._number[r]), self._total[r], self._good[r], self._other[r])
            for r in self._rows().tolist()
        ]
        return {"steps": [_to_json(step) for step in (*finished, self._open)]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        *finished, self._open = [_from_json(step) for step in state["steps"]]
        self._number[:], self._ended = -1, 0
        for step in finished:
            self._keep(step)


def _mean(
    total: NDArray[np.float64], good: NDArray[np.int64] | NDArray[np.int32]
) -> NDArray[np.float64]:
    count = np.where(good > 0, good, 1)
    return np.where(good > 0, total / count, np.nan)


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
