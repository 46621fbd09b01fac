"""Reactor physics: gases, acids, heat and loops, each against what must hold."""

from __future__ import annotations

import numpy as np
import pytest

from shared.bioprocess.cho import State as Row
from shared.bioprocess.cho_process import ChoProcess
from simulators.processes import acid_base, contamination, control, gas
from simulators.processes.control import Seen
from simulators.processes.design import AIR, BASE, FEED, GLUCOSE, Design
from simulators.processes.gas import Sparge
from simulators.processes.state import Actuators, Crossing, State
from simulators.processes.vessel import Reactor

DESIGN = Design()


def vec(*numbers: float) -> np.ndarray:
    return np.array(numbers)


LIQUID = {"feed": FEED, "base": BASE, "glucose": GLUCOSE}
REACTOR = Reactor(ChoProcess(), DESIGN)


def idle(
    *, agitation_rpm: float = 100.0, air_lpm: float = 20.0, **liquids_mlpm: float
) -> Actuators:
    gases, liquids = np.zeros((4, 1)), np.zeros((4, 1))
    gases[AIR] = air_lpm
    for name, flow in liquids_mlpm.items():
        liquids[LIQUID[name]] = flow
    return Actuators(
        agitation_rpm=vec(agitation_rpm),
        gases_lpm=gases,
        liquids_mlpm=liquids,
        jacket_degc=vec(0.0),
        heating=np.array([False]),
    )


def filled(viable: float = 0.0, volume_l: float = 1500.0) -> State:
    state = State.empty(1, ChoProcess(), DESIGN)
    state.culture[Row.VIABLE] = viable
    state.culture[Row.VOLUME] = state.volume[:] = volume_l
    state.temperature[:] = 37.0
    return state


def step(state: State, by: Actuators, seconds: float) -> tuple[State, Crossing]:
    return REACTOR.advance(state, by, {}, vec(0.0), seconds)


def after(state: State, by: Actuators, hours: float) -> State:
    for _ in range(round(hours * 60)):
        state, _ = step(state, by, 60.0)
    return state


def test_ph_balances_all_charges() -> None:
    carbon, strong = vec(5.0, 20.0, 30.0), vec(8.0, 18.0, 20.0)
    ph = acid_base.ph(carbon, strong, vec(7.0, 7.0, 7.0))
    bicarbonate = carbon - acid_base.dissolved(carbon, ph)
    rest = bicarbonate + acid_base.BUFFER_PER_PH * (ph - 7.0) - strong
    assert np.abs(rest).max() < 1e-5


def test_more_carbon_dioxide_lowers_ph_and_more_base_raises_it() -> None:
    guess = vec(7.0)
    plain = acid_base.ph(vec(20.0), vec(18.0), guess)
    assert acid_base.ph(vec(22.0), vec(18.0), guess) < plain
    assert acid_base.ph(vec(20.0), vec(20.0), guess) > plain


def test_air_saturation_at_calibration_shows_100_percent() -> None:
    degc = vec(37.0)
    air = gas.O2_IN_AIR * (1.0 - gas.VAPOUR_ATM) * gas.oxygen_solubility(degc)
    assert gas.oxygen_percent(air, degc) == pytest.approx(100.0)


def test_kla_lies_in_the_span_of_cell_culture() -> None:
    slow = gas.kla_per_h(
        vec(80.0), Sparge(vec(7.5), vec(0.0), vec(0.0)), vec(1500.0), DESIGN
    )
    fast = gas.kla_per_h(
        vec(140.0), Sparge(vec(30.0), vec(15.0), vec(0.0)), vec(1500.0), DESIGN
    )
    assert 2.0 < slow[0] < 5.0
    assert 10.0 < fast[0] < 20.0


def test_oxygen_falls_within_minutes_when_the_stirrer_stops() -> None:
    state = filled(viable=20.0)
    state.oxygen[:] = 0.08
    assert 30.0 < state.oxygen_percent[0] < 50.0
    stopped = after(state, idle(agitation_rpm=0.0, air_lpm=0.0), 4 / 60)
    assert stopped.oxygen_percent[0] < 5.0


def test_off_gas_without_its_carbon_dioxide_is_air_when_nothing_breathes() -> None:
    state = after(filled(), idle(), 6.0)
    share = state.off_o2[0] / (100.0 - state.off_co2[0])
    assert share == pytest.approx(gas.O2_IN_AIR, abs=1e-4)


def test_off_gas_tells_the_oxygen_uptake_by_a_nitrogen_balance() -> None:
    sparge = Sparge(vec(20.0), vec(5.0), vec(0.0))
    taken, given = vec(0.05), vec(0.05)
    o2, co2, flow = gas.off_gas(sparge, 10.0, taken, given)
    inert = flow * (1.0 - o2 / 100.0 - co2 / 100.0)
    assert inert == pytest.approx((1.0 - gas.O2_IN_AIR) * 30.0)
    oxygen_in = gas.O2_IN_AIR * 30.0 + 5.0
    uptake = (oxygen_in - flow * o2 / 100.0) / gas.NORMAL_L_PER_MOL
    assert uptake == pytest.approx(taken)


def test_a_warm_vessel_without_jacket_cools_towards_the_room() -> None:
    state = filled()
    for _ in range(24 * 30):
        state, _ = step(state, idle(agitation_rpm=0.0), 3600.0)
    assert state.temperature[0] == pytest.approx(DESIGN.ambient_degc, abs=0.1)


def test_base_raises_alkalinity_by_its_equivalents() -> None:
    before = filled()
    state = after(before, idle(base=50.0), 1.0)
    litres = 3.0
    assert state.delivered_l[BASE, 0] == pytest.approx(litres)
    amount = state.alkalinity * state.volume - before.alkalinity * before.volume
    assert amount[0] == pytest.approx(litres * DESIGN.base_eq_per_l * 1000.0, rel=0.01)


def test_everything_pumped_in_is_in_the_volume() -> None:
    pumped = idle(feed=30.0, base=5.0, glucose=100.0)
    state = after(filled(), pumped, 2.0)
    added = state.delivered_l[:, 0].sum() - state.evaporated_l[0]
    assert state.volume[0] == pytest.approx(1500.0 + added)
    assert 0.0 < state.evaporated_l[0] < 1.0


def seen(error: float, *, on: bool = True, manual: bool = False) -> Seen:
    return Seen(vec(error), vec(0.0), np.array([on]), np.array([manual]))


def test_a_loop_does_not_wind_up_at_its_limit() -> None:
    memory, loop = vec(50.0), control.TEMPERATURE
    for _ in range(1000):
        out, memory = control.output(loop, seen(20.0), memory, vec(0.0), 60.0)
    assert out[0] == 100.0
    out, memory = control.output(loop, seen(-3.0), memory, vec(0.0), 60.0)
    assert out[0] < 50.0


def test_a_loop_that_is_off_rests_at_zero_and_starts_from_idle() -> None:
    out, memory = control.output(
        control.TEMPERATURE, seen(5.0, on=False), vec(80.0), vec(0.0), 1.0
    )
    assert (out[0], memory[0]) == (0.0, control.TEMPERATURE.idle)


def test_errors_inside_the_deadband_move_nothing() -> None:
    out, memory = control.output(control.PH, seen(0.03), vec(4.0), vec(0.0), 60.0)
    assert (out[0], memory[0]) == (4.0, 4.0)


def test_a_loop_goes_back_to_automatic_without_a_bump() -> None:
    loop, held = control.TEMPERATURE, vec(72.0)
    out, memory = control.output(loop, seen(0.5, manual=True), vec(50.0), held, 1.0)
    assert out[0] == 72.0
    out, _ = control.output(loop, seen(0.5), memory, held, 1.0)
    assert out[0] == pytest.approx(72.0, abs=0.1)


def test_the_derivative_brakes_a_measured_value_that_rises() -> None:
    loop = control.Loop(gain=10.0, integral_s=1e9, derivative_s=30.0)
    on, manual = np.array([True]), np.array([False])
    out, _ = control.output(
        loop, Seen(vec(1.0), vec(0.01), on, manual), vec(50.0), vec(0.0), 1.0
    )
    assert out[0] == pytest.approx(50.0 + 10.0 - 10.0 * 30.0 * 0.01)


def test_bacteria_double_until_their_glucose_is_gone() -> None:
    bacteria, glucose = vec(1e-3), vec(20.0)
    hour = contamination.grow(bacteria, vec(0.7), glucose, vec(5.0), 1.0)
    assert hour.grown[0] == pytest.approx(1e-3 * np.exp(0.7 * 20 / 20.3))
    starved = contamination.grow(vec(1.0), vec(0.7), glucose, vec(0.0), 1.0)
    assert starved.oxygen[0] == 0.0
    assert 1.1 < starved.grown[0] < 1.2
    crowd = contamination.grow(vec(50.0), vec(0.7), vec(0.1), vec(5.0), 0.1)
    assert crowd.glucose[0] * 0.1 <= 0.1 + 1e-12


def test_the_oxygen_loop_uses_stirrer_then_air_then_oxygen() -> None:
    rpm, air, oxygen = control.oxygen_split(vec(0.0, 33.0, 66.0, 100.0), DESIGN)
    assert rpm.tolist() == [80.0, 140.0, 140.0, 140.0]
    assert air.tolist() == [7.5, 7.5, 30.0, 30.0]
    assert oxygen.tolist() == [0.0, 0.0, 0.0, 25.0]
