"""From "at most one false alarm in a week" to how wide a learned band must be. Pure.

A band that was learned from few windows is wrong by chance, and a mean that wanders
leaves it more often than one of white noise does. Both are known before: the windows
that were learned from are counted, the wandering is taken from their correlation, and
`FACTORS` is what a simulation of both says a band must be, in standard deviations of
the mean that is judged, for so many false alarms on average.

`python -m tests.evaluation.calibration` makes the table again; docs/detectors.md says
how well it is met on noise that it was not made with.
"""

from __future__ import annotations

import numpy as np

LEARNED = (240, 480, 960, 1920)
"""Windows learned from, one row of the table each."""
PER_WINDOW = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
"""False alarms a window, one column of the table each."""
FACTORS = np.array(
    [
        [2.34, 2.83, 3.22, 3.61, 3.94, 4.29, 4.58],
        [2.32, 2.8, 3.17, 3.54, 3.85, 4.17, 4.44],
        [2.31, 2.78, 3.15, 3.51, 3.81, 4.12, 4.38],
        [2.3, 2.77, 3.13, 3.49, 3.78, 4.09, 4.35],
    ]
)
"""Half width of the band, in standard deviations of the mean that is judged."""


def factor(learned: int, per_window: float) -> float:
    """Return half the width of a band, in deviations of the mean that is judged.

    Between the entries the table is read in logarithms, beyond them at its edge.

    Args:
        learned: windows that the band was learned from.
        per_window: false alarms a window.
    """
    rates = np.log(PER_WINDOW)[::-1]
    rate = np.log(per_window)
    of_rate = [float(np.interp(rate, rates, row[::-1])) for row in FACTORS]
    return float(np.interp(np.log(max(learned, 1)), np.log(LEARNED), of_rate))


def deviation(variance: float, correlation: float, weight: float) -> float:
    """Return the standard deviation of an exponentially weighted mean.

    Args:
        variance: of the values.
        correlation: of each value with the next, below 1; as those of a first-order
            autoregression.
        weight: of the newest value in the mean.

    Source: Schmid 1997, Statistical Papers 38:1 (EWMA of correlated values).
    """
    left = correlation * (1.0 - weight)
    return float(
        np.sqrt(variance * weight / (2.0 - weight) * (1.0 + left) / (1.0 - left))
    )


def correlated(seen: float, learned: int) -> float:
    """Return the correlation of neighbours behind one seen in few values, 0 to 0.95.

    Source: Marriott & Pope 1954, Biometrika 41:390 (bias of serial correlations).
    """
    count = max(learned, 4)
    return min(max((seen + 1.0 / count) / (1.0 - 3.0 / count), 0.0), 0.95)
