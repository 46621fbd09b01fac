"""PenSim reproduces its check table and closes its balances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from shared.bioprocess import penicillin
from shared.bioprocess.penicillin import SATURATION, PenicillinProcess, State
from shared.bioprocess.process import Process
from tests.unit.bioprocess.surrounded import around

PENSIM: Process = PenicillinProcess()
STEP_H = 0.05
FEED_LPH = 0.042
KLA = 70.0 * np.sqrt(8.6) * 30.0**0.4
"""Of 8.6 L/h of air and 30 W, times the volume to 0.4."""
TABLE = {
    100: {State.BIOMASS: "9.336", State.PENICILLIN: "0.5007", State.VOLUME: "99.87"},
    200: {State.BIOMASS: "11.793", State.PENICILLIN: "1.0406"},
    300: {State.BIOMASS: "12.390", State.PENICILLIN: "1.3600"},
    400: {
        State.BIOMASS: "12.4405", State.PENICILLIN: "1.4090",
        State.SUGAR: "0.00294", State.VOLUME: "104.79",
    },
}  # fmt: skip


@dataclass
class Run:
    states: dict[int, np.ndarray]
    fed_from: float
    biomass_then: float
    sugar_fed: float
    sugar_used: float


def dissolved(state: np.ndarray, uptake: float) -> float:
    """Return oxygen that aeration holds against the uptake, % of saturation."""
    kla = KLA / state[State.VOLUME, 0] ** 0.4
    return float(100.0 * (1.0 - uptake / kla / SATURATION))


def run(feed_lph: float = FEED_LPH, degc: float = 25.0, hours: float = 400.0) -> Run:
    state, oxygen = penicillin.inoculated(), 100.0
    found = Run({}, 0.0, 0.0, 0.0, 0.0)
    p = penicillin.Parameters()
    for number in range(round(hours / STEP_H)):
        if not found.fed_from and state[State.SUGAR, 0] < 0.3:
            found.fed_from = number * STEP_H
            found.biomass_then = float(state[State.BIOMASS, 0])
        fed = feed_lph if found.fed_from else 0.0
        loss = float(penicillin.evaporation_lph(float(state[State.VOLUME, 0]), degc))
        surroundings = around(PENSIM, degc, 5.0, oxygen, fed, loss)
        before = state
        state, exchange = PENSIM.advance(state, surroundings, {}, STEP_H)
        middle = 0.5 * (before + state)
        q = penicillin.rates(middle, degc, 5.0, oxygen, p)
        used = q.sugar * middle[State.BIOMASS] * middle[State.VOLUME] * STEP_H
        found.sugar_fed += fed * 600.0 * STEP_H
        found.sugar_used += float(used[0])
        oxygen = dissolved(state, float(exchange.oxygen[0]))
        hour = (number + 1) * STEP_H
        if abs(hour - round(hour)) < 1e-6 and round(hour) in TABLE:
            found.states[round(hour)] = state[:, 0]
    return found


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
