"""Control charts of each tag alone: Shewhart, EWMA, CUSUM.

Sources: Shewhart 1931; Roberts 1959, Technometrics 1:239; Page 1954, Biometrika
41:100. The tag that is furthest away counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.evaluation.scaling import LIMIT_QUANTILE, Scale, halves, smoothed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.methods import Learned

WEIGHT = 0.2
"""Of the newest row in the EWMA."""
SLACK = 0.5
"""Of the CUSUM, standard deviations."""


@dataclass(frozen=True)
class Chart:
    """The largest statistic of any tag, from standardised rows [time, tag]."""

    name: str
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return it with its limit on held-out rows.

        Textbook limits assume independent rows: on Tennessee Eastman they alarm on 9
        (Shewhart) to 93 % (CUSUM) of the normal rows.
        """
        model, others = halves(training)
        scale = Scale(model)
        held = np.concatenate(
            [self.statistic(scale.standard(rows)).max(axis=1) for rows in others]
        )
        limit = float(np.quantile(held, LIMIT_QUANTILE))
        return _Charted(scale, self.statistic, limit)


@dataclass(frozen=True)
class _Charted:
    scale: Scale
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    limit: float

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        largest = self.statistic(self.scale.standard(rows)).max(axis=1)
        return np.asarray(largest > self.limit, np.bool_)


def _shewhart(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(z)


def _ewma(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(smoothed(z, WEIGHT))


def _cusum(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(*(_one_sided(side - SLACK) for side in (z, -z)))


def _one_sided(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum since it was last zero: the walk above its own lowest point."""
    walk = np.cumsum(steps, axis=0)
    lowest = np.minimum(np.minimum.accumulate(walk, axis=0), 0.0)
    return np.asarray(walk - lowest, float)


CHARTS = (Chart("Shewhart", _shewhart), Chart("EWMA", _ewma), Chart("CUSUM", _cusum))
