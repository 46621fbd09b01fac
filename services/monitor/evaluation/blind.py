"""Baselines that look at no value: what a method must beat to have seen anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.methods import Learned

BLIND = ("always", "clock", "timer")
"""Their names."""
CLOCK_ROWS = 60
"""The clock rings for half of every 60 rows."""


@dataclass(frozen=True)
class Always:
    """Alarms at every row."""

    name: str = "always"

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return itself: it learns nothing."""
        return self

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True everywhere."""
        return np.ones(len(rows), np.bool_)


@dataclass(frozen=True)
class Clock:
    """Alarms for half a minute of rows in every minute of rows."""

    name: str = "clock"

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return itself: it learns nothing."""
        return self

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True in the second half of every period."""
        phase: NDArray[np.intp] = np.arange(len(rows)) % CLOCK_ROWS
        return phase >= CLOCK_ROWS // 2


@dataclass(frozen=True)
class Timer:
    """Alarms between two rows of every recording: it knows where faults usually are.

    The rows are the medians of where the faults begin and end in the scored
    recordings themselves, so it cheats as well as a position can.
    """

    begin: int
    end: int
    name: str = "timer"

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return itself: it learns nothing."""
        return self

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True between its two rows."""
        row = np.arange(len(rows))
        return (self.begin <= row) & (row < self.end)


def timer_of(faults: Sequence[NDArray[np.bool_]]) -> Timer:
    """Return the timer that fits these labels, each [time]."""
    spans = [np.flatnonzero(fault) for fault in faults if fault.any()]
    if not spans:
        return Timer(0, 0)
    begin = round(float(np.median([span[0] for span in spans])))
    end = round(float(np.median([span[-1] + 1 for span in spans])))
    return Timer(begin, end)
