"""HEK293 that makes rAAV after triple transfection, for simulator and twin. Pure.

They grow to the transfection, 48 h after inoculation; the medium is exchanged 6 h later
and the harvest follows 72 h after the transfection. What happens inside the cells is in
`capsids`, and so is the growth after transfection that was measured there. Metabolism
and death are constructed for this project: glucose uptake falls from 0.15 to 0.08
mmol/(1e9 cells h), viability falls to about 70 %.

A state has shape (27, n): the culture, then copies per cell. Units: hours, litres, 1e9
cells, mmol.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated

import numpy as np

from shared.bioprocess import capsids
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

TRANSFECTION_H = 48.0
"""Hours from inoculation to transfection."""
EXCHANGE_H = 6.0
"""Hours from transfection to the exchange of the medium."""
HARVEST_H = 72.0
"""Hours from transfection to harvest."""
GROWTH_MEASURED = (1e6, 49427.96, 0.01128125)
"""Cells per mL after transfection: c = c0 + a/b (1 - exp(-b t)); Nguyen 2021."""
GLUCOSE_STOCK = 2500.0
"""mmol/L of the glucose pump's bottle."""
MEDIUM = (30.0, 2.0, 0.5)
"""mmol/L of glucose, lactate, ammonium."""
PF_PER_CM = 0.6
"""Capacitance per 1e9 viable cells/L."""
ABSORBANCE = 0.07
"""Turbidity per 1e9 cells/L."""
_NOMINAL_OXYGEN = 40.0


class State(IntEnum):
    """Rows of the culture; copies per cell follow, see `capsids.Cell`."""

    VIABLE = 0
    """Viable cells, 1e9/L."""
    DEAD = 1
    """Dead cells, 1e9/L."""
    GLUCOSE = 2
    LACTATE = 3
    AMMONIUM = 4
    """mmol/L."""
    VOLUME = 5
    """Broth, L."""


CELL = len(State)
"""First row of the copies per cell."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Constants of the culture; a float or an array of one per culture.

    Source: constructed; magnitudes of published HEK293 suspension cultures.
    """

    mu_max: Annotated[Column, "1/h"] = 0.028
    """Before transfection; growth afterwards is scaled with it."""
    transfection: Annotated[Column, "1"] = 0.6
    """Plasmid copies per cell as a share of those in Nguyen 2021."""
    k_glucose: Annotated[Column, "mmol/L"] = 0.5
    theta_growth: Annotated[Column, "1"] = 0.65
    """Factor on growth for every 4 °C below 37 °C."""
    k_oxygen: Annotated[Column, "% air saturation"] = 2.0
    ph_width: Annotated[Column, "1"] = 0.35
    death: Annotated[Column, "1/h"] = 4e-4
    death_transfected: Annotated[Column, "1/h"] = 0.0105
    """Added, as it builds up over the first day."""
    death_starved: Annotated[Column, "1/h"] = 6e-3
    glucose_growing: Annotated[Column, "mmol/(1e9 cells h)"] = 0.15
    glucose_producing: Annotated[Column, "mmol/(1e9 cells h)"] = 0.08
    lactate_yield: Annotated[Column, "mmol/mmol"] = 1.2
    """Lactate per glucose taken up beyond `overflow`."""
    overflow: Annotated[Column, "mmol/(1e9 cells h)"] = 0.06
    lactate_uptake: Annotated[Column, "mmol/(1e9 cells h)"] = 0.015
    ammonium: Annotated[Column, "mmol/(1e9 cells h)"] = 3e-3
    oxygen: Annotated[Column, "mmol/(1e9 cells h)"] = 0.25


@dataclass(frozen=True, slots=True)
class Rates:
    """What the cells do, per hour."""

    growth: Vector
    """Of all cells, 1/h."""
    death: Vector
    """Of viable cells, 1/h."""
    glucose: Vector
    """Uptake per 1e9 viable cells, mmol."""
    lactate: Vector
    ammonium: Vector
    """Production per 1e9 viable cells, mmol."""
    oxygen: Vector
    """Uptake per 1e9 viable cells, mmol."""


def rates(state: Matrix, around: Surroundings, since_h: Vector, p: Parameters) -> Rates:
    """Return the rates; `since_h` counts from transfection, negative before."""
    glucose, lactate = state[State.GLUCOSE], state[State.LACTATE]
    fed = glucose / (0.2 + glucose)
    shares = _comfort(around, p) * glucose / (p.k_glucose + glucose)
    before = p.mu_max * shares
    after = np.maximum(since_h, 0.0)
    start, gain, slowing = GROWTH_MEASURED
    slowed = np.exp(-slowing * after)
    measured = gain * slowed / (start + gain / slowing * (1.0 - slowed))
    scale = p.mu_max / _PLAIN.mu_max * np.minimum(shares / _NOMINAL_SHARE, 1.0)
    producing = since_h >= 0.0
    builds = np.where(producing, after / (after + 24.0), 0.0)
    settled = np.where(producing, 1.0 - np.exp(-after / 24.0), 0.0)
    uptake = fed * (
        p.glucose_growing + (p.glucose_producing - p.glucose_growing) * settled
    )
    made = p.lactate_yield * np.maximum(uptake - p.overflow, 0.0)
    return Rates(
        growth=np.where(producing, measured * scale, before),
        death=p.death + p.death_transfected * builds + p.death_starved * (1.0 - fed),
        glucose=uptake,
        lactate=made - p.lactate_uptake * lactate / (4.0 + lactate),
        ammonium=p.ammonium * np.ones_like(glucose),
        oxygen=p.oxygen * np.ones_like(glucose),
    )


_NOMINAL_SHARE = 0.9
"""Share of the largest growth from which on what was measured is reached."""


def _comfort(around: Surroundings, p: Parameters) -> Vector:
    cold = (37.0 - around.temperature_degc) / 4.0
    oxygen = around.oxygen_percent
    breathing = oxygen / (oxygen + p.k_oxygen)
    usual = _NOMINAL_OXYGEN / (_NOMINAL_OXYGEN + p.k_oxygen)
    off_ph = (around.ph - 7.0) / p.ph_width
    shares: Vector = (
        p.theta_growth**cold * np.minimum(breathing / usual, 1.0) * np.exp(-(off_ph**2))
    )
    return shares


def turnover(state: Matrix, q: Rates) -> Matrix:
    """Return what the cells alone do to the culture's rows per hour, shape (27, n)."""
    viable, dead = state[State.VIABLE], state[State.DEAD]
    out = np.zeros_like(state)
    out[State.VIABLE] = q.growth * (viable + dead) - q.death * viable
    out[State.DEAD] = q.death * viable
    out[State.GLUCOSE] = -q.glucose * viable
    out[State.LACTATE] = q.lactate * viable
    out[State.AMMONIUM] = q.ammonium * viable
    return out


def inoculated(
    viable: Column = 0.5, volume_l: float = 200.0, cultures: int = 1
) -> Matrix:
    """Return the state right after inoculation, shape (27, cultures)."""
    state = np.zeros((CELL + len(capsids.Cell), cultures))
    state[State.VIABLE] = viable
    state[State.DEAD] = 0.03 * np.asarray(viable)
    for row, amount in zip((2, 3, 4), MEDIUM, strict=True):
        state[row] = amount
    state[State.VOLUME] = volume_l
    return state


def with_events(state: Matrix, since_h: Vector, p: Parameters) -> Matrix:
    """Return the state after what is due: transfection, exchange of the medium.

    Each happens once: cells that hold plasmids are not transfected again, and a medium
    without plasmids is not exchanged.
    """
    outside = state[CELL : CELL + 3].sum(axis=0)
    held = state[CELL : CELL + 9].sum(axis=0)
    alive = state[State.VIABLE] > 0.0
    transfect = (since_h >= 0.0) & (since_h < EXCHANGE_H) & (held == 0.0) & alive
    exchange = (since_h >= EXCHANGE_H) & (outside > 0.0)
    if not (transfect.any() or exchange.any()):
        return state
    state = state.copy()
    copies = capsids.PLASMID * p.transfection * np.ones(state.shape[1])
    state[CELL : CELL + 3, transfect] = copies[transfect]
    state[CELL : CELL + 3, exchange] = 0.0
    for row, amount in zip((2, 3, 4), MEDIUM, strict=True):
        state[row, exchange] = amount
    return state


class HekProcess:
    """HEK293 making rAAV; see the module."""

    name = "hek293"
    volume_row = int(State.VOLUME)
    quantities = (
        Quantity("viable", "10*9.L-1", "viable cells"),
        Quantity("dead", "10*9.L-1", "dead cells"),
        Quantity("glucose", "mmol/L", "glucose"),
        Quantity("lactate", "mmol/L", "lactate"),
        Quantity("ammonium", "mmol/L", "ammonium"),
        Quantity("volume", "L", "broth"),
        *(
            Quantity(cell.name.lower(), "{copies}", capsids.words(cell))
            for cell in capsids.Cell
        ),
    )
    spread: Mapping[str, float] = {
        "mu_max": 0.04,
        "transfection": 0.10,
        "glucose_growing": 0.06,
        "death_transfected": 0.10,
    }
    liquids: Mapping[str, Mapping[int, float]] = {
        "feed": {int(State.GLUCOSE): 300.0},
        "glucose": {int(State.GLUCOSE): GLUCOSE_STOCK},
    }

    def inoculated(self, viable: Column, volume_l: float, cultures: int = 1) -> Matrix:
        """Return fresh medium with cells; see the protocol."""
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
        since = around.hours - TRANSFECTION_H
        state = with_events(state, since, p)
        now = rates(state, around, since, p)
        middle = rates(state, around, since + 0.5 * hours, p)

        def slope(at: Matrix, q: Rates) -> Matrix:
            change: Matrix = diluted(at, around, self.volume_row)
            change[CELL:] = 0.0
            change += turnover(at, q)
            return change

        following = midpoint(
            state,
            slope(state, now),
            lambda at: slope(at, rates(at, around, since + 0.5 * hours, p)),
            hours,
        )
        if np.any(state[CELL:]):
            following[CELL:] = capsids.step(state[CELL:], middle.growth, hours)
        uptake = now.oxygen * state[State.VIABLE]
        return following, Exchange(uptake, uptake)

    def strong_ions(self, state: Matrix) -> Vector:
        """Return ammonium less lactate, meq/L."""
        charge: Vector = state[State.AMMONIUM] - state[State.LACTATE]
        return charge

    def biomass(self, state: Matrix) -> Biomass:
        """Return what probes see of the cells."""
        viable, total = state[State.VIABLE], _total(state)
        return of_cells(viable, total, PF_PER_CM, ABSORBANCE)

    def assays(self, state: Matrix) -> Mapping[str, Vector]:
        """Return what the laboratory would find; see the protocol.

        `full_capsids`, `capsids` and `vector_dna` are 1e9/mL, `full_share` is %.
        """
        cell, total = state[CELL:], _total(state)
        full, every = capsids.full(cell), capsids.capsids(cell)
        solutes = state[State.GLUCOSE] - 30.0 + 1.4 * state[State.LACTATE]
        return {
            "vcd": state[State.VIABLE],
            "viability": self.biomass(state).viability_percent,
            "glucose": 0.18016 * state[State.GLUCOSE],
            "lactate": 0.09008 * state[State.LACTATE],
            "ammonium": state[State.AMMONIUM],
            "full_capsids": full * total * 1e-3,
            "capsids": every * total * 1e-3,
            "full_share": 100.0 * full / np.maximum(every, 1e-12),
            "vector_dna": capsids.vector_dna(cell) * total * 1e-3,
            "osmolality": 285.0 + solutes,
        }


def _total(state: Matrix) -> Vector:
    cells: Vector = state[State.VIABLE] + state[State.DEAD]
    return cells


_PLAIN = Parameters()
