"""A step or a ramp in a handful of noisy values."""

from __future__ import annotations

import numpy as np
import pytest

from services.monitor.detectors.departure import departure

DAY_US = 86_400_000_000
SIGMA = 0.01
BATCHES = 100
DAYS = 14


def test_a_step_is_named_with_its_size_and_the_value_before_it() -> None:
    times = np.arange(6) * DAY_US
    found = departure(times, np.array([0.0, 0, 0, 1, 1, 1]), 2, SIGMA)
    assert found is not None
    assert found.since == times[2]
    assert found.amount == pytest.approx(1.0)
    # (1 - 1/2)^2 * 6 = 1.5: the energy of a step in the middle of six values
    assert found.errors == pytest.approx(1.5**0.5 / SIGMA)


def test_a_ramp_is_named_with_what_it_reached() -> None:
    times = np.array([0, 1, 2, 4]) * DAY_US
    found = departure(times, np.array([0.5, 0.5, 0.4, 0.2]), 2, SIGMA)
    assert found is not None
    assert found.since == times[1]
    assert found.amount == pytest.approx(-0.3)


def test_too_few_values_say_nothing() -> None:
    times = np.arange(2) * DAY_US
    assert departure(times, np.array([0.0, 9.0]), 2, SIGMA) is None


def test_a_constant_is_no_departure() -> None:
    found = departure(np.arange(5) * DAY_US, np.full(5, 7.0), 2, SIGMA)
    assert found is not None
    assert found.errors == pytest.approx(0.0, abs=1e-9)


def test_noise_rarely_looks_like_a_departure() -> None:
    """3.3 standard errors are passed in 2 of 100 batches of daily samples."""
    chance = np.random.default_rng(5)
    times = np.arange(DAYS) * DAY_US
    alarms = 0
    for values in chance.normal(0.0, SIGMA, (BATCHES, DAYS)):
        found = [departure(times[:n], values[:n], 2, SIGMA) for n in range(3, DAYS + 1)]
        alarms += any(each is not None and each.errors > 3.3 for each in found)
    assert 1 <= alarms <= 4
