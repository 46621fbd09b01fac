"""Recipe and batches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from shared.bioprocess.cho_process import ChoProcess
from simulators.recipes import Batch, Phase, Recipe, degc_late, next_turn

RECIPE = Recipe()
SPREAD = ChoProcess.spread


@pytest.mark.parametrize(
    ("culture_h", "phase"),
    [
        (-13.0, Phase.PREPARE),
        (-0.5, Phase.INOCULATE),
        (0.0, Phase.GROWTH),
        (71.99, Phase.GROWTH),
        (72.0, Phase.FEED),
        (120.0, Phase.TEMPERATURE_SHIFT),
        (124.0, Phase.PRODUCTION),
        (336.0, Phase.HARVEST),
        (344.0, Phase.CLEAN),
    ],
)
def test_a_phase_begins_at_its_culture_hour(culture_h: float, phase: Phase) -> None:
    assert RECIPE.phase(culture_h + RECIPE.before_culture_h) is phase


def test_feed_runs_from_the_feed_phase_until_harvest() -> None:
    before = RECIPE.before_culture_h
    assert RECIPE.setpoints(before + 71.0).feed_mlpm == 0.0
    assert RECIPE.setpoints(before + 72.0).feed_mlpm == pytest.approx(31.25)
    assert RECIPE.setpoints(before + 336.0).feed_mlpm == 0.0


@pytest.mark.parametrize(
    ("culture_h", "late_h", "degc"),
    [
        (119.0, 24.0, 0.0),
        (120.5, 24.0, 4.0),
        (143.5, 24.0, 4.0),
        (144.5, 24.0, 0.0),
        (96.5, -24.0, -4.0),
        (95.5, -24.0, 0.0),
        (120.5, -24.0, 0.0),
        (335.0, -24.0, 0.0),
        (337.0, 24.0, 0.0),
        (-1.0, 24.0, 0.0),
    ],
)
def test_a_shift_of_temperature_that_is_late_or_early(
    culture_h: float, late_h: float, degc: float
) -> None:
    hours = RECIPE.before_culture_h + culture_h
    assert degc_late(RECIPE, hours, late_h) == degc


def test_loops_rest_while_the_vessel_is_cleaned() -> None:
    cleaning = RECIPE.setpoints(RECIPE.cycle_h - 1.0)
    assert not cleaning.warm
    assert not cleaning.breathe


def test_a_batch_is_named_after_the_year_it_started_in() -> None:
    last_second_of_2026 = 1_798_761_599_000_000
    assert Batch(7, last_second_of_2026).id == "CHO-2026-0007"
    assert Batch(8, last_second_of_2026 + 1_000_000).id == "CHO-2027-0008"


def test_batches_vary_by_seed_and_number_as_much_as_documented() -> None:
    factors = [Batch(n, 0).factors(1, SPREAD) for n in range(400)]
    assert Batch(3, 0).factors(1, SPREAD) == factors[3]
    assert Batch(3, 0).factors(2, SPREAD) != factors[3]
    for name, sigma in SPREAD.items():
        drawn = np.log([f[name] for f in factors])
        assert drawn.std() == pytest.approx(sigma, rel=0.15)
        assert abs(drawn.mean()) < 0.02


def test_a_batch_is_looked_at_at_every_phase_and_every_day() -> None:
    turns, before = RECIPE.turns(), RECIPE.before_culture_h
    assert list(turns) == sorted(set(turns))
    assert {before + 24.0 * day for day in range(15)} <= set(turns)
    assert next_turn(turns, before + 71.0) == before + 72.0
    assert next_turn(turns, before + 72.0) == before + 96.0
    assert next_turn(turns, RECIPE.cycle_h) == RECIPE.cycle_h
    for one, other in pairwise(turns):
        middle = (one + other) / 2.0
        assert RECIPE.setpoints(one) == RECIPE.setpoints(middle)
