"""How well a chosen rate of false alarms is met, on seeds and windows of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.monitor.detectors.false_alarms import factor
from shared.checks import WEEK_S
from tests.evaluation.calibration import RUNS, Noise, false_alarms

SEED = 1_000
"""Not that of the table."""
ASKED = ((60, 240), (60, 1440), (300, 288), (300, 864), (1800, 336))
"""Seconds of a window, and windows learned from."""
PER_WEEK = (0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Met:
    """What was asked for and what came."""

    window_s: int
    learned: int
    asked: float
    """False alarms a week."""
    measured: float

    @property
    def ratio(self) -> float:
        """Measured over asked."""
        return self.measured / self.asked


def met() -> list[Met]:
    """Return what came of each rate."""
    return [m for asked in ASKED for m in of_window(*asked, RUNS)]


def of_window(window_s: int, learned: int, runs: int) -> list[Met]:
    """Return what came of each rate, over so many bands."""
    per_week = WEEK_S / window_s
    widths = np.array([factor(learned, asked / per_week) for asked in PER_WEEK])
    seen = false_alarms(Noise(window_s), learned, SEED, widths, runs) * per_week
    return [
        Met(window_s, learned, asked, float(rate))
        for asked, rate in zip(PER_WEEK, seen, strict=True)
    ]


def as_table(rates: list[Met]) -> str:
    """Return the table of the page."""
    head = "| window | learned from | asked, a week | measured | measured / asked |"
    lines = [
        f"| {m.window_s} s | {m.learned} windows | {m.asked:g} | {m.measured:.2f} | "
        f"{m.ratio:.2f} |"
        for m in rates
    ]
    return "\n".join([head, "|---|---|---|---|---|", *lines])
