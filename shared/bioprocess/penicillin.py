"""Penicillin fed-batch kinetics (PenSim), for simulator and twin. Pure.

Structure and constants: Bajpai and Reuss, J. Chem. Technol. Biotechnol. 1980, 30:332,
and Birol, Undey and Cinar, Comput. Chem. Eng. 2002, 26:1553-1565, with the evaporation
of 1.0039e-4 1/h and dilution by the change of volume. Temperature and pH are those of
the reactor; the heat balance that is in circulation has inconsistent dimensions.

Dissolved oxygen of the model runs from 0 to 1.16; as a concentration in mmol/L that is
not physical, so it is taken as a share of saturation, and the uptake in mmol/(L h).
A state has shape (4, n). Units: hours, litres, g, mmol of oxygen.
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

SATURATION = 1.16
"""Of dissolved oxygen, in the model's unit."""
GAS_CONSTANT = 1.987
"""cal/(mol K)."""
FEED_SUGAR = 600.0
"""g/L of the feed."""
RESPIRATORY_QUOTIENT = 1.0
"""mol CO2 per mol O2 on glucose; the model has no other relation between them."""
ABSORBANCE = 2.0
"""Turbidity per g/L of mycelium, judged."""
PF_PER_CM = 1.5
"""Capacitance per g/L of living mycelium, judged."""


class State(IntEnum):
    """Rows of a state."""

    BIOMASS = 0
    """g/L, dry."""
    SUGAR = 1
    """g/L."""
    PENICILLIN = 2
    """g/L."""
    VOLUME = 3
    """Broth, L."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Kinetic constants; a float for all cultures or an array of one per culture.

    Source: Birol 2002, table 1.
    """

    mu_max: Annotated[Column, "1/h"] = 0.092
    k_sugar: Annotated[Column, "g/g"] = 0.15
    """Contois constant of growth."""
    k_oxygen: Annotated[Column, "1"] = 2e-2
    """Oxygen that halves growth, per g/L of biomass."""
    k_oxygen_product: Annotated[Column, "1"] = 5e-4
    """The same for penicillin, of the third power of oxygen."""
    k_acid: Annotated[Column, "mol/L"] = 1e-10
    k_base: Annotated[Column, "mol/L"] = 7e-5
    k_growth: Annotated[Column, "1"] = 7e3
    e_growth: Annotated[Column, "cal/mol"] = 5100.0
    k_death: Annotated[Column, "1"] = 1e33
    e_death: Annotated[Column, "cal/mol"] = 5e4
    yield_sugar: Annotated[Column, "g/g"] = 0.45
    yield_oxygen: Annotated[Column, "g/mmol"] = 0.04
    yield_sugar_product: Annotated[Column, "g/g"] = 0.90
    yield_oxygen_product: Annotated[Column, "g/mmol"] = 0.20
    maintenance: Annotated[Column, "g/(g h)"] = 0.014
    maintenance_oxygen: Annotated[Column, "mmol/(g h)"] = 0.467
    productivity: Annotated[Column, "g/(g h)"] = 0.005
    k_product: Annotated[Column, "g/L"] = 2e-4
    ki_product: Annotated[Column, "g/L"] = 0.10
    """Sugar that represses penicillin."""
    hydrolysis: Annotated[Column, "1/h"] = 0.04


@dataclass(frozen=True, slots=True)
class Rates:
    """Specific rates per g of biomass and hour."""

    growth: Vector
    """1/h."""
    penicillin: Vector
    """Production, g."""
    sugar: Vector
    """Uptake, g."""
    oxygen: Vector
    """Uptake, mmol."""


def rates(
    state: Matrix,
    temperature_degc: Column,
    ph: Column,
    oxygen_percent: Column,
    p: Parameters,
) -> Rates:
    """Return the specific rates; oxygen in % of air saturation."""
    sugar = state[State.SUGAR]
    cells = np.maximum(state[State.BIOMASS], 1e-12)
    oxygen = np.asarray(oxygen_percent) / 100.0 * SATURATION
    kelvin = np.asarray(temperature_degc) + 273.0
    heat = GAS_CONSTANT * kelvin
    warm = p.k_growth * np.exp(-p.e_growth / heat) - p.k_death * np.exp(
        -p.e_death / heat
    )
    ions = 10.0 ** -np.asarray(ph)
    acid = 1.0 + p.k_acid / ions + ions / p.k_base
    growth = (
        p.mu_max / acid * np.maximum(warm, 0.0)
        * sugar / (p.k_sugar * cells + sugar + 1e-12)
        * oxygen / (p.k_oxygen * cells + oxygen)
    )  # fmt: skip
    penicillin = (
        p.productivity * sugar / (p.k_product + sugar + sugar**2 / p.ki_product)
        * oxygen**3 / (p.k_oxygen_product * cells + oxygen**3)
    )  # fmt: skip
    alive = sugar / (1e-7 + sugar)
    return Rates(
        growth=growth,
        penicillin=penicillin,
        sugar=growth / p.yield_sugar
        + penicillin / p.yield_sugar_product
        + p.maintenance * alive,
        oxygen=growth / p.yield_oxygen
        + penicillin / p.yield_oxygen_product
        + p.maintenance_oxygen * oxygen / (1e-3 + oxygen),
    )


def turnover(state: Matrix, q: Rates, p: Parameters) -> Matrix:
    """Return what the cells alone do to a state per hour, shape (4, n)."""
    cells = state[State.BIOMASS]
    out = np.zeros_like(state)
    out[State.SUGAR] = -q.sugar * cells
    out[State.BIOMASS] = q.growth * cells
    out[State.PENICILLIN] = (
        q.penicillin * cells - p.hydrolysis * state[State.PENICILLIN]
    )
    return out


def inoculated(
    biomass: Column = 0.1, volume_l: float = 100.0, cultures: int = 1
) -> Matrix:
    """Return the state right after inoculation, shape (4, cultures)."""
    state = np.zeros((len(State), cultures))
    state[State.SUGAR] = 15.0
    state[State.BIOMASS] = biomass
    state[State.VOLUME] = volume_l
    return state


def evaporation_lph(volume_l: Column, temperature_degc: Column) -> Column:
    """Return the water that leaves, L/h (Birol 2002, eq. 13; 1.0039e-4 1/h)."""
    return 1.0039e-4 * volume_l * (np.exp(0.05 * np.asarray(temperature_degc)) - 1.0)


class PenicillinProcess:
    """Penicillium chrysogenum, fed-batch; see the module."""

    name = "penicillin"
    volume_row = int(State.VOLUME)
    quantities = (
        Quantity("biomass", "g/L", "mycelium, dry mass"),
        Quantity("sugar", "g/L", "glucose"),
        Quantity("penicillin", "g/L", "penicillin"),
        Quantity("volume", "L", "broth"),
    )
    spread: Mapping[str, float] = {
        "mu_max": 0.04,
        "productivity": 0.06,
        "yield_sugar": 0.03,
        "maintenance": 0.06,
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
        """Return the state `hours` later and the exchange; see the protocol."""
        p = scaled(_PLAIN, factors)

        def rates_at(at: Matrix) -> Rates:
            return rates(
                at, around.temperature_degc, around.ph, around.oxygen_percent, p
            )

        def slope(at: Matrix, q: Rates) -> Matrix:
            change: Matrix = diluted(at, around, self.volume_row)
            change += turnover(at, q, p)
            return change

        now = rates_at(state)
        following = midpoint(
            state, slope(state, now), lambda at: slope(at, rates_at(at)), hours
        )
        uptake = now.oxygen * state[State.BIOMASS]
        return following, Exchange(uptake, RESPIRATORY_QUOTIENT * uptake)

    def strong_ions(self, state: Matrix) -> Vector:
        """Return the charge of ammonium taken up for growth, meq/L: it is replaced.

        Cells take ammonium, which leaves acid: 5.7 mmol per g of dry mass (8 % N).
        """
        taken: Vector = -5.7 * state[State.BIOMASS]
        return taken

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
            "titer": state[State.PENICILLIN],
            "osmolality": 320.0 + 5.55 * state[State.SUGAR],
        }


_PLAIN = Parameters()
