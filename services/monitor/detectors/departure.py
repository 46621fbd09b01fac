"""The likeliest departure in a handful of values: a step, or a ramp that goes on. Pure.

A likelihood ratio over all moments at which it can have begun, for white noise of known
size around an unknown constant; the reference is every value before, so that it grows
firmer with each. Source: Basseville and Nikiforov, Detection of Abrupt Changes, 1993,
section 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Departure:
    """How values have left what was usual."""

    since: int
    """Time of the last value before it, as the times given."""
    amount: float
    """Reached at the last value, in the values' unit."""
    errors: float
    """Standard errors, not negative."""


def departure(
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    settled: int,
    sigma: float,
) -> Departure | None:
    """Return the likeliest departure; None where there are too few values.

    Args:
        times: ascending, us.
        values: at these times, shape as `times`.
        settled: the first so many values are from before it.
        sigma: standard deviation of a value without departure.
    """
    found: Departure | None = None
    for last in range(settled - 1, len(times) - 1):
        for shape in _shapes(times, last):
            course = shape - shape.mean()
            energy = float(course @ course)
            size = float(course @ values) / energy
            errors = abs(size) * energy**0.5 / sigma
            if found is None or errors > found.errors:
                found = Departure(int(times[last]), size * float(shape[-1]), errors)
    return found


def _shapes(times: NDArray[np.int64], last: int) -> Iterator[NDArray[np.float64]]:
    """Yield a step and a ramp (reaching 1) that begin after the value `last`."""
    after = times > times[last]
    yield after.astype(np.float64)
    yield np.where(after, (times - times[last]) / (times[-1] - times[last]), 0.0)
