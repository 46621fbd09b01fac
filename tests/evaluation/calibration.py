"""How wide a learned band must be for so many false alarms: makes the table.

python -m tests.evaluation.calibration

The noise is that of instruments: white, and 0.3 as large a wandering with a correlation
of 0.98 a second (simulators/instruments.py), averaged over windows of 60 s, where it
wanders, and of an hour, where it hardly does. The table is right on their average;
docs/detectors.md says how far others are from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.detectors.false_alarms import (
    LEARNED,
    PER_WINDOW,
    correlated,
    deviation,
)
from services.monitor.detectors.models import FAST
from services.monitor.detectors.residual import OFF
from simulators.instruments import WANDER, WANDER_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RUNS = 1500
"""Bands that are learned and judged."""
JUDGED = 20_000
"""Windows each is judged for."""
TRIED = np.linspace(1.5, 7.5, 41)


@dataclass(frozen=True)
class Noise:
    """Averages of an instrument's readings over windows, one reading a second."""

    window_s: int
    keep_per_s: float = WANDER_PER_S
    wander: float = WANDER

    def windows(
        self, random: np.random.Generator, runs: int, count: int
    ) -> Iterator[NDArray[np.float64]]:
        """Yield `count` averages of `runs` instruments, whose white noise is 1.

        The wandering part is exact: its mean over a window and its end, given its
        beginning, are normal with what a first-order autoregression gives them.
        """
        keep, n = self.keep_per_s, self.window_s
        powers = keep ** np.arange(1, n + 1)
        lead = np.array([powers.mean(), powers[-1]])
        # how a shock in second j reaches the mean and the end
        shock = np.sqrt(1.0 - keep**2) * np.array(
            [
                [(keep ** np.arange(n - j)).sum() / n, keep ** (n - 1 - j)]
                for j in range(n)
            ]
        )
        root = np.linalg.cholesky(shock.T @ shock + 1e-15 * np.eye(2))
        end = random.standard_normal(runs)
        for _ in range(count):
            both = lead[:, np.newaxis] * end + root @ random.standard_normal((2, runs))
            mean, end = both
            white = random.standard_normal(runs) / np.sqrt(n)
            yield white + self.wander * mean


INSTRUMENTS = (Noise(60), Noise(3600))


def false_alarms(
    noise: Noise,
    learned: int,
    seed: int,
    tried: NDArray[np.float64] = TRIED,
    runs: int = RUNS,
) -> NDArray[np.float64]:
    """Return false alarms a window for every width tried, on average over bands.

    Counted as the monitor does: an alarm is over when the score falls below 0.8.
    """
    random = np.random.default_rng([seed, learned, noise.window_s])
    windows = noise.windows(random, runs, learned + JUDGED)
    past = np.array([next(windows) for _ in range(learned)])
    fast = past[0].copy()
    for value in past[1:]:
        fast += FAST * (value - fast)
    middle, sigma = past.mean(axis=0), deviations(past)
    on = np.zeros((runs, len(tried)), np.bool_)
    began = np.zeros(len(tried))
    for value in windows:
        fast += FAST * (value - fast)
        score = np.abs(fast - middle) / sigma
        now = score[:, np.newaxis] >= np.where(on, OFF * tried, tried)
        began += np.count_nonzero(now & ~on, axis=0)
        on = now
    return began / (runs * JUDGED)


def deviations(past: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, [run], what a band takes for the deviation of the mean it judges."""
    before, after = past[:-1], past[1:]
    covariance = ((before - before.mean(axis=0)) * (after - after.mean(axis=0))).sum(
        axis=0
    ) / (len(before) - 1)
    variance = past.var(axis=0, ddof=1)
    return np.array(
        [
            deviation(v, correlated(c / v, len(past)), FAST)
            for v, c in zip(variance.tolist(), covariance.tolist(), strict=True)
        ]
    )


def widths(rates: NDArray[np.float64]) -> list[float]:
    """Return, for each rate of PER_WINDOW, the width that has it."""
    seen = rates > 0.0
    logs, tried = np.log(rates[seen])[::-1], TRIED[seen][::-1]
    return [round(float(np.interp(np.log(r), logs, tried)), 2) for r in PER_WINDOW]


def main() -> None:
    """Print the table."""
    for learned in LEARNED:
        each = [false_alarms(noise, learned, seed=1) for noise in INSTRUMENTS]
        print(f"        {widths(np.mean(each, axis=0))},  # {learned}", flush=True)
        for noise, rates in zip(INSTRUMENTS, each, strict=True):
            print(f"            # windows of {noise.window_s} s: {widths(rates)}")


if __name__ == "__main__":
    main()
