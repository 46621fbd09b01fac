"""Multivariate EWMA at several horizons over whitened rows, with spread charts.

Per row: at each horizon the sum of squares (T2) of the weighted mean and its largest
component, for shifts of many tags and of one; and the weighted mean of squares, for
scatter that grows or vanishes. Each chart is divided by its own limit, the largest
counts. Limits come from held-out normal rows (`mewma_limits`).

Sources: Lowry, Woodall, Champ & Rigdon 1992, Technometrics 34:46 (MEWMA); Huwang, Yeh
& Wu 2007, J. Quality Technology 39:258 (spread).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.vector import Contribution
from services.monitor.detectors.whitening import Whitening

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

HORIZONS = np.array([1.0, 0.3, 0.1, 0.03])
"""Weights of the newest row in the means."""
SPREADS = np.array([0.3, 0.1, 0.03])
"""Weights of the newest row in the means of squares."""
CHARTS = 2 * len(HORIZONS) + len(SPREADS)
_MEAN_SCALE = (2.0 - HORIZONS) / HORIZONS
_SPREAD_SCALE = (2.0 - SPREADS) / SPREADS


@dataclass(frozen=True, slots=True)
class Guard:
    """When a row is normal enough to be learned from."""

    forgetting: float = 0.001
    """Weight of the newest learned row."""
    calm: int = 10
    """Rows in a row that must have been below `below` first."""
    below: float = 0.8
    """Share of the limit."""


def charts(
    means: NDArray[np.float64], spreads: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return every chart's statistic.

    Args:
        means: [..., horizon, tag], weighted means of whitened rows.
        spreads: [..., spread, tag], weighted means of their squares minus 1.

    Returns:
        [..., chart]: T2 of each horizon, largest component of each, spreads.
    """
    squares = means * means * _MEAN_SCALE[:, np.newaxis]
    wide = (spreads * spreads).sum(axis=-1) * _SPREAD_SCALE
    return np.concatenate(
        [squares.sum(axis=-1), np.sqrt(squares.max(axis=-1)), wide], axis=-1
    )


def advanced(
    means: NDArray[np.float64],
    spreads: NDArray[np.float64],
    white: NDArray[np.float64],
    here: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weighted means after a row; those of a missing tag stand still."""
    later = means + HORIZONS[:, np.newaxis] * (white - means) * here
    change = (white * white - 1.0 - spreads) * here
    return later, spreads + SPREADS[:, np.newaxis] * change


class Mewma:
    """Watches all tags of a vessel together; see `VectorDetector`."""

    def __init__(
        self,
        tags: Sequence[str],
        whitening: Whitening,
        limits: NDArray[np.float64],
        guard: Guard = Guard(),
    ) -> None:
        """Begin as after normal rows.

        Args:
            tags: names, in the order of a row.
            whitening: learned from normal rows; kept, and learned on.
            limits: [chart], as `mewma_limits` returns them.
            guard: when rows are learned from.
        """
        self._tags = tuple(tags)
        self._whitening = whitening
        self._limits = np.array(limits, float)
        self._guard = guard
        self._means = np.zeros((len(HORIZONS), len(tags)))
        self._spreads = np.zeros((len(SPREADS), len(tags)))
        self._calm = 0

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tags, in the order of a row."""
        return self._tags

    def score(self, row: NDArray[np.float64]) -> float:
        """Return what `learn` would return for this row; changes nothing."""
        return self._fused(*self._next(row))

    def learn(self, row: NDArray[np.float64], *, learning: bool) -> float:
        """Take a row and return its score; learn from it when all is calm."""
        self._means, self._spreads = self._next(row)
        score = self._fused(self._means, self._spreads)
        self._calm = self._calm + 1 if score < self._guard.below else 0
        if learning and self._calm > self._guard.calm:
            self._whitening.learn(row, self._guard.forgetting)
        return score

    def _next(
        self, row: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        white = self._whitening.white(row)
        return advanced(self._means, self._spreads, white, np.isfinite(row))

    def _fused(self, means: NDArray[np.float64], spreads: NDArray[np.float64]) -> float:
        return float((charts(means, spreads) / self._limits).max())

    def explain(self) -> tuple[Contribution, ...]:
        """Return what each tag gave to the chart that is furthest, largest first."""
        ratio = charts(self._means, self._spreads) / self._limits
        chart = int(ratio.argmax())
        if chart < 2 * len(HORIZONS):
            horizon = chart % len(HORIZONS)
            away = self._means[horizon] * np.sqrt(_MEAN_SCALE[horizon])
        else:
            spread = chart - 2 * len(HORIZONS)
            away = self._spreads[spread] * np.sqrt(_SPREAD_SCALE[spread])
        share = away**2 / max(float((away**2).sum()), 1e-12)
        order = np.argsort(-share, kind="stable").tolist()
        return tuple(
            Contribution(self._tags[i], float(share[i]), float(away[i])) for i in order
        )

    def begin(self) -> None:
        """Begin as after normal rows: what came before says nothing of what comes."""
        self._means[:] = 0.0
        self._spreads[:] = 0.0
        self._calm = 0

    def expected(self, row: NDArray[np.float64], tag: str) -> tuple[float, float]:
        """Return where the other tags of a row let expect one: mean and deviation."""
        return self._whitening.expected(row, self._tags.index(tag))

    def rescale(self, tag: str, factor: float, offset: float) -> None:
        """Go on in another unit of measure: new value = factor x old + offset."""
        self._whitening.rescale(self._tags.index(tag), factor, offset)
        if factor < 0.0:
            self._means[:, self._tags.index(tag)] *= -1.0

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "tags": list(self._tags),
            "limits": self._limits.tolist(),
            "means": self._means.tolist(),
            "spreads": self._spreads.tolist(),
            "calm": self._calm,
            "whitening": self._whitening.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned, also with other tags."""
        known = list(state["tags"])
        here = [i for i, tag in enumerate(self._tags) if tag in known]
        there = [known.index(self._tags[i]) for i in here]
        self._whitening.restore(state["whitening"], here, there)
        self._limits = np.array(state["limits"], float)
        self._means[:, here] = np.array(state["means"], float)[:, there]
        self._spreads[:, here] = np.array(state["spreads"], float)[:, there]
        self._calm = int(state["calm"])
