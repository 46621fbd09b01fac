"""A band that is left as often by chance as the engineer allows, not more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from river import stats

from services.monitor.detectors.false_alarms import (
    LEARNED,
    correlated,
    deviation,
    factor,
)

if TYPE_CHECKING:
    from services.monitor.detectors.models import Width

FEWEST = LEARNED[0]
"""Windows it learns from before it judges, however long that takes."""


class RatedBand:
    """A band around the mean of what was learned, for a fast mean of the latest.

    As `EwmaBand`, but its width follows from the allowed false alarms, from how many
    windows were learned, and from how much each resembles the one before.
    """

    def __init__(self, width: Width, weight: float) -> None:
        """Begin with nothing learned.

        Args:
            width: with `per_window`, the false alarms a window that are allowed.
            weight: of the newest window in the fast mean.
        """
        self.width = width
        self._weight = weight
        self._past = stats.Var()
        self._pairs = stats.Cov()
        self._before: float | None = None
        self._fast = stats.EWMean(fading_factor=weight)

    @property
    def ready(self) -> bool:
        """Whether enough was learned to judge."""
        return int(self._past.n) >= FEWEST

    def learn(self, value: float) -> None:
        """Take a value of normal operation."""
        self._past.update(value)
        if self._before is not None:
            self._pairs.update(self._before, value)
        self._before = value
        self.judge(value, calm=True)

    def judge(self, value: float, *, calm: bool) -> None:
        """Take a value that is judged; `calm`: while there is no alarm."""
        del calm
        self._fast.update(value)

    def score(self) -> float:
        """Return how far the latest values are from the past; 1.0 is the limit."""
        if not self.ready:
            return 0.0
        change = float(self._fast.get()) - float(self._past.mean.get())
        return self.width.away(change) / self._half()

    def band(self) -> tuple[float, float]:
        """Return the expected lowest and highest value."""
        middle, half = float(self._past.mean.get()), self._half()
        return middle - half, middle + half

    def _half(self) -> float:
        learned, variance = int(self._past.n), float(self._past.get())
        if learned < FEWEST or variance <= 0.0 or self.width.per_window is None:
            return max(self.width.least, 1e-9)
        raw = float(self._pairs.get()) / variance
        sigma = deviation(variance, correlated(raw, learned), self._weight)
        both = 1.0 if self.width.side == "both" else 2.0
        wide = factor(learned, both * self.width.per_window) * sigma
        return max(wide, self.width.least, 1e-9)
