"""E. coli's check table, and the batch that it describes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from shared.bioprocess import ecoli
from shared.bioprocess.ecoli import EcoliProcess, State
from shared.bioprocess.process import Process
from tests.unit.bioprocess.surrounded import around

ECOLI: Process = EcoliProcess()
STEP_H = 0.01
KLA = 220.0
OXYGEN_PER_G = 14_000.0
"""% of saturation per g/L of oxygen."""
TABLE = {
    4: (("0.6054", "4.107", "0.0749"), "87.42"),
    8: (("2.058", "1.417", "0.1998"), "62.64"),
}


@dataclass
class Run:
    rows: dict[float, tuple[np.ndarray, float]] = field(default_factory=dict)
    hours: list[float] = field(default_factory=list)
    states: list[np.ndarray] = field(default_factory=list)
    oxygen: list[float] = field(default_factory=list)
    used_up: float = 0.0
    sugar_carbon: float = 0.0
    gas_carbon: float = 0.0
    oxygen_used: float = 0.0


def run(hours: float, mu_feed: float = 0.0) -> Run:
    """Return a batch; from when its sugar is used up it is fed exponentially."""
    state, oxygen, found, first = ecoli.inoculated(), 98.0, Run(), 0.0
    for number in range(round(hours / STEP_H)):
        hour = number * STEP_H
        if not found.used_up and state[State.SUGAR, 0] < 0.05:
            found.used_up = hour
            grams = float(state[State.BIOMASS, 0] * state[State.VOLUME, 0])
            first = mu_feed * grams / (0.5 * 300.0)
        fed = first * np.exp(mu_feed * (hour - found.used_up)) if first else 0.0
        volume = float(state[State.VOLUME, 0])
        state, exchange = ECOLI.advance(
            state, around(ECOLI, oxygen_percent=oxygen, feed_lph=fed), {}, STEP_H
        )
        uptake = float(exchange.oxygen[0]) * ecoli.OXYGEN_G_PER_MMOL * OXYGEN_PER_G
        settled = 99.0 - uptake / KLA
        oxygen = max(settled + (oxygen - settled) * float(np.exp(-KLA * STEP_H)), 0.0)
        volume = 0.5 * (volume + float(state[State.VOLUME, 0]))
        found.sugar_carbon += fed * 300.0 * 0.391 * STEP_H
        found.gas_carbon += float(exchange.carbon_dioxide[0]) * 0.012 * volume * STEP_H
        found.hours.append(hour + STEP_H)
        found.states.append(state[:, 0])
        found.oxygen.append(oxygen)
        found.rows[round(hour + STEP_H, 6)] = (state[:, 0], oxygen)
    return found
