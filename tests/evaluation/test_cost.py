"""What a row costs at 50 tags, learning included, beside a plain loop over River."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from river import covariance, stats

from services.monitor.detectors.level import Levels
from services.monitor.detectors.level_voters import VOTERS
from services.monitor.detectors.mewma import HORIZONS, SPREADS
from services.monitor.detectors.mewma_limits import learned

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TAGS = tuple(f"T{i}" for i in range(50))
ROWS = 1000
REPEATS = 3


def us_per_row(see: Callable[[NDArray[np.float64]], object], rows: int = ROWS) -> float:
    """Return the least CPU time of a row over a few repeats, us."""
    random = np.random.default_rng(1)
    each = []
    for _ in range(REPEATS):
        values = random.standard_normal((rows, len(TAGS)))
        began = time.thread_time()
        for row in values:
            see(row)
        each.append(time.thread_time() - began)
    return 1e6 * min(each) / rows


class Plain:
    """The same statistics with River: a model a tag and horizon, and a precision."""

    def __init__(self) -> None:
        self.means = [[stats.EWMean(h) for h in HORIZONS] for _ in TAGS]
        self.spreads = [[stats.EWVar(s) for s in SPREADS] for _ in TAGS]
        self.precision = covariance.EmpiricalPrecision()

    def see(self, row: NDArray[np.float64]) -> None:
        values = row.tolist()
        self.precision.update(dict(zip(TAGS, values, strict=True)))
        for value, means, spreads in zip(values, self.means, self.spreads, strict=True):
            for model in (*means, *spreads):
                model.update(value)
                model.get()


def test_a_row_of_50_tags_costs_less_than_200_us_with_learning(
    record_property: Callable[[str, object], None],
) -> None:
    normal = np.random.default_rng(0).standard_normal((1000, len(TAGS)))
    together = learned(TAGS, [normal])
    levels = Levels(TAGS, normal[:400], VOTERS)
    cost = {
        "mewma": us_per_row(lambda row: together.learn(row, learning=True)),
        "levels": us_per_row(lambda row: levels.learn(row, learning=True)),
        "river": us_per_row(Plain().see, ROWS // 5),
    }
    for name, value in cost.items():
        record_property(name, value)
    print(cost)
    assert cost["mewma"] + cost["levels"] <= 200.0
    assert cost["river"] > 2.0 * cost["mewma"]
