"""The oracle of IndPenSim's ramps knows the fault, and nothing else alarms it."""

from __future__ import annotations

import numpy as np

from tests.evaluation.ramps import ONSET, ROW_H, Ramp, oracle_delays


def test_a_known_ramp_is_found_the_sooner_the_larger_it_is() -> None:
    random = np.random.default_rng(1)
    normal = list(random.standard_normal((12, 900)))
    delays = {}
    for size in (2.0, 8.0):
        ramp = Ramp("T", size, "")
        faulty = [row + ramp.shape(900) for row in random.standard_normal((4, 900))]
        delays[size] = float(np.median(oracle_delays(normal, faulty, ramp)))
    assert 0.0 < delays[8.0] < delays[2.0] < (900 - ONSET) * ROW_H
    quiet = list(random.standard_normal((4, 900)))
    assert np.isinf(oracle_delays(normal, quiet, Ramp("T", 2.0, ""))).mean() >= 0.5
