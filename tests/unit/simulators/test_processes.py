"""Reactor physics: gases, acids, heat and loops, each against what must hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from shared.bioprocess.cho import Parameters, State
from simulators.processes import acid_base, control, gas, vessel
from simulators.processes.design import Design
from simulators.processes.gas import Sparge
from simulators.processes.vessel import Actuators

DESIGN = Design()


def vec(*numbers: float) -> np.ndarray:
    return np.array(numbers)


def idle(**changes: float) -> Actuators:
    fields = {f.name: vec(0.0) for f in dataclasses.fields(Actuators)}
    fields["heating"] = np.array([False])
    fields["agitation_rpm"] = vec(100.0)
    fields["air_lpm"] = vec(20.0)
    for name, value in changes.items():
        fields[name] = np.array([bool(value)]) if name == "heating" else vec(value)
    return Actuators(**fields)


def filled(viable: float = 0.0, volume_l: float = 1500.0) -> vessel.State:
    state = vessel.State.empty(1, DESIGN)
    state.culture[State.VIABLE] = viable
    state.culture[State.VOLUME] = volume_l
    state.temperature[:] = 37.0
    return state


def after(state: vessel.State, by: Actuators, hours: float) -> vessel.State:
    for _ in range(round(hours * 60)):
        state = vessel.advance(state, by, Parameters(), DESIGN, 60.0)
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
        state = vessel.advance(
            state, idle(agitation_rpm=0.0), Parameters(), DESIGN, 3600.0
        )
    assert state.temperature[0] == pytest.approx(DESIGN.ambient_degc, abs=0.1)


def test_base_raises_alkalinity_by_its_equivalents() -> None:
    before = filled()
    state = after(before, idle(base_mlpm=50.0), 1.0)
    litres = 3.0
    assert state.base_l[0] == pytest.approx(litres)
    amount = state.alkalinity * state.volume - before.alkalinity * before.volume
    assert amount[0] == pytest.approx(litres * DESIGN.base_eq_per_l * 1000.0, rel=0.01)


def test_everything_pumped_in_is_in_the_volume() -> None:
    pumped = idle(feed_mlpm=30.0, base_mlpm=5.0, glucose_mlpm=100.0)
    state = after(filled(), pumped, 2.0)
    totals = state.feed_l + state.base_l + state.glucose_l
    assert state.volume[0] == pytest.approx(1500.0 + totals[0])


def test_a_loop_does_not_wind_up_at_its_limit() -> None:
    memory, on = vec(50.0), np.array([True])
    for _ in range(1000):
        out, memory = control.output(control.TEMPERATURE, vec(20.0), memory, on, 60.0)
    assert out[0] == 100.0
    out, memory = control.output(control.TEMPERATURE, vec(-3.0), memory, on, 60.0)
    assert out[0] < 50.0


def test_a_loop_that_is_off_rests_at_zero_and_starts_from_idle() -> None:
    off = np.array([False])
    out, memory = control.output(control.TEMPERATURE, vec(5.0), vec(80.0), off, 1.0)
    assert (out[0], memory[0]) == (0.0, control.TEMPERATURE.idle)


def test_errors_inside_the_deadband_move_nothing() -> None:
    out, memory = control.output(
        control.PH, vec(0.03), vec(4.0), np.array([True]), 60.0
    )
    assert (out[0], memory[0]) == (4.0, 4.0)


def test_the_oxygen_loop_uses_stirrer_then_air_then_oxygen() -> None:
    rpm, air, oxygen = control.oxygen_split(vec(0.0, 33.0, 66.0, 100.0), DESIGN)
    assert rpm.tolist() == [80.0, 140.0, 140.0, 140.0]
    assert air.tolist() == [7.5, 7.5, 30.0, 30.0]
    assert oxygen.tolist() == [0.0, 0.0, 0.0, 25.0]
