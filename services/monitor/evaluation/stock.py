"""River's detectors as they come, on raw tags: a plain loop over models.

This is what a team gets in an afternoon, and the cost that vectorised detectors are
compared with.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from river import anomaly, drift

from services.monitor.evaluation.scaling import LIMIT_QUANTILE, Scale, halves

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.methods import Learned

HOLD = 60
"""Rows that an alarm of a drift detector lasts: it says one row only."""
TREES = 10


@dataclass(frozen=True)
class StockDrift:
    """One drift detector of River a tag, with its defaults, on the raw values."""

    name: str
    make: Callable[[], Any]

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return it; it goes on learning from the end of the training rows."""
        return _Drifting(self.make, training[-1])


@dataclass(frozen=True)
class _Drifting:
    make: Callable[[], Any]
    before: NDArray[np.float64]

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        models = [self.make() for _ in range(rows.shape[1])]
        for row in self.before:
            _any_drift(models, row)
        drifted = [_any_drift(models, row) for row in rows]
        recent: deque[bool] = deque(maxlen=HOLD)
        held = []
        for now in drifted:
            recent.append(now)
            held.append(any(recent))
        return np.array(held, np.bool_)


def _any_drift(models: Sequence[Any], row: NDArray[np.float64]) -> bool:
    found = False
    for model, value in zip(models, row.tolist(), strict=True):
        if value == value:  # noqa: PLR0124  not NaN
            model.update(value)
            found = bool(model.drift_detected) or found
    return found


@dataclass(frozen=True)
class StockTrees:
    """River's half-space trees over all tags, scaled to 0..1 on the training rows."""

    name: str = "River HST"

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return the trees with the 99 % limit of held-out rows; frozen then."""
        model, others = halves(training)
        scale = Scale(model)
        trees = anomaly.HalfSpaceTrees(n_trees=TREES, seed=1)
        for row in _unit(scale, model):
            trees.learn_one(row)
        held = [trees.score_one(row) for rows in others for row in _unit(scale, rows)]
        return _Grown(scale, trees, float(np.quantile(held, LIMIT_QUANTILE)))


@dataclass(frozen=True)
class _Grown:
    scale: Scale
    trees: Any
    limit: float

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        scores = [self.trees.score_one(row) for row in _unit(self.scale, rows)]
        return np.array(scores) > self.limit


def _unit(scale: Scale, rows: NDArray[np.float64]) -> list[dict[int, float]]:
    """Return rows in 0..1: eight standard deviations wide."""
    z = np.clip(scale.standard(rows) / 8.0 + 0.5, 0.0, 1.0)
    return [dict(enumerate(row)) for row in z.tolist()]


STOCK = (
    StockDrift("River ADWIN", drift.ADWIN),
    StockDrift("River Page-Hinkley", drift.PageHinkley),
    StockTrees(),
)
