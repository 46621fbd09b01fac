"""PenSim reproduces its check table and closes its balances."""

from __future__ import annotations

import numpy as np
import pytest

from shared.bioprocess import penicillin
from shared.bioprocess.penicillin import State
from tests.unit.bioprocess.penicillin_reference import (
    FEED_LPH,
    PENSIM,
    STEP_H,
    TABLE,
    Run,
    run,
)
from tests.unit.bioprocess.surrounded import around


@pytest.fixture(scope="module")
def batch() -> Run:
    return run()


@pytest.mark.parametrize(
    ("hour", "row"), [(hour, row) for hour, rows in TABLE.items() for row in rows]
)
def test_the_reference_batch_meets_its_check_table(
    batch: Run, hour: int, row: State
) -> None:
    expected = float(TABLE[hour][row])
    assert batch.states[hour][row] == pytest.approx(expected, rel=2e-3)


def test_the_feed_begins_when_the_sugar_is_used_up(batch: Run) -> None:
    assert batch.fed_from == pytest.approx(43.98, abs=STEP_H + 0.01)
    assert batch.biomass_then == pytest.approx(6.303, rel=1e-3)


@pytest.mark.parametrize(
    ("feed_lph", "degc", "penicillin_400h"),
    [(0.03, 25.0, 1.039), (FEED_LPH, 27.0, 1.426)],
)
def test_feed_and_temperature_change_the_yield_as_published(
    feed_lph: float, degc: float, penicillin_400h: float
) -> None:
    found = run(feed_lph, degc).states[400][State.PENICILLIN]
    assert found == pytest.approx(penicillin_400h, rel=2e-3)


def test_sugar_fed_is_sugar_left_plus_sugar_used(batch: Run) -> None:
    last = batch.states[400]
    start = penicillin.inoculated()[:, 0]
    left = last[State.SUGAR] * last[State.VOLUME]
    began = start[State.SUGAR] * start[State.VOLUME]
    assert batch.sugar_used == pytest.approx(batch.sugar_fed + began - left, rel=1e-3)


def test_without_oxygen_there_is_neither_growth_nor_penicillin() -> None:
    state = penicillin.inoculated(biomass=5.0)
    p = penicillin.Parameters()
    choked = penicillin.rates(state, 25.0, 5.0, 0.0, p)
    free = penicillin.rates(state, 25.0, 5.0, 90.0, p)
    assert choked.growth[0] == 0.0
    assert choked.penicillin[0] == 0.0
    assert choked.oxygen[0] == 0.0
    assert free.growth[0] > 0.05


def test_a_factor_changes_one_constant_in_one_culture() -> None:
    state = penicillin.inoculated(biomass=5.0, cultures=2)
    state[State.SUGAR] = 0.01
    halved = {"productivity": np.array([1.0, 0.5])}
    surroundings = around(PENSIM, 25.0, 5.0, 90.0, cultures=2)
    after, _ = PENSIM.advance(state, surroundings, halved, 0.1)
    made = after[State.PENICILLIN]
    assert made[1] == pytest.approx(0.5 * made[0], rel=1e-3)
    assert after[State.BIOMASS, 0] == pytest.approx(after[State.BIOMASS, 1], rel=1e-4)


def test_the_laboratory_finds_what_is_in_the_broth() -> None:
    state = penicillin.inoculated(biomass=5.0)
    assert PENSIM.assays(state)["dry_mass"].tolist() == [5.0]
    assert PENSIM.assays(state)["titer"].tolist() == [0.0]
    assert PENSIM.biomass(state).turbidity[0] > 0.0
    assert PENSIM.strong_ions(state)[0] < 0.0
