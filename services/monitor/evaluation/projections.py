"""Multivariate baselines: PCA with T2 and SPE, dynamic PCA, canonical variates.

Sources: Kresta, MacGregor & Marlin 1991, Can. J. Chem. Eng. 69:35 (PCA); Ku, Storer &
Georgakis 1995, Chemom. Intell. Lab. Syst. 30:179 (DPCA); Odiowei & Cao 2010, IEEE
Trans. Ind. Inform. 6:36 (CVA). Every limit is the 99 % quantile on held-out normal
rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from services.monitor.evaluation.scaling import LIMIT_QUANTILE, Scale, halves

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.methods import Learned

    Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]

EXPLAINED = 0.6
"""Share of the variance that the kept components explain."""
STATES = 29
"""States of CVA: what the published comparisons on Tennessee Eastman settled on."""
SMALLEST = 1e-6


@dataclass(frozen=True)
class Projection:
    """A statistic that is built from normal rows; its limit comes from others."""

    name: str
    build: Callable[[NDArray[np.float64], int], Statistic]
    """From standardised rows [time, tag] and the lags."""
    lags: int = 0

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return it with its limit."""
        model, others = halves(training)
        scale = Scale(model)
        statistic = self.build(scale.standard(model), self.lags)
        held = np.concatenate([statistic(scale.standard(rows)) for rows in others])
        return _Projected(scale, statistic, float(np.quantile(held, LIMIT_QUANTILE)))


@dataclass(frozen=True)
class _Projected:
    scale: Scale
    statistic: Statistic
    limit: float

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        return self.statistic(self.scale.standard(rows)) > self.limit


def lagged(rows: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Return each row beside the `lags` rows before it; the first is repeated."""
    before = np.concatenate([np.repeat(rows[:1], lags, axis=0), rows])
    return np.hstack([before[lags - k : len(before) - k] for k in range(lags + 1)])


def _principal(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return kept directions [tag, component] and their variances, largest first."""
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    values, vectors = values[::-1], vectors[:, ::-1]
    share = np.cumsum(values) / values.sum()
    kept = int(np.searchsorted(share, EXPLAINED)) + 1
    return vectors[:, :kept], np.maximum(values[:kept], SMALLEST)


def _pca(
    rows: NDArray[np.float64], lags: int, which: Literal["T2", "SPE"]
) -> Statistic:
    directions, variances = _principal(lagged(rows, lags))

    def t2(later: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = lagged(later, lags) @ directions
        return np.asarray(np.sum(scores**2 / variances, axis=1), float)

    def spe(later: NDArray[np.float64]) -> NDArray[np.float64]:
        wide = lagged(later, lags)
        left = wide - wide @ directions @ directions.T
        return np.asarray(np.sum(left**2, axis=1), float)

    return t2 if which == "T2" else spe


def _inverse_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = vectors / np.sqrt(np.maximum(values, SMALLEST))
    return np.asarray(root @ vectors.T, float)


def _cva(rows: NDArray[np.float64], lags: int) -> Statistic:
    """Return T2 of what the states leave of the past, as Odiowei and Cao define it."""
    past = lagged(rows, lags)[lags : len(rows) - lags]
    ahead = lagged(rows[::-1], lags)[::-1][lags + 1 :][: len(past)]
    past = past[: len(ahead)]
    n = len(past) - 1
    root = _inverse_root(past.T @ past / n)
    other = _inverse_root(ahead.T @ ahead / n)
    _, _, right = np.linalg.svd(other @ (ahead.T @ past / n) @ root)
    states = right[:STATES].T
    whitened = root @ (np.eye(len(root)) - states @ states.T)

    def residual(later: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.sum((lagged(later, lags) @ whitened) ** 2, axis=1), float)

    return residual


PROJECTIONS = (
    Projection("PCA T2", lambda rows, lags: _pca(rows, lags, "T2")),
    Projection("PCA SPE", lambda rows, lags: _pca(rows, lags, "SPE")),
    Projection("DPCA SPE", lambda rows, lags: _pca(rows, lags, "SPE"), lags=3),
    Projection("CVA T2r", _cva, lags=2),
)
