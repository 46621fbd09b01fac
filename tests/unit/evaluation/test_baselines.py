"""The published methods do what their sources say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.monitor.evaluation.charts import CHARTS
from services.monitor.evaluation.methods import answered
from services.monitor.evaluation.projections import PROJECTIONS, lagged
from services.monitor.evaluation.recording import Question, Recording
from services.monitor.evaluation.scaling import Scale, halves, smoothed
from services.monitor.evaluation.stock import STOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.monitor.evaluation.methods import Method

BASELINES: tuple[Method, ...] = (*CHARTS, *PROJECTIONS, *STOCK)
TAGS = 6


def normal(seed: int, rows: int) -> NDArray[np.float64]:
    """Return tags that move together, in units of their own."""
    random = np.random.default_rng(seed)
    hidden = random.standard_normal((rows, 2))
    mixed = hidden @ random.standard_normal((2, TAGS))
    return 50.0 + mixed + 0.3 * random.standard_normal((rows, TAGS))


@pytest.mark.parametrize("method", BASELINES, ids=lambda m: m.name)
def test_a_baseline_sees_a_large_step_and_few_normal_rows(method: Method) -> None:
    whole = normal(1, 1000)
    faulty = whole[700:].copy()
    faulty[150:] += 15.0
    recording = Recording("f", "all", faulty, np.arange(300) >= 150)
    (answer,) = answered(method, [Question((whole[:700],), (recording,))])
    before, after = answer.alarm[:150].mean(), answer.alarm[150:].mean()
    assert before < (0.5 if method in STOCK else 0.1)
    assert after > max(before, 0.3)


@pytest.mark.parametrize("method", BASELINES, ids=lambda m: m.name)
def test_a_baseline_never_looks_ahead(method: Method) -> None:
    learned = method.learn([normal(1, 300)])
    rows = normal(2, 120)
    changed = rows.copy()
    changed[60:] += 40.0
    np.testing.assert_array_equal(
        learned.alarms(rows)[:60], learned.alarms(changed)[:60]
    )


def test_cusum_and_ewma_by_hand() -> None:
    _, ewma, cusum = CHARTS
    z = np.array([[1.5], [1.5], [-3.0], [1.0]])
    # up: 1, 2, 0, 0.5; down: 0, 0, 2.5, 1
    np.testing.assert_allclose(cusum.statistic(z)[:, 0], [1.0, 2.0, 2.5, 1.0])
    # 0.2 of the newest, 0.8 of the mean before
    np.testing.assert_allclose(
        ewma.statistic(z)[:, 0], np.abs([0.3, 0.54, -0.168, 0.0656])
    )
    np.testing.assert_allclose(smoothed(z, 1.0), z)


def test_a_scale_leaves_out_what_never_moved_and_fills_what_is_missing() -> None:
    rows = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan], [np.nan, 5.0, np.nan]])
    scale = Scale(rows)
    out = scale.standard(np.array([[4.0, 9.0, 1.0], [np.nan, 5.0, 1.0]]))
    np.testing.assert_allclose(out, [[2.0 / np.sqrt(2.0), 0.0, 0.0], [0.0, 0.0, 0.0]])


def test_rows_beside_their_past_and_the_limit_on_other_rows() -> None:
    rows = np.arange(4.0)[:, np.newaxis]
    np.testing.assert_array_equal(
        lagged(rows, 2), [[0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 2, 1]]
    )
    model, others = halves([np.zeros((10, 1))])
    assert (len(model), len(others[0])) == (6, 4)
    model, others = halves([np.zeros((10, 1)), np.ones((5, 1))])
    assert (len(model), len(others[0])) == (10, 5)
