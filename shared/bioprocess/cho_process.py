"""CHO-REF as a process that a reactor can run; the kinetics are in cho. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.bioprocess import cho
from shared.bioprocess.cho import Environment, Parameters, State
from shared.bioprocess.process import (
    Biomass,
    Exchange,
    Quantity,
    diluted,
    midpoint,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.bioprocess.process import Matrix, Surroundings, Vector

GLUCOSE_G_PER_MMOL = 0.18016
LACTATE_G_PER_MMOL = 0.09008
PF_PER_CM = 0.55
"""Capacitance per 1e9 viable cells/L."""
ABSORBANCE = 0.06
"""Turbidity per 1e9 cells/L, living or dead."""
FEED_GLUCOSE = 300.0
"""mmol/L of the nutrient feed."""
GLUCOSE_STOCK = 2500.0
"""mmol/L of the glucose pump's bottle."""
MEDIUM_OSMOLALITY = 285.0
"""mOsm/kg of fresh medium with its glucose."""


class ChoProcess:
    """Modern GS-CHO fed-batch; see shared.bioprocess.cho."""

    name = "cho"
    volume_row = int(State.VOLUME)
    quantities = (
        Quantity("viable", "10*9.L-1", "viable cells"),
        Quantity("dead", "10*9.L-1", "dead cells that have not lysed"),
        Quantity("glucose", "mmol/L", "glucose"),
        Quantity("lactate", "mmol/L", "lactate"),
        Quantity("ammonium", "mmol/L", "ammonium"),
        Quantity("antibody", "g/L", "antibody"),
        Quantity("cell_time", "10*9.h.L-1", "integral of viable cells, diluted"),
        Quantity("volume", "L", "broth"),
    )
    spread: Mapping[str, float] = {
        "mu_max": 0.04,
        "yield_glucose": 0.04,
        "productivity": 0.08,
        "k_cell_time": 0.08,
        "maintenance": 0.08,
    }
    liquids: Mapping[str, Mapping[int, float]] = {
        "feed": {int(State.GLUCOSE): FEED_GLUCOSE},
        "glucose": {int(State.GLUCOSE): GLUCOSE_STOCK},
    }

    def inoculated(
        self, viable: float | Vector, volume_l: float, cultures: int = 1
    ) -> Matrix:
        """Return fresh medium with cells; see the protocol."""
        return cho.inoculated(viable, volume_l, cultures)

    def advance(
        self,
        state: Matrix,
        around: Surroundings,
        factors: Mapping[str, Vector],
        hours: float,
    ) -> tuple[Matrix, Exchange]:
        """Return the state `hours` later and the exchange; see the protocol."""
        p = scaled(_PLAIN, factors)
        environment = Environment(
            temperature_degc=around.temperature_degc,
            ph=around.ph,
            oxygen_percent=around.oxygen_percent,
        )
        now = cho.rates(state, environment, p)

        def slope(at: Matrix, q: cho.Rates) -> Matrix:
            change: Matrix = diluted(at, around, self.volume_row)
            change += cho.turnover(at, q)
            return change

        following = midpoint(
            state,
            slope(state, now),
            lambda at: slope(at, cho.rates(at, environment, p)),
            hours,
        )
        viable = state[State.VIABLE]
        return following, Exchange(
            np.asarray(now.oxygen * viable), np.asarray(now.carbon_dioxide * viable)
        )

    def strong_ions(self, state: Matrix) -> Vector:
        """Return ammonium less lactate, meq/L."""
        charge: Vector = state[State.AMMONIUM] - state[State.LACTATE]
        return charge

    def biomass(self, state: Matrix) -> Biomass:
        """Return what probes see of the cells."""
        viable, dead = state[State.VIABLE], state[State.DEAD]
        return Biomass(
            viable=viable,
            viability_percent=cho.viability_percent(state),
            capacitance=PF_PER_CM * viable,
            turbidity=ABSORBANCE * (viable + dead),
        )

    def assays(self, state: Matrix) -> Mapping[str, Vector]:
        """Return what the laboratory would find; see the protocol."""
        glucose, lactate = state[State.GLUCOSE], state[State.LACTATE]
        solutes = glucose - 33.0 + 1.4 * lactate + 1.5 * state[State.AMMONIUM]
        return {
            "vcd": state[State.VIABLE],
            "viability": cho.viability_percent(state),
            "glucose": GLUCOSE_G_PER_MMOL * glucose,
            "lactate": LACTATE_G_PER_MMOL * lactate,
            "ammonium": state[State.AMMONIUM],
            "titer": state[State.ANTIBODY],
            "osmolality": MEDIUM_OSMOLALITY + solutes,
        }


_PLAIN = Parameters()
