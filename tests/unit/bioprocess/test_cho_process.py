"""CHO-REF behind the protocol of processes does what its kinetics say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.bioprocess import cho
from shared.bioprocess.cho import Environment, Parameters, State
from shared.bioprocess.cho_process import ChoProcess
from shared.bioprocess.process import Surroundings

if TYPE_CHECKING:
    from shared.bioprocess.process import Process

CHO: Process = ChoProcess()


def around(
    cultures: int, *, feed_lph: float = 0.0, evaporation_lph: float = 0.0
) -> Surroundings:
    ones = np.ones(cultures)
    entering = np.zeros((len(CHO.quantities), cultures))
    entering[State.GLUCOSE] = feed_lph * CHO.liquids["feed"][State.GLUCOSE]
    return Surroundings(
        temperature_degc=37.0 * ones,
        ph=7.0 * ones,
        oxygen_percent=40.0 * ones,
        agitation_rpm=100.0 * ones,
        carbon_dioxide_mmhg=50.0 * ones,
        inflow_lph=feed_lph * ones,
        outflow_lph=evaporation_lph * ones,
        entering=entering,
        hours=0.0 * ones,
    )


def test_a_process_advances_as_its_kinetics_do() -> None:
    state = cho.inoculated(viable=8.0, cultures=2)
    plain = Environment(inflow_lph=1.9, glucose_in=300.0)
    wanted = cho.step(state, plain, Parameters(), 1 / 30)
    found, exchange = CHO.advance(state, around(2, feed_lph=1.9), {}, 1 / 30)
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    assert exchange.oxygen == pytest.approx(8.0 * 0.24 * (0.6 + 10 * 0.036), rel=0.05)


def test_a_factor_changes_one_constant_in_one_culture() -> None:
    state = cho.inoculated(viable=8.0, cultures=2)
    following, _ = CHO.advance(
        state, around(2), {"productivity": np.array([1.0, 0.5])}, 0.1
    )
    made = following[State.ANTIBODY]
    assert made[1] == pytest.approx(0.5 * made[0])
    assert following[State.VIABLE, 0] == following[State.VIABLE, 1]


def test_evaporation_concentrates_without_loss() -> None:
    state = cho.inoculated(viable=0.0)
    following, _ = CHO.advance(state, around(1, evaporation_lph=1.0), {}, 1.0)
    assert following[State.VOLUME, 0] == pytest.approx(1499.0)
    assert following[State.LACTATE, 0] * 1499.0 == pytest.approx(1500.0, rel=1e-5)


def test_the_laboratory_finds_the_usual_assays_of_fresh_medium() -> None:
    assays = CHO.assays(cho.inoculated(viable=0.5))
    assert assays["glucose"][0] == pytest.approx(5.95, abs=0.01)
    assert 280.0 < assays["osmolality"][0] < 295.0
    assert CHO.biomass(cho.inoculated(viable=10.0)).capacitance[0] == pytest.approx(5.5)
