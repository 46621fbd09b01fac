"""Cards of detectors of several tags at once, by rows: levels, MEWMA, batch course."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.detectors.level import Levels
from services.monitor.detectors.level_voters import VOTERS
from services.monitor.detectors.mewma_limits import learned
from services.monitor.detectors.mewma_rare import learned_rare
from services.monitor.detectors.residual import OFF
from services.monitor.detectors.trajectory import learned_batches
from tests.evaluation.calibration import Noise
from tests.evaluation.card import WEEK_S, Card

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from services.monitor.detectors.vector import VectorDetector

    Measure = Callable[[], Card]
    Make = Callable[[NDArray[np.float64]], VectorDetector]

TAGS = tuple(f"T{i}" for i in range(10))
LEARN, QUIET, REPEATS = 600, 4000, 20
ROW_S = 300.0
"""Of vector checks; other rows have no length of their own."""
AFTER = 200
SIZES = (1.0, 2.0, 4.0, 8.0)
BATCHES = 12
"""Normal batches, as long as `LEARN` each."""


def of_rows() -> Iterator[tuple[str, Measure]]:
    """Yield detectors with what measures their cards."""
    for detector, setting, make in (
        ("level", "the votes that ship; 600 rows learned", _levels),
        ("MEWMA", "1 % of rows; 600 rows learned", _mewma),
        ("batch course", "0.75 % of rows; 12 batches of 600 rows", _course),
    ):
        yield detector, partial(_card, detector, setting, make)
    yield (
        "vector",
        partial(
            _card,
            "vector",
            "1 false alarm a week; 600 rows of 5 min learned",
            _rare,
            ROW_S,
        ),
    )


def _levels(normal: NDArray[np.float64]) -> VectorDetector:
    return Levels(TAGS, normal[-LEARN:], VOTERS)


def _mewma(normal: NDArray[np.float64]) -> VectorDetector:
    return learned(TAGS, [normal[-LEARN:]])


def _rare(normal: NDArray[np.float64]) -> VectorDetector:
    return learned_rare(TAGS, normal[-LEARN:], ROW_S / WEEK_S)


def _course(normal: NDArray[np.float64]) -> VectorDetector:
    return learned_batches(TAGS, list(normal.reshape(BATCHES, LEARN, len(TAGS))))


def rows_of(seed: int, rows: int) -> NDArray[np.float64]:
    """Return averages over 5 min of ten instruments that share half their variance."""
    random = np.random.default_rng([seed, rows])
    own = np.array(list(Noise(300).windows(random, len(TAGS) + 1, rows)))
    return np.asarray((own[:, 1:] + own[:, :1]) / (own.std() * 2.0**0.5), float)


def _card(detector: str, setting: str, make: Make, row_s: float = 0.0) -> Card:
    false, spent = 0, 0.0
    delays: dict[float, list[float]] = {size: [] for size in SIZES}
    for repeat in range(REPEATS):
        learner = make(rows_of(40 + repeat, BATCHES * LEARN))
        began = time.process_time()
        false += len(begun(learner, rows_of(60 + repeat, QUIET)))
        spent += time.process_time() - began
        for size in SIZES:
            learner = make(rows_of(40 + repeat, BATCHES * LEARN))
            changed = rows_of(80 + repeat, 100 + AFTER)
            changed[100:, 3] += size
            found = [row - 100 for row in begun(learner, changed) if row >= 100]
            delays[size].append(float(min(found, default=np.inf)))
    judged = REPEATS * (QUIET)
    return Card(
        detector, f"{setting}, 10 tags", judged * (row_s or 1.0), false,
        "steps of one tag, in its deviations",
        {s: [(row_s or 1.0) * row for row in rows] for s, rows in delays.items()},
        1e6 * spent / judged, rows=True, timeless=not row_s,
    )  # fmt: skip


def begun(detector: VectorDetector, rows: NDArray[np.float64]) -> list[int]:
    """Return the rows in which alarms begin; one ends below 0.8 of the limit."""
    on, found = False, []
    for number, row in enumerate(rows):
        score = detector.learn(row, learning=True)
        if score >= 1.0 and not on:
            found.append(number)
        on = score >= (OFF if on else 1.0)
    return found
