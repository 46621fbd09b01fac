"""Batches of one recipe: each tag against its usual course, by what changes in it.

A batch keeps an offset of its own from the usual course for days; what betrays a
fault is that the offset changes. So a fast mean of the deviation is compared with a
slow one, in the scatter that this difference has at this age in normal batches.

Limits give every tag the same rank on held-out batches, so that a tag that some normal
batches disturb does not deafen the others.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter

from services.monitor.detectors.vector import Contribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FAST, SLOW = 0.5, 0.2
"""Weights of the newest row in the two means of the deviation."""
WINDOW = 20
"""Rows before and after whose scatter is taken together."""
QUARTILE = 0.75
"""Of absolute changes: scatter that a few disturbed batches do not spoil."""
QUARTILE_OF_NORMAL = 1.15
"""The same quantile of a normal variable, in standard deviations."""
LEAST_SCATTER = 0.05
"""Share of a tag's median scatter below which its scatter is not believed."""
RATE = 0.0075
"""Share of held-out normal rows with an alarm that the limits are set for."""
HOLD_OUTS = 4
"""Parts of the normal batches, each held out once; as many as there are, if fewer."""


@dataclass(frozen=True)
class Course:
    """What normal batches do, by age: each [row, tag]."""

    usual: NDArray[np.float64]
    scatter: NDArray[np.float64]
    """Infinite where no normal batch has a value: nothing is judged there."""

    def __len__(self) -> int:
        return len(self.usual)


def course(batches: Sequence[NDArray[np.float64]]) -> Course:
    """Return the usual course of normal batches, each [row, tag] from its start."""
    together = stacked(batches)
    usual = _median(together)
    changes = np.abs([_changes(batch - usual) for batch in together])
    scatter = np.empty_like(usual)
    for row in range(len(usual)):
        near = changes[:, max(0, row - WINDOW) : row + WINDOW + 1]
        scatter[row] = _quantile(near)
    scatter /= QUARTILE_OF_NORMAL
    least = LEAST_SCATTER * _median(scatter)
    scatter = np.maximum(scatter, np.maximum(np.nan_to_num(least), 1e-12))
    return Course(usual, np.where(np.isfinite(scatter), scatter, np.inf))


def learned_batches(
    tags: Sequence[str], batches: Sequence[NDArray[np.float64]], rate: float = RATE
) -> Trajectory:
    """Return a detector that has learned normal batches.

    Args:
        tags: names, in the order of a row.
        batches: three or more, each [row, tag] from its start, of one recipe.
        rate: share of normal rows that may alarm.
    """
    parts = range(min(HOLD_OUTS, len(batches)))
    held = np.concatenate([_held_out(batches, part) for part in parts])
    count = len(held)
    ranks = np.argsort(np.argsort(held, axis=0), axis=0).max(axis=1) + 1
    rank = np.quantile(ranks / (count + 1), 1.0 - rate)
    limits = np.maximum(np.quantile(held, min(float(rank), 1.0), axis=0), 1e-9)
    return Trajectory(tags, course(batches), limits)


class Trajectory:
    """Watches a batch from its start; see `VectorDetector`. Learns from no batch."""

    def __init__(
        self, tags: Sequence[str], usual: Course, limits: NDArray[np.float64]
    ) -> None:
        """Stand before the first row of a batch; `limits`: [tag]."""
        self._tags = tuple(tags)
        self._usual = usual.usual.copy()
        self._per = 1.0 / (usual.scatter * limits)
        self._row = 0
        self._fast = np.full(len(tags), np.nan)
        self._slow = np.full(len(tags), np.nan)
        self._away = np.zeros(len(tags))

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tags, in the order of a row."""
        return self._tags

    def score(self, row: NDArray[np.float64]) -> float:
        """Return what `learn` would return for this row; changes nothing."""
        return float(np.abs(self._next(row)[2]).max())

    def learn(self, row: NDArray[np.float64], *, learning: bool) -> float:
        """Take the next row of the batch and return its score."""
        self._fast, self._slow, self._away = self._next(row)
        self._row += 1
        return float(np.abs(self._away).max())

    def _next(
        self, row: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        age = min(self._row, len(self._usual) - 1)
        off = row - self._usual[age]
        here, first = np.isfinite(off), np.isnan(self._slow)
        before = np.where(first, off, self._slow)
        fast = np.where(first, off, self._fast)
        fast = np.where(here, fast + FAST * (off - fast), self._fast)
        slow = np.where(here, before + SLOW * (off - before), self._slow)
        change = np.where(here, fast - before, 0.0)
        return fast, slow, change * self._per[age]

    def explain(self) -> tuple[Contribution, ...]:
        """Return what each tag gave to the last score, largest first; in limits."""
        share = self._away**2 / max(float((self._away**2).sum()), 1e-12)
        order = np.argsort(-share, kind="stable").tolist()
        return tuple(
            Contribution(self._tags[i], float(share[i]), float(self._away[i]))
            for i in order
        )

    def rescale(self, tag: str, factor: float, offset: float) -> None:
        """Go on in another unit of measure: new value = factor x old + offset."""
        i = self._tags.index(tag)
        self._usual[:, i] = factor * self._usual[:, i] + offset
        self._per[:, i] /= abs(factor)
        for mean in (self._fast, self._slow):
            mean[i] *= factor

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "tags": list(self._tags),
            "usual": self._usual.tolist(),
            "per": self._per.tolist(),
            "row": self._row,
            "fast": [None if np.isnan(v) else v for v in self._fast.tolist()],
            "slow": [None if np.isnan(v) else v for v in self._slow.tolist()],
            "away": self._away.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; a tag it does not know begins anew."""
        known = list(state["tags"])
        here = [i for i, tag in enumerate(self._tags) if tag in known]
        there = [known.index(self._tags[i]) for i in here]
        self._row = int(state["row"])
        rows = slice(0, len(state["usual"]))
        self._usual[rows, here] = np.array(state["usual"], float)[:, there]
        self._per[rows, here] = np.array(state["per"], float)[:, there]
        self._fast[here] = np.array(state["fast"], float)[there]
        self._slow[here] = np.array(state["slow"], float)[there]
        self._away[here] = np.array(state["away"], float)[there]


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median over the first axis of what is there; NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=0), float)


def _quantile(near: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quartile over batches and rows; NaN where a tag has no value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanquantile(near, QUARTILE, axis=(0, 1)), float)


def stacked(batches: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return [batch, row, tag], as long as most batches are; NaN after an end."""
    length = int(np.median([len(batch) for batch in batches]))
    together = np.full((len(batches), length, batches[0].shape[1]), np.nan)
    for i, batch in enumerate(batches):
        together[i, : len(batch)] = batch[:length]
    return together


def _changes(off: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [row, tag]: the fast mean minus the slow mean of the rows before."""
    filled = np.nan_to_num(off)
    first = filled[:1]
    fast, _ = lfilter(
        [FAST], [1.0, FAST - 1.0], filled, axis=0, zi=(1.0 - FAST) * first
    )
    slow, _ = lfilter(
        [SLOW], [1.0, SLOW - 1.0], filled, axis=0, zi=(1.0 - SLOW) * first
    )
    before = np.concatenate([first, slow[:-1]])
    out: NDArray[np.float64] = fast - before
    return np.where(np.isfinite(off), out, np.nan)


def _held_out(batches: Sequence[NDArray[np.float64]], part: int) -> NDArray[np.float64]:
    """Return changes in scatters, [row, tag], of batches the course did not see."""
    usual = course([b for i, b in enumerate(batches) if i % HOLD_OUTS != part])
    found = []
    for batch in batches[part::HOLD_OUTS]:
        rows = min(len(batch), len(usual))
        change = _changes(batch[:rows] - usual.usual[:rows])
        found.append(np.nan_to_num(np.abs(change) / usual.scatter[:rows]))
    return np.concatenate(found)
