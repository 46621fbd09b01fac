"""A chosen rate of false alarms becomes the width of a band."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from services.monitor.detectors.false_alarms import (
    FACTORS,
    LEARNED,
    PER_WINDOW,
    correlated,
    deviation,
    factor,
)
from services.monitor.detectors.models import FAST, Width, new
from shared.checks import Residual


def residual(**more: Any) -> Residual:
    settings = {"name": "gap", "terms": {"A": 1.0}, "settle_s": 14_400.0}
    return Residual.model_validate(settings | more)


def test_rarer_alarms_and_less_learned_need_wider_bands() -> None:
    assert (np.diff(FACTORS, axis=1) > 0.0).all()
    assert (np.diff(FACTORS, axis=0) < 0.0).all()
    assert FACTORS.shape == (len(LEARNED), len(PER_WINDOW))


def test_between_its_entries_the_table_is_read_evenly_and_beyond_at_its_edge() -> None:
    assert factor(LEARNED[1], PER_WINDOW[2]) == FACTORS[1, 2]
    middle = factor(round((LEARNED[0] * LEARNED[1]) ** 0.5), 1e-3)
    assert FACTORS[1, 2] < middle < FACTORS[0, 2]
    assert factor(10**6, 1e-9) == FACTORS[-1, -1]


def test_the_deviation_of_a_weighted_mean_is_what_it_scatters() -> None:
    random = np.random.default_rng(3)
    value, fast, seen = 0.0, 0.0, []
    for shock in random.standard_normal(50_000).tolist():
        value = 0.6 * value + 0.8 * shock
        fast += FAST * (value - fast)
        seen.append(fast)
    assert np.std(seen) == pytest.approx(deviation(1.0, 0.6, FAST), rel=0.03)
    assert correlated(0.5, 20) > 0.5
    assert correlated(-0.4, 1000) == 0.0
    assert correlated(1.2, 60) == 0.95


def test_a_band_is_as_wide_as_its_rate_asks_and_counts_one_side_twice() -> None:
    random = np.random.default_rng(4)
    halves = {}
    for side in ("both", "high"):
        model = new(residual(false_alarms_per_week=1.0, side=side))
        for value in random.standard_normal(480).tolist():
            model.learn(value)
        low, high = model.band()
        halves[side] = (high - low) / 2.0
    sigma = deviation(1.0, 0.0, FAST)
    assert halves["both"] == pytest.approx(factor(480, 1 / 10_080) * sigma, rel=0.15)
    assert halves["high"] < halves["both"]


def test_nothing_is_judged_before_enough_is_learned_and_the_least_band_holds() -> None:
    model = new(residual(false_alarms_per_week=1.0, band=5.0))
    for value in range(LEARNED[0] - 1):
        model.learn(float(value % 2))
    assert not model.ready
    model.learn(0.0)
    assert model.ready
    assert model.band()[1] - model.band()[0] == pytest.approx(10.0)
    model.width = Width(6.0, 0.1, per_window=1e-4)
    assert model.band()[1] - model.band()[0] < 10.0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"detector": "adwin"}, "ewma"),
        ({"lag_s": 60.0}, "ewma"),
        ({"sensitivity": 3.0}, "sensitivity"),
        ({"settle_s": 600.0}, "240 windows"),
        ({"false_alarms_per_week": 1e6}, "1e-05 to 0.01"),
    ],
)
def test_a_rate_that_cannot_be_promised_is_refused(
    more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        residual(**{"false_alarms_per_week": 1.0, **more})
