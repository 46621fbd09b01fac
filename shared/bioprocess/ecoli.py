"""E. coli fed-batch kinetics with overflow metabolism, for simulator and twin. Pure.

Structure and constants: Anane et al., Biochem. Eng. J. 2017, 125:23-30 (acetate is made
when glucose is taken up faster than it can be oxidised, and taken up again); the idea
of overflow: Xu, Jahic and Enfors, Biotechnol. Prog. 1999, 15:81-90. Dissolved oxygen is
the reactor's; carbon dioxide closes the carbon balance.

A state has shape (4, n). Units: hours, litres, g (dry mass, glucose, acetate, oxygen).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated

import numpy as np

from shared.bioprocess.process import (
    Exchange,
    Quantity,
    diluted,
    midpoint,
    of_cells,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.bioprocess.process import Biomass, Matrix, Surroundings, Vector

    Column = float | Vector

OXYGEN_G_PER_MMOL = 0.032
CARBON_G_PER_MMOL = 0.012
ACETATE_CARBON = 0.400
"""g of carbon per g."""
ACETATE_G_PER_MMOL = 0.0590
FEED_SUGAR = 300.0
"""g/L of the feed."""
ABSORBANCE = 2.2
"""Turbidity per g/L of dry mass, judged."""
PF_PER_CM = 0.6
"""Capacitance per g/L of dry mass, judged."""
AMMONIUM_PER_G = 9.5
"""mmol of ammonium taken up per g of dry mass; engineering practice says 9 to 10."""
COARSE = 0.4
"""Longest inner step, in time constants of the uptake of glucose."""


class State(IntEnum):
    """Rows of a state."""

    BIOMASS = 0
    """g/L, dry."""
    SUGAR = 1
    """g/L."""
    ACETATE = 2
    """g/L."""
    VOLUME = 3
    """Broth, L."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Kinetic constants; a float for all cultures or an array of one per culture.

    Source: Anane 2017. `k` are half saturations, `ki` inhibitions, `y` yields.
    """

    k_overflow: Annotated[Column, "g/(g h)"] = 0.5052
    k_acetate: Annotated[Column, "g/L"] = 0.0134
    k_oxygen: Annotated[Column, "% air saturation"] = 1e-4
    k_sugar: Annotated[Column, "g/L"] = 0.0370
    ki_acetate: Annotated[Column, "g/L"] = 1.2399
    ki_sugar: Annotated[Column, "g/(g h)"] = 2.1231
    overflow_max: Annotated[Column, "g/(g h)"] = 0.2268
    acetate_uptake_max: Annotated[Column, "g/(g h)"] = 0.1148
    maintenance: Annotated[Column, "g/(g h)"] = 0.0129
    sugar_uptake_max: Annotated[Column, "g/(g h)"] = 0.6356
    y_acetate_sugar: Annotated[Column, "g/g"] = 0.9097
    y_oxygen_acetate: Annotated[Column, "g/g"] = 0.5440
    y_biomass_acetate: Annotated[Column, "g/g"] = 0.5718
    y_biomass_sugar: Annotated[Column, "g/g"] = 0.5333
    y_oxygen_sugar: Annotated[Column, "g/g"] = 1.5620
    y_biomass_overflow: Annotated[Column, "g/g"] = 0.2268
    carbon_sugar: Annotated[Column, "g/g"] = 0.391
    carbon_biomass: Annotated[Column, "g/g"] = 0.488


@dataclass(frozen=True, slots=True)
class Rates:
    """Specific rates per g of dry mass and hour."""

    growth: Vector
    """1/h; negative when starved."""
    sugar: Vector
    """Uptake, g."""
    acetate: Vector
    """Production, g; negative when taken up."""
    oxygen: Vector
    """Uptake, g."""
    carbon_dioxide: Vector
    """Production, g of carbon."""


def rates(state: Matrix, oxygen_percent: Column, p: Parameters) -> Rates:
    """Return the specific rates; oxygen in % of air saturation."""
    sugar, acetate = state[State.SUGAR], state[State.ACETATE]
    oxygen = np.asarray(oxygen_percent)
    uptake = (
        p.sugar_uptake_max / (1.0 + acetate / p.ki_acetate)
        * sugar / (sugar + p.k_sugar)
    )  # fmt: skip
    overflow = p.overflow_max * uptake / (uptake + p.k_overflow)
    oxidised = (uptake - overflow) * oxygen / (oxygen + p.k_oxygen)
    built = oxidised - p.maintenance
    anabolic = built * p.y_biomass_sugar * p.carbon_biomass / p.carbon_sugar
    eaten = (
        p.acetate_uptake_max / (1.0 + uptake / p.ki_sugar)
        * acetate / (acetate + p.k_acetate)
    )  # fmt: skip
    growth = (
        built * p.y_biomass_sugar
        + eaten * p.y_biomass_acetate
        + overflow * p.y_biomass_overflow
    )
    made = overflow * p.y_acetate_sugar - eaten
    carbon = uptake * p.carbon_sugar - growth * p.carbon_biomass - made * ACETATE_CARBON
    return Rates(
        growth=growth,
        sugar=uptake,
        acetate=made,
        oxygen=p.y_oxygen_sugar * (oxidised - anabolic) + eaten * p.y_oxygen_acetate,
        carbon_dioxide=np.asarray(carbon),
    )


def turnover(state: Matrix, q: Rates) -> Matrix:
    """Return what the cells alone do to a state per hour, shape (4, n)."""
    cells = state[State.BIOMASS]
    out = np.zeros_like(state)
    out[State.BIOMASS] = q.growth * cells
    out[State.SUGAR] = -q.sugar * cells
    out[State.ACETATE] = q.acetate * cells
    return out


def inoculated(
    biomass: Column = 0.17, volume_l: float = 2.0, cultures: int = 1
) -> Matrix:
    """Return the state right after inoculation, shape (4, cultures)."""
    state = np.zeros((len(State), cultures))
    state[State.BIOMASS] = biomass
    state[State.SUGAR] = 4.94
    state[State.ACETATE] = 0.0129
    state[State.VOLUME] = volume_l
    return state


def inner_steps(state: Matrix, p: Parameters, hours: float) -> int:
    """Return into how many steps `hours` is cut, so that glucose stays exact.

    Scarce glucose is taken up within seconds by a dense culture.
    """
    per_h = p.sugar_uptake_max * state[State.BIOMASS] / (
        p.k_sugar + state[State.SUGAR]
    )  # fmt: skip
    return max(int(np.ceil(hours * float(np.max(per_h)) / COARSE)), 1)


class EcoliProcess:
    """E. coli, fed-batch with overflow to acetate; see the module."""

    name = "ecoli"
    volume_row = int(State.VOLUME)
    quantities = (
        Quantity("biomass", "g/L", "cells, dry mass"),
        Quantity("sugar", "g/L", "glucose"),
        Quantity("acetate", "g/L", "acetate"),
        Quantity("volume", "L", "broth"),
    )
    spread: Mapping[str, float] = {
        "sugar_uptake_max": 0.04,
        "y_biomass_sugar": 0.03,
        "overflow_max": 0.06,
        "maintenance": 0.08,
    }
    liquids: Mapping[str, Mapping[int, float]] = {
        "feed": {int(State.SUGAR): FEED_SUGAR},
        "glucose": {int(State.SUGAR): FEED_SUGAR},
    }

    def inoculated(self, viable: Column, volume_l: float, cultures: int = 1) -> Matrix:
        """Return fresh medium with cells, g/L; see the protocol."""
        return inoculated(viable, volume_l, cultures)

    def advance(
        self,
        state: Matrix,
        around: Surroundings,
        factors: Mapping[str, Vector],
        hours: float,
    ) -> tuple[Matrix, Exchange]:
        """Return the state `hours` later and the mean exchange; see the protocol."""
        p = scaled(_PLAIN, factors)

        def slope(at: Matrix, q: Rates) -> Matrix:
            change: Matrix = diluted(at, around, self.volume_row)
            change += turnover(at, q)
            return change

        oxygen, carbon = np.zeros(state.shape[1]), np.zeros(state.shape[1])
        count = inner_steps(state, p, hours)
        for _ in range(count):
            now = rates(state, around.oxygen_percent, p)
            oxygen += now.oxygen * state[State.BIOMASS] / count
            carbon += now.carbon_dioxide * state[State.BIOMASS] / count
            state = midpoint(
                state,
                slope(state, now),
                lambda at: slope(at, rates(at, around.oxygen_percent, p)),
                hours / count,
            )
        return state, Exchange(oxygen / OXYGEN_G_PER_MMOL, carbon / CARBON_G_PER_MMOL)

    def strong_ions(self, state: Matrix) -> Vector:
        """Return the charge of acetate and of ammonium taken up, meq/L: acids."""
        acetate = state[State.ACETATE] / ACETATE_G_PER_MMOL
        charge: Vector = -acetate - AMMONIUM_PER_G * state[State.BIOMASS]
        return charge

    def biomass(self, state: Matrix) -> Biomass:
        """Return what probes see of the cells."""
        cells = state[State.BIOMASS]
        return replace(
            of_cells(cells, cells, PF_PER_CM, ABSORBANCE),
            viability_percent=np.full_like(cells, 100.0),
        )

    def assays(self, state: Matrix) -> Mapping[str, Vector]:
        """Return what the laboratory would find; see the protocol."""
        return {
            "dry_mass": state[State.BIOMASS],
            "glucose": state[State.SUGAR],
            "acetate": state[State.ACETATE],
            "osmolality": 310.0
            + 5.55 * state[State.SUGAR]
            + 33.9 * state[State.ACETATE],
        }


_PLAIN = Parameters()
