"""Batches of one recipe: regulated tags that drift slowly from their usual course.

How far a tag is from its usual course counts up to one scatter of its age, no more: a
drifting instrument is a little off for long, a disturbed batch far off for a while. The
weighted mean of that is judged: on which side of its course a tag keeps. Good for tags
that a loop holds; others keep an offset of their own all batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter

from services.monitor.detectors.trajectory import (
    HOLD_OUTS,
    LEAST_SCATTER,
    QUARTILE,
    QUARTILE_OF_NORMAL,
    WINDOW,
    Course,
    stacked,
)
from services.monitor.detectors.vector import Contribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

WEIGHT = 0.1
"""Of the newest row in the mean that is judged."""
MOST = 1.0
"""Scatters that a row counts at most."""
RATE = 0.005
"""Share of held-out normal rows with an alarm that the limits are set for."""


def course(batches: Sequence[NDArray[np.float64]]) -> Course:
    """Return the usual course of normal batches, each [row, tag] from its start."""
    together = stacked(batches)
    usual = np.asarray(np.nanmedian(together, axis=0), float)
    off = np.abs(together - usual)
    scatter = np.stack(
        [
            np.nanquantile(
                off[:, max(0, row - WINDOW) : row + WINDOW + 1], QUARTILE, axis=(0, 1)
            )
            for row in range(len(usual))
        ]
    )
    scatter /= QUARTILE_OF_NORMAL
    least = LEAST_SCATTER * np.nanmedian(scatter, axis=0)
    return Course(usual, np.maximum(np.maximum(scatter, least), 1e-12))


def learned_drift(
    tags: Sequence[str], batches: Sequence[NDArray[np.float64]], rate: float = RATE
) -> CourseDrift:
    """Return a detector that has learned normal batches.

    Args:
        tags: names, in the order of a row; regulated ones.
        batches: three or more, each [row, tag] from its start, of one recipe, complete.
        rate: share of normal rows that may alarm.
    """
    parts = range(min(HOLD_OUTS, len(batches)))
    held = np.concatenate([_held_out(batches, part) for part in parts])
    ranks = np.argsort(np.argsort(held, axis=0), axis=0).max(axis=1) + 1
    rank = float(np.quantile(ranks / (len(held) + 1), 1.0 - rate))
    limits = np.maximum(np.quantile(held, min(rank, 1.0), axis=0), 1e-9)
    return CourseDrift(tags, course(batches), limits)


def _held_out(batches: Sequence[NDArray[np.float64]], part: int) -> NDArray[np.float64]:
    """Return means in scatters, [row, tag], of batches the course did not see."""
    usual = course([b for i, b in enumerate(batches) if i % HOLD_OUTS != part])
    found = []
    for batch in batches[part::HOLD_OUTS]:
        rows = min(len(batch), len(usual))
        off = (batch[:rows] - usual.usual[:rows]) / usual.scatter[:rows]
        counted = np.clip(np.nan_to_num(off), -MOST, MOST)
        mean = lfilter([WEIGHT], [1.0, WEIGHT - 1.0], counted, axis=0)
        found.append(np.abs(np.asarray(mean, float)))
    return np.concatenate(found)


class CourseDrift:
    """Watches a batch from its start; see `VectorDetector`. Learns from no batch."""

    def __init__(
        self, tags: Sequence[str], usual: Course, limits: NDArray[np.float64]
    ) -> None:
        """Stand before the first row of a batch; `limits`: [tag], below `MOST`."""
        self._tags = tuple(tags)
        self._usual = usual.usual.copy()
        self._per = 1.0 / usual.scatter
        self._limits = np.array(limits, float)
        self._row = 0
        self._mean = np.zeros(len(tags))

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tags, in the order of a row."""
        return self._tags

    def score(self, row: NDArray[np.float64]) -> float:
        """Return what `learn` would return for this row; changes nothing."""
        return float(np.abs(self._next(row) / self._limits).max())

    def learn(self, row: NDArray[np.float64], *, learning: bool) -> float:
        """Take the next row of the batch and return its score."""
        self._mean = self._next(row)
        self._row += 1
        return float(np.abs(self._mean / self._limits).max())

    def _next(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        age = min(self._row, len(self._usual) - 1)
        off = (row - self._usual[age]) * self._per[age]
        counted = np.clip(np.nan_to_num(off), -MOST, MOST)
        step = np.where(np.isfinite(off), counted - self._mean, 0.0)
        return np.asarray(self._mean + WEIGHT * step, float)

    def explain(self) -> tuple[Contribution, ...]:
        """Return what each tag gave to the last score, largest first; in limits."""
        away = self._mean / self._limits
        share = away**2 / max(float((away**2).sum()), 1e-12)
        order = np.argsort(-share, kind="stable").tolist()
        return tuple(
            Contribution(self._tags[i], float(share[i]), float(away[i])) for i in order
        )

    def rescale(self, tag: str, factor: float, offset: float) -> None:
        """Go on in another unit of measure: new value = factor x old + offset."""
        i = self._tags.index(tag)
        self._usual[:, i] = factor * self._usual[:, i] + offset
        self._per[:, i] /= abs(factor)
        self._mean[i] *= np.sign(factor)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "tags": list(self._tags),
            "usual": self._usual.tolist(),
            "per": self._per.tolist(),
            "limits": self._limits.tolist(),
            "row": self._row,
            "mean": self._mean.tolist(),
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
        self._limits[here] = np.array(state["limits"], float)[there]
        self._mean[here] = np.array(state["mean"], float)[there]
