"""Feed strategies: what each gives, and when."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.feeding import MLPM_PER_LPD, Feeding, Strategy, flow_mlpm

HOURS = np.array([-1.0, 0.0, 0.5, 10.0, 24.2, 30.0])
LOW, SETPOINT = np.full(6, 38.0), np.full(6, 40.0)
FIXED = 45.0 * MLPM_PER_LPD


def test_a_fixed_feed_flows_from_its_start_on() -> None:
    flow = flow_mlpm(Feeding(), HOURS, LOW, SETPOINT)
    assert flow.tolist() == pytest.approx([0.0, *[FIXED] * 5])


def test_an_exponential_feed_doubles_with_the_cells_up_to_its_limit() -> None:
    feeding = Feeding(Strategy.EXPONENTIAL, rate_per_h=np.log(2) / 10, most_lpd=100.0)
    flow = flow_mlpm(feeding, HOURS, LOW, SETPOINT)
    assert flow[1] == pytest.approx(FIXED)
    assert flow[3] == pytest.approx(2 * FIXED)
    assert flow[5] == pytest.approx(100.0 * MLPM_PER_LPD)


def test_a_bolus_feed_gives_the_day_in_an_hour() -> None:
    flow = flow_mlpm(Feeding(Strategy.BOLUS, most_lpd=2000.0), HOURS, LOW, SETPOINT)
    assert flow.tolist() == pytest.approx(
        [0.0, 24 * FIXED, 24 * FIXED, 0.0, 24 * FIXED, 0.0]
    )


def test_an_oxygen_stat_feeds_when_oxygen_rises_because_food_is_gone() -> None:
    oxygen = np.array([60.0, 60.0, 49.0, 51.0, 40.0, 100.0])
    flow = flow_mlpm(Feeding(Strategy.OXYGEN_STAT), HOURS, oxygen, SETPOINT)
    assert (flow > 0.0).tolist() == [False, True, False, True, False, True]
