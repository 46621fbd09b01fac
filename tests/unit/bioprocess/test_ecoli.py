"""E. coli reproduces its check table, overflows, and closes its balances."""

from __future__ import annotations

import numpy as np
import pytest

from shared.bioprocess import ecoli
from shared.bioprocess.ecoli import State
from tests.unit.bioprocess.ecoli_reference import ECOLI, STEP_H, TABLE, Run, run
from tests.unit.bioprocess.surrounded import around


@pytest.fixture(scope="module")
def batch() -> Run:
    return run(9.5)


@pytest.fixture(scope="module")
def overfed() -> Run:
    return run(16.0, mu_feed=0.222)


@pytest.mark.parametrize("hour", TABLE)
@pytest.mark.parametrize("row", [State.BIOMASS, State.SUGAR, State.ACETATE])
def test_the_reference_batch_meets_its_check_table(
    batch: Run, hour: int, row: State
) -> None:
    expected = float(TABLE[hour][0][row])
    assert batch.rows[hour][0][row] == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("hour", TABLE)
def test_oxygen_falls_as_in_the_check_table(batch: Run, hour: int) -> None:
    assert batch.rows[hour][1] == pytest.approx(float(TABLE[hour][1]), rel=5e-3)


def test_the_sugar_is_used_up_when_the_check_table_says(batch: Run) -> None:
    state, _ = batch.rows[round(batch.used_up, 6)]
    assert batch.used_up == pytest.approx(9.139, abs=2 * STEP_H)
    assert state[State.BIOMASS] == pytest.approx(2.812, rel=5e-3)
    assert state[State.ACETATE] == pytest.approx(0.238, rel=1e-2)


def test_an_exponential_feed_meets_the_limit_of_oxygen_and_then_overflows(
    overfed: Run,
) -> None:
    choked = next(n for n, oxygen in enumerate(overfed.oxygen) if oxygen < 1.0)
    assert overfed.hours[choked] - overfed.used_up == pytest.approx(4.0, abs=0.5)
    assert overfed.states[choked][State.BIOMASS] == pytest.approx(7.1, rel=0.05)
    assert overfed.states[-1][State.SUGAR] > 3 * overfed.states[choked][State.SUGAR]
    assert overfed.states[-1][State.ACETATE] > overfed.states[choked][State.ACETATE]


def test_carbon_fed_is_carbon_of_cells_acetate_sugar_and_gas(overfed: Run) -> None:
    def carbon(state: np.ndarray) -> float:
        content = (
            0.488 * state[State.BIOMASS]
            + 0.391 * state[State.SUGAR]
            + 0.400 * state[State.ACETATE]
        )
        return float(content * state[State.VOLUME])

    began = carbon(ecoli.inoculated()[:, 0])
    ended = carbon(overfed.states[-1]) + overfed.gas_carbon
    assert ended == pytest.approx(began + overfed.sugar_carbon, rel=1e-3)


def test_acetate_is_taken_up_when_the_sugar_is_gone(batch: Run) -> None:
    at = batch.hours.index(min(batch.hours, key=lambda h: abs(h - batch.used_up)))
    assert batch.states[-1][State.ACETATE] < batch.states[at][State.ACETATE]


def test_scarce_sugar_is_taken_up_in_small_inner_steps_without_going_negative() -> None:
    state = ecoli.inoculated(biomass=30.0)
    state[State.SUGAR] = 0.02
    fed = around(ECOLI, oxygen_percent=30.0, feed_lph=0.1)
    assert ecoli.inner_steps(state, ecoli.Parameters(), 1 / 30) > 10
    assert ecoli.inner_steps(state, ecoli.Parameters(), 1 / 3600) == 1
    coarse, _ = ECOLI.advance(state, fed, {}, 1 / 30)
    fine = state
    for _ in range(200):
        fine, _ = ECOLI.advance(fine, fed, {}, 1 / 6000)
    assert coarse[State.SUGAR, 0] > 0.0
    assert coarse == pytest.approx(fine, rel=2e-2)


def test_growth_and_acetate_acidify() -> None:
    state = ecoli.inoculated(biomass=5.0)
    assert ECOLI.strong_ions(state)[0] == pytest.approx(-47.5 - 0.22, abs=0.01)


def test_a_factor_changes_one_constant_in_one_culture() -> None:
    state = ecoli.inoculated(biomass=5.0, cultures=2)
    slower = {"sugar_uptake_max": np.array([1.0, 0.5])}
    after, _ = ECOLI.advance(
        state, around(ECOLI, oxygen_percent=40.0, cultures=2), slower, 0.05
    )
    used = state[State.SUGAR] - after[State.SUGAR]
    assert used[1] == pytest.approx(0.5 * used[0], rel=0.03)
