"""CHO fed-batch kinetics (CHO-REF), for the simulated plant and for the twin. Pure.

A constructed reference process for a modern GS-CHO clone: 14 days, shift from 37 to
33 °C, lactate taken up again after growth, 5 g/L of antibody. Its structure follows
Xing, Bishop and Leister, Biotechnol. Prog. 2010, 26(1):208-219 (Monod growth with
lactate and ammonia inhibition); growth arrest by the integral of viable cells, the
lactate switch and the temperature factors are additions without a published source.

Everything is vectorised: a state has shape (8, n) for n cultures (vessels, or the sigma
points of an estimator), every other argument is a float or has shape (n,).
Units: hours, litres, 1e9 cells, mmol (metabolites), g (antibody).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = float | NDArray[np.float64]


COLD_MOST = 1.5
"""Steps of 4 °C below 37 °C that raise productivity; further ones halve it."""


class State(IntEnum):
    """Rows of a state."""

    VIABLE = 0
    """Viable cells, 1e9 cells/L (= 1e6 cells/mL)."""
    DEAD = 1
    """Dead cells that have not lysed, 1e9 cells/L."""
    GLUCOSE = 2
    """mmol/L."""
    LACTATE = 3
    """mmol/L."""
    AMMONIUM = 4
    """mmol/L."""
    ANTIBODY = 5
    """g/L."""
    CELL_TIME = 6
    """Integral of viable cells, diluted by feeds, 1e9 cells h/L."""
    VOLUME = 7
    """Broth, L."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Kinetic constants; a float for all cultures or an array of one per culture.

    The unit of each stands in its annotation. Source: constructed for this project
    (see the module); magnitudes are those of published GS-CHO fed-batch cultures.
    """

    mu_max: Annotated[Column, "1/h"] = 0.040
    """Growth rate at 37 °C without limitation."""
    theta_growth: Annotated[Column, "1"] = 0.65
    """Factor on growth for every 4 °C below 37 °C."""
    theta_death: Annotated[Column, "1"] = 0.90
    """Factor on death for every 4 °C below 37 °C."""
    theta_product: Annotated[Column, "1"] = 1.35
    """Factor on specific productivity for every 4 °C below 37 °C."""
    k_glucose: Annotated[Column, "mmol/L"] = 1.0
    """Half saturation of growth."""
    ki_lactate: Annotated[Column, "mmol/L"] = 60.0
    ki_ammonium: Annotated[Column, "mmol/L"] = 12.0
    k_cell_time: Annotated[Column, "1e9 cells h/L"] = 1100.0
    """Cell time at which growth is halved."""
    k_oxygen: Annotated[Column, "% air saturation"] = 2.0
    ph_width: Annotated[Column, "1"] = 0.35
    """Width of the optimum of growth around pH 7."""
    ph_width_product: Annotated[Column, "1"] = 0.60
    death: Annotated[Column, "1/h"] = 2.5e-4
    death_cell_time: Annotated[Column, "1/h"] = 3.0e-4
    death_starved: Annotated[Column, "1/h"] = 6.0e-3
    death_anoxic: Annotated[Column, "1/h"] = 0.02
    lysis: Annotated[Column, "1/h"] = 1.2e-3
    yield_glucose: Annotated[Column, "1e9 cells/mmol"] = 0.30
    maintenance: Annotated[Column, "mmol/(1e9 cells h)"] = 0.032
    lactate_yield: Annotated[Column, "mmol/mmol"] = 1.30
    """Lactate per glucose taken up beyond `overflow`."""
    overflow: Annotated[Column, "mmol/(1e9 cells h)"] = 0.060
    lactate_uptake: Annotated[Column, "mmol/(1e9 cells h)"] = 0.020
    ammonium_growth: Annotated[Column, "mmol/1e9 cells"] = 0.045
    ammonium_maintenance: Annotated[Column, "mmol/(1e9 cells h)"] = 9.0e-4
    productivity: Annotated[Column, "g/(1e9 cells h)"] = 1.0e-3
    oxygen: Annotated[Column, "mmol/(1e9 cells h)"] = 0.24

    def at(self, culture: int) -> Parameters:
        """Return the constants of one culture as floats."""
        return Parameters(
            **{
                f.name: float(np.atleast_1d(getattr(self, f.name))[culture])
                if np.ndim(getattr(self, f.name))
                else float(getattr(self, f.name))
                for f in fields(self)
            }
        )


@dataclass(frozen=True, slots=True)
class Environment:
    """What the vessel does to the cells during a step."""

    temperature_degc: Column = 37.0
    ph: Column = 7.0
    oxygen_percent: Column = 40.0
    """Dissolved oxygen, % of air saturation."""
    inflow_lph: Column = 0.0
    """All liquids added, L/h; each dilutes everything."""
    glucose_in: Column = 0.0
    """Glucose of what flows in, mmol/L (mean over all liquids)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Specific rates per 1e9 viable cells and hour."""

    growth: Column
    """1/h."""
    death: Column
    """1/h."""
    lysis: Column
    """Of dead cells, 1/h."""
    glucose: Column
    """Uptake, mmol."""
    lactate: Column
    """Production, mmol; negative when taken up."""
    ammonium: Column
    """Production, mmol."""
    antibody: Column
    """Production, g."""
    oxygen: Column
    """Uptake, mmol."""
    carbon_dioxide: Column
    """Production, mmol."""


def rates(state: NDArray[np.float64], around: Environment, p: Parameters) -> Rates:
    """Return the specific rates of cells in `state` and its surroundings."""
    glucose, lactate = state[State.GLUCOSE], state[State.LACTATE]
    ammonium, cell_time = state[State.AMMONIUM], state[State.CELL_TIME]
    cold = (37.0 - np.asarray(around.temperature_degc)) / 4.0
    oxygen = np.asarray(around.oxygen_percent)
    breathing = oxygen / (oxygen + p.k_oxygen)
    off_ph = np.asarray(around.ph) - 7.0
    growth = (
        p.mu_max * p.theta_growth**cold * breathing
        * np.exp(-((off_ph / p.ph_width) ** 2))
        * glucose / (p.k_glucose + glucose)
        * p.ki_lactate / (p.ki_lactate + lactate)
        * p.ki_ammonium / (p.ki_ammonium + ammonium)
        / (1.0 + (cell_time / p.k_cell_time) ** 1.5)
    )  # fmt: skip
    uptake = (growth / p.yield_glucose + p.maintenance) * glucose / (0.2 + glucose)
    made = p.lactate_yield * np.maximum(uptake - p.overflow, 0.0)
    used = p.lactate_uptake * lactate / (4.0 + lactate)
    oxygen_uptake = p.oxygen * (0.6 + 10.0 * growth)
    quotient = 0.95 + 0.05 * np.tanh((made - used) / 0.005)
    return Rates(
        growth=growth,
        death=_death(state, cold, breathing, p),
        lysis=p.lysis,
        glucose=uptake,
        lactate=made - used,
        ammonium=p.ammonium_growth * growth + p.ammonium_maintenance,
        antibody=p.productivity * p.theta_product ** np.minimum(cold, COLD_MOST)
        * 0.5 ** np.maximum(cold - COLD_MOST, 0.0) * glucose / (0.1 + glucose)
        * np.exp(-((off_ph / p.ph_width_product) ** 2)),
        oxygen=oxygen_uptake,
        carbon_dioxide=quotient * oxygen_uptake,
    )  # fmt: skip


def _death(
    state: NDArray[np.float64],
    cold: NDArray[np.float64],
    breathing: NDArray[np.float64],
    p: Parameters,
) -> NDArray[np.float64]:
    poisoned = (state[State.AMMONIUM] / 9.0) ** 2 + (state[State.LACTATE] / 80.0) ** 2
    aged = p.death * (1.0 + poisoned) + p.death_cell_time * (
        state[State.CELL_TIME] / p.k_cell_time
    )
    starved = p.death_starved * 0.2 / (0.2 + state[State.GLUCOSE])
    result: NDArray[np.float64] = (
        p.theta_death**cold * aged + starved + p.death_anoxic * (1.0 - breathing)
    )
    return result


def derivative(
    state: NDArray[np.float64], around: Environment, p: Parameters
) -> NDArray[np.float64]:
    """Return d(state)/dt per hour, shape (8, n)."""
    return change(state, rates(state, around, p), around)


def change(
    state: NDArray[np.float64], q: Rates, around: Environment
) -> NDArray[np.float64]:
    """Return d(state)/dt per hour for given rates, shape (8, n)."""
    out: NDArray[np.float64] = -(around.inflow_lph / state[State.VOLUME]) * state
    out[State.GLUCOSE] += around.inflow_lph / state[State.VOLUME] * around.glucose_in
    out[State.VOLUME] = around.inflow_lph
    out += turnover(state, q)
    return out


def turnover(state: NDArray[np.float64], q: Rates) -> NDArray[np.float64]:
    """Return what the cells alone do to a state per hour, shape (8, n)."""
    viable = state[State.VIABLE]
    out = np.zeros_like(state)
    out[State.VIABLE] = (q.growth - q.death) * viable
    out[State.DEAD] = q.death * viable - q.lysis * state[State.DEAD]
    out[State.GLUCOSE] = -q.glucose * viable
    out[State.LACTATE] = q.lactate * viable
    out[State.AMMONIUM] = q.ammonium * viable
    out[State.ANTIBODY] = q.antibody * viable
    out[State.CELL_TIME] = viable
    return out


def step(
    state: NDArray[np.float64], around: Environment, p: Parameters, hours: float
) -> NDArray[np.float64]:
    """Return the state `hours` later by one Runge-Kutta step of fourth order.

    Surroundings are held for the step. Steps up to 0.25 h are exact to 1e-6 relative.
    """
    first = derivative(state, around, p)
    second = derivative(state + 0.5 * hours * first, around, p)
    third = derivative(state + 0.5 * hours * second, around, p)
    fourth = derivative(state + hours * third, around, p)
    slope = first + 2.0 * (second + third) + fourth
    following: NDArray[np.float64] = np.maximum(state + hours / 6.0 * slope, 0.0)
    return following


def short_step(
    state: NDArray[np.float64],
    now: Rates,
    around: Environment,
    p: Parameters,
    hours: float,
) -> NDArray[np.float64]:
    """Return the state `hours` later by the midpoint rule, given the rates now.

    A third of the work of `step`; exact to 1e-6 relative for steps up to two minutes.
    """
    middle = state + 0.5 * hours * change(state, now, around)
    following: NDArray[np.float64] = np.maximum(
        state + hours * derivative(middle, around, p), 0.0
    )
    return following


def inoculated(
    viable: Column = 0.5, volume_l: Column = 1500.0, cultures: int = 1
) -> NDArray[np.float64]:
    """Return the state right after inoculation, shape (8, cultures)."""
    state = np.zeros((len(State), cultures))
    state[State.VIABLE] = viable
    state[State.DEAD] = 0.03 * np.asarray(viable)
    state[State.GLUCOSE] = 33.0
    state[State.LACTATE] = 1.0
    state[State.AMMONIUM] = 0.5
    state[State.VOLUME] = volume_l
    return state


def bolus_litres(
    state: NDArray[np.float64], target: Column, stock: Column
) -> NDArray[np.float64]:
    """Return the litres of `stock` (mmol/L) that bring glucose to `target` mmol/L."""
    missing = np.maximum(target - state[State.GLUCOSE], 0.0)
    litres: NDArray[np.float64] = state[State.VOLUME] * missing / (stock - target)
    return litres


def with_bolus(
    state: NDArray[np.float64], litres: Column, stock: Column
) -> NDArray[np.float64]:
    """Return the state after `litres` of glucose at `stock` mmol/L, mixed at once."""
    volume = state[State.VOLUME] + litres
    mixed: NDArray[np.float64] = state * (state[State.VOLUME] / volume)
    mixed[State.GLUCOSE] += litres * np.asarray(stock) / volume
    mixed[State.VOLUME] = volume
    return mixed


def viability_percent(state: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return viable cells as a share of all that have not lysed, %."""
    total = state[State.VIABLE] + state[State.DEAD]
    share: NDArray[np.float64] = state[State.VIABLE] / np.maximum(total, 1e-12)
    return 100.0 * share
