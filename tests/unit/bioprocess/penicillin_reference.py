"""PenSim's check table, and the batch that it describes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
