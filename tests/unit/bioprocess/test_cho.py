"""CHO-REF reproduces its check table and closes its balances."""

from __future__ import annotations

import numpy as np
import pytest

from shared.bioprocess import cho
from shared.bioprocess.cho import Environment, Parameters, State
from tests.unit.bioprocess.cho_reference import TABLE, reference_batch


@pytest.fixture(scope="module")
def batch() -> dict[int, tuple[float, ...]]:
    return reference_batch()


@pytest.mark.parametrize("day", TABLE)
def test_the_reference_batch_meets_its_check_table(
    batch: dict[int, tuple[float, ...]], day: int
) -> None:
    for text, value in zip(TABLE[day], batch[day], strict=True):
        half_digit = 0.5 * 10.0 ** -len(text.partition(".")[2])
        allowed = max(0.01 * float(text), half_digit) * (1 + 1e-9)
        assert value == pytest.approx(float(text), abs=allowed), f"day {day}: {text}"


def test_glucose_fed_is_glucose_left_plus_glucose_taken_up() -> None:
    state, p = cho.inoculated(viable=5.0), Parameters()
    around = Environment(inflow_lph=2.0, glucose_in=300.0)
    before = state[State.GLUCOSE, 0] * state[State.VOLUME, 0]
    taken = 0.0
    for _ in range(480):
        middle = cho.step(state, around, p, 0.025)
        q = cho.rates(middle, around, p).glucose * middle[State.VIABLE]
        taken += float((q * middle[State.VOLUME])[0]) * 0.05
        state = cho.step(state, around, p, 0.05)
    after = state[State.GLUCOSE, 0] * state[State.VOLUME, 0]
    fed = 2.0 * 300.0 * 480 * 0.05
    assert after - before == pytest.approx(fed - taken, abs=0.01)


def test_dilution_alone_keeps_every_amount() -> None:
    state = cho.inoculated(viable=3.0)
    around = Environment(inflow_lph=10.0)
    change = cho.derivative(state, around, Parameters(mu_max=0.0))
    volume = state[State.VOLUME, 0]
    amount = change[State.CELL_TIME] * volume + state[State.CELL_TIME] * 10.0
    assert amount[0] == pytest.approx(state[State.VIABLE, 0] * volume)
    assert change[State.VOLUME, 0] == 10.0


def test_a_bolus_adds_exactly_its_glucose_and_its_volume() -> None:
    state = cho.inoculated()
    state[State.GLUCOSE] = 12.0
    litres = cho.bolus_litres(state, 33.0, 2500.0)
    mixed = cho.with_bolus(state, litres, 2500.0)
    assert mixed[State.GLUCOSE, 0] == pytest.approx(33.0)
    amount = mixed[State.VIABLE] * mixed[State.VOLUME]
    assert amount == pytest.approx(state[State.VIABLE] * state[State.VOLUME])


def test_cultures_side_by_side_do_not_influence_each_other() -> None:
    together = cho.inoculated(viable=np.array([0.5, 4.0]), cultures=2)
    p = Parameters(mu_max=np.array([0.040, 0.036]))
    both = cho.step(together, Environment(), p, 1.0)
    for culture in range(2):
        alone = cho.step(together[:, [culture]], Environment(), p.at(culture), 1.0)
        assert alone[:, 0].tolist() == both[:, culture].tolist()


def test_an_empty_vessel_stays_without_cells() -> None:
    state = cho.inoculated(viable=0.0)
    after = cho.step(state, Environment(), Parameters(), 24.0)
    assert after[State.VIABLE, 0] == 0.0
    assert after[State.GLUCOSE, 0] == 33.0


def test_short_steps_agree_with_the_long_ones() -> None:
    p, around = Parameters(), Environment(inflow_lph=2.0, glucose_in=300.0)
    long = short = cho.inoculated(viable=5.0)
    for _ in range(30):
        now = cho.rates(short, around, p)
        short = cho.short_step(short, now, around, p, 1 / 30)
    long = cho.step(long, around, p, 1.0)
    assert short == pytest.approx(long, rel=1e-6)
