"""What a detector's card says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOUR_S = 3600.0
DAY_S = 86_400.0
WEEK_S = 604_800.0


@dataclass(frozen=True)
class Card:
    """What was measured of a detector with one setting."""

    detector: str
    setting: str
    judged_s: float
    """Time judged without a fault, all replicates together."""
    false: int
    """Alarms in it."""
    sizes: str
    """What the sizes of the change are measured in."""
    delays: Mapping[float, Sequence[float]]
    """By size of the change, s from its begin to the alarm; inf: none came."""
    cost_us: float
    """CPU time, us a reading, or a row where `rows`."""
    rows: bool = False
    timeless: bool = False
    """Rows have no length of their own: every time is in rows."""

    def between(self) -> str:
        """Return the mean time between false alarms, in words."""
        if not self.judged_s:
            return ""
        if not self.false:
            return f"over {self._words(self.judged_s / 3.0)}"
        return self._words(self.judged_s / self.false)

    def _words(self, seconds: float) -> str:
        return f"{seconds:.0f} rows" if self.timeless else words(seconds)

    def delay(self) -> str:
        """Return the median delay of each size, in words."""
        return "; ".join(
            f"{size:g}: {self._median(found)}" for size, found in self.delays.items()
        )

    def _median(self, found: Sequence[float]) -> str:
        share = float(np.mean(np.isfinite(found)))
        if share < 0.5:
            return f"not found ({100.0 * share:.0f} %)"
        said = self._words(float(np.median(found)))
        return said if share == 1.0 else f"{said} ({100.0 * share:.0f} %)"

    def line(self) -> str:
        """Return a line of the table."""
        per = "row" if self.rows else "reading"
        return (
            f"| {self.detector} | {self.setting} | {self.between()} | {self.sizes} | "
            f"{self.delay()} | {self.cost_us:.2g} us a {per} |"
        )


def words(seconds: float) -> str:
    """Return a time in the unit that fits.

    >>> words(90.0), words(7200.0), words(1e6)
    ('90 s', '2 h', '12 d')
    """
    for unit, length in (("d", DAY_S), ("h", HOUR_S), ("min", 60.0)):
        if seconds >= 2.0 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.0f} s"
