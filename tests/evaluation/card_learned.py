"""Cards of the checks that learn: residuals by each of their detectors, samples."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.residual import Phase
from services.monitor.detectors.sampled import WINDOW_STEPS, Compared, SampledCheck
from services.monitor.history import STEP_US, Step
from shared.checks import Residual, SampleCheck
from tests.evaluation.calibration import Noise
from tests.evaluation.card import DAY_S, Card
from tests.evaluation.card_runs import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Measure = Callable[[], Card]

TAGS = 30
EVERY_S = 300
LEARN = 288
"""Windows learned from: a day."""
QUIET = 4 * 2016
"""Windows judged without a change: four weeks of each replicate."""
AFTER = 600
"""Windows after a change."""
DAYS = 400
_DAY_US = 86_400_000_000
SIZES = (1.0, 2.0, 4.0, 8.0)
SETTINGS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("residual, ewma", "1 false alarm a week", {"false_alarms_per_week": 1.0}),
    ("residual, ewma", "0.1 false alarms a week", {"false_alarms_per_week": 0.1}),
    ("residual, ewma", "6 deviations", {}),
    ("residual, adwin", "6 deviations", {"detector": "adwin"}),
    ("residual, page-hinkley", "6 deviations", {"detector": "page-hinkley"}),
    ("residual, upper-quantile", "6 deviations", {"detector": "upper-quantile"}),
)


def of_learned() -> Iterator[tuple[str, Measure]]:
    """Yield detectors with what measures their cards."""
    for detector, setting, more in SETTINGS:
        yield detector, partial(_residual, detector, setting, more)
    yield "sampled", _samples


def averages(seed: int, rows: int, tags: int = TAGS) -> NDArray[np.float64]:
    """Return averages of instruments over windows, in their own deviations."""
    random = np.random.default_rng([seed, rows])
    values = np.array(list(Noise(EVERY_S).windows(random, tags, rows)))
    return np.asarray(values / values.std(), float)


def _samples() -> Card:
    settings = SampleCheck(name="s", sample="s", online="i", scatter=1.0, band=1.0)
    random = np.random.default_rng(32)
    began = time.process_time()
    quiet = sum(
        len(_compared(random.standard_normal(DAYS), settings)) for _ in range(TAGS)
    )
    cost = 1e6 * (time.process_time() - began) / (TAGS * DAYS)
    delays: dict[float, list[float]] = {2.0: [], 4.0: [], 6.0: []}
    for size, delay in delays.items():
        for _ in range(TAGS):
            apart = random.standard_normal(60)
            apart[20:] += size
            found = [
                t - 20 * DAY_S for t in _compared(apart, settings) if t >= 20 * DAY_S
            ]
            delay.append(min(found, default=np.inf))
    return Card(
        "sampled", "4.5 standard errors and at least 1 deviation; daily samples",
        TAGS * DAYS * DAY_S, quiet, "steps, in deviations of a sample", delays, cost,
        rows=True,
    )  # fmt: skip


def _compared(apart: NDArray[np.float64], settings: SampleCheck) -> list[float]:
    """Return when alarms begin, s, for daily samples so far from the instrument."""
    compared = Compared(SampledCheck(0, 0, 1, settings))
    phase, found = Phase(None, 0), []
    one, none = np.array([1, 1]), np.array([0, 0])
    for day, value in enumerate(apart.tolist()):
        drawn = day * _DAY_US
        compared.draw(drawn, -value)
        for after in (0, WINDOW_STEPS):
            step = Step(drawn // STEP_US + after, np.zeros(2), one, none)
            found += [e.time / 1e6 for e in compared.take(step, phase) if e.on]
    return found


def check(name: str, more: dict[str, Any]) -> Residual:
    return Residual(
        name=name, terms={name: 1.0}, every_s=EVERY_S, settle_s=LEARN * EVERY_S,
        on_delay_s=0, **more,
    )  # fmt: skip


def _residual(detector: str, setting: str, more: dict[str, Any]) -> Card:
    make = partial(check, more=more)
    quiet = watched(averages(30, LEARN + QUIET), EVERY_S, residual=make)
    delays = {}
    for size in SIZES:
        values = averages(31, LEARN + 300 + AFTER)
        values[LEARN + 300 :] += size
        found = watched(values, EVERY_S, residual=make)
        delays[size] = found.delays((LEARN + 300) * EVERY_S)
    return Card(
        detector, f"{setting}; a day of 5 min averages learned",
        float(QUIET * EVERY_S * TAGS), quiet.count,
        "steps, in deviations of an average", delays, quiet.cpu_us, rows=True,
    )  # fmt: skip
