"""CHO-REF's check table, and the batch that it describes."""

from __future__ import annotations

import numpy as np

from shared.bioprocess import cho
from shared.bioprocess.cho import Environment, Parameters, State

COLUMNS = (
    "viable, 1e9/L", "dead, 1e9/L", "glucose, mM", "lactate, mM", "ammonium, mM",
    "antibody, g/L", "volume, L", "viability, %", "OUR, mmol/L/h",
)  # fmt: skip
# day: X, Xd, G, L, A, antibody, V, viability, OUR at the given decimals
TABLE = {
    3: ("4.50", "0.18", "33.00", "12.24", "0.81", "0.137", "1511.1", "96.1", "0.95"),
    5: ("11.54", "0.65", "33.00", "25.54", "1.44", "0.491", "1615.9", "94.7", "1.98"),
    7: ("15.81", "1.50", "33.00", "15.69", "2.19", "1.322", "1724.0", "91.3", "2.58"),
    10: ("19.89", "3.26", "33.00", "0.73", "3.46", "2.885", "1894.1", "85.9", "3.09"),
    12: ("20.50", "4.68", "33.00", "0.01", "4.28", "3.995", "2008.5", "81.4", "3.11"),
    14: ("19.95", "6.18", "19.73", "0.00", "5.04", "5.082", "2110.3", "76.3", "2.98"),
}
STEP_H = 0.1


def surroundings(hour: float) -> Environment:
    fed = hour >= 72.0
    return Environment(
        temperature_degc=33.0 if hour >= 120.0 else 37.0,
        inflow_lph=45.0 / 24.0 if fed else 0.0,
        glucose_in=300.0 if fed else 0.0,
    )


def reference_batch() -> dict[int, tuple[float, ...]]:
    """Return the row of the table of each day, simulated."""
    state, p, found = cho.inoculated(), Parameters(), {}
    for number in range(3361):
        hour = number * STEP_H
        if number % 240 == 0:
            day = number // 240
            if 3 <= day < 14 and state[State.GLUCOSE, 0] < 20.0:
                litres = cho.bolus_litres(state, 33.0, 2500.0)
                state = cho.with_bolus(state, litres, 2500.0)
            if day in TABLE:
                found[day] = row(state, surroundings(hour), p)
        state = cho.step(state, surroundings(hour), p, STEP_H)
    return found


def row(state: np.ndarray, around: Environment, p: Parameters) -> tuple[float, ...]:
    columns = (
        State.VIABLE, State.DEAD, State.GLUCOSE, State.LACTATE, State.AMMONIUM,
        State.ANTIBODY, State.VOLUME,
    )  # fmt: skip
    uptake = float((cho.rates(state, around, p).oxygen * state[State.VIABLE])[0])
    viability = float(cho.viability_percent(state)[0])
    return (*(float(state[c, 0]) for c in columns), viability, uptake)
