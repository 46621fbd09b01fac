"""What the baselines share: standardised rows, smoothing, and limits. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HELD_OUT = 0.4
"""Share of a single training recording that sets the limit instead of the model."""
LIMIT_QUANTILE = 0.99
"""Of a statistic on held-out normal rows."""


class Scale:
    """Mean and standard deviation of each tag; a missing value is at its mean."""

    def __init__(self, rows: NDArray[np.float64]) -> None:
        """Learn from [time, tag]; a tag that never moved or never was is left out."""
        present = np.isfinite(rows)
        count = np.maximum(present.sum(axis=0), 1)
        filled = np.where(present, rows, 0.0)
        self.mean: NDArray[np.float64] = filled.sum(axis=0) / count
        off = np.where(present, rows - self.mean, 0.0)
        deviation = np.sqrt((off**2).sum(axis=0) / np.maximum(count - 1, 1))
        moves = deviation > 1e-9 * (np.abs(self.mean) + 1e-9)
        self._per = np.where(moves, 1.0 / np.where(moves, deviation, 1.0), 0.0)

    def standard(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rows in standard deviations from the mean."""
        off: NDArray[np.float64] = (rows - self.mean) * self._per
        return np.where(np.isfinite(off), off, 0.0)


def smoothed(rows: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Return exponentially weighted means that begin at 0; `weight` of the newest."""
    out: NDArray[np.float64] = lfilter([weight], [1.0, weight - 1.0], rows, axis=0)
    return out


def halves(
    training: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return rows for the model, and recordings that set its limits.

    The last of several recordings sets the limits, or the end of the only one.
    """
    if len(training) > 1:
        return np.concatenate(training[:-1]), [training[-1]]
    cut = round(len(training[0]) * (1.0 - HELD_OUT))
    return training[0][:cut], [training[0][cut:]]
