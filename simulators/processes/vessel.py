"""The vessels: culture, gases, acids, heat and weights advanced together. Pure.

Every field is an array over the vessels. First-order processes are advanced exactly,
the culture by the midpoint rule: steps up to two minutes are exact enough, and nothing
becomes unstable beyond, but the control loops around it get coarse.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.bioprocess import cho
from shared.bioprocess.cho import Environment, Parameters
from simulators.processes import acid_base, gas
from simulators.processes.gas import Sparge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulators.processes.design import Design

    Vector = NDArray[np.float64]

HEAT_KJ_PER_MMOL = 0.46
"""Heat of respiration per oxygen."""
HEAT_CAPACITY = 4.18
"""Broth, kJ/(kg K)."""
CARBONATE_PER_EQ = 0.5
"""Carbon of sodium carbonate per equivalent of base."""
ANTIFOAM_FADES_H = 1.5


@dataclass(slots=True)
class State:
    """What the vessels hold."""

    culture: Vector
    """See shared.bioprocess.cho.State, shape (8, n)."""
    temperature: Vector
    """Broth, °C."""
    jacket: Vector
    """°C."""
    oxygen: Vector
    """Dissolved, mmol/L."""
    carbon: Vector
    """Dissolved CO2 and bicarbonate, mmol/L."""
    alkalinity: Vector
    """Strong ions but lactate and ammonium, meq/L."""
    ph: Vector
    off_o2: Vector
    """In the headspace, % by volume, dry."""
    off_co2: Vector
    off_flow: Vector
    """Leaving the vessel, normal L/min."""
    antifoam: Vector
    """1 right after a shot, fading."""
    head_mbar: Vector
    """Head pressure, gauge."""
    feed_l: Vector
    """Totals of this batch."""
    base_l: Vector
    glucose_l: Vector

    @classmethod
    def empty(cls, vessels: int, design: Design) -> Self:
        """Return clean vessels with a rest of fresh medium at ambient temperature."""
        zero = np.zeros(vessels)
        return cls(
            culture=cho.inoculated(viable=0.0, volume_l=50.0, cultures=vessels),
            temperature=zero + design.ambient_degc,
            jacket=zero + design.ambient_degc,
            oxygen=zero + 0.19,
            carbon=zero + design.medium_carbon,
            alkalinity=zero + design.medium_alkalinity,
            ph=zero + 7.3,
            off_o2=zero + 20.9,
            off_co2=zero + 0.04,
            off_flow=zero + design.overlay_lpm,
            antifoam=zero.copy(),
            head_mbar=zero + 5.0,
            feed_l=zero.copy(),
            base_l=zero.copy(),
            glucose_l=zero.copy(),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the exact numbers as nested lists."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Return what `to_json` saw."""
        return cls(**{f.name: np.array(body[f.name], float) for f in fields(cls)})

    @property
    def volume(self) -> Vector:
        """Return the broth, L."""
        row: Vector = self.culture[cho.State.VOLUME]
        return row

    @property
    def oxygen_percent(self) -> Vector:
        """Return dissolved oxygen, % of air saturation."""
        return gas.oxygen_percent(self.oxygen, self.temperature)

    @property
    def carbon_dioxide_mmhg(self) -> Vector:
        """Return the partial pressure of dissolved carbon dioxide."""
        return acid_base.dissolved(self.carbon, self.ph) / gas.CO2_MM_PER_MMHG

    @property
    def viable(self) -> Vector:
        """Return viable cells, 1e9/L."""
        row: Vector = self.culture[cho.State.VIABLE]
        return row


@dataclass(frozen=True, slots=True)
class Actuators:
    """What acts on the vessels during a step."""

    agitation_rpm: Vector
    air_lpm: Vector
    oxygen_lpm: Vector
    carbon_dioxide_lpm: Vector
    feed_mlpm: Vector
    base_mlpm: Vector
    glucose_mlpm: Vector
    jacket_degc: Vector
    """Setpoint of the jacket."""
    heating: NDArray[np.bool_]
    """Whether the jacket's circuit runs."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Gas between broth and surroundings during a step, mmol/(L h)."""

    oxygen: Vector
    """Taken up by the cells."""
    carbon_dioxide: Vector
    """Produced by the cells; in the headspace: given off by the broth."""


def advance(
    state: State,
    by: Actuators,
    parameters: Parameters,
    design: Design,
    seconds: float,
) -> State:
    """Return the vessels `seconds` later; the given state is left as it was."""
    hours = seconds / 3600.0
    flows_lph = np.array([by.feed_mlpm, by.base_mlpm, by.glucose_mlpm]) * 0.06
    around = _surroundings(state, flows_lph, design)
    rates = cho.rates(state.culture, around, parameters)
    cells = Exchange(rates.oxygen * state.viable, rates.carbon_dioxide * state.viable)
    following = replace(
        state,
        culture=cho.short_step(state.culture, rates, around, parameters, hours),
        antifoam=state.antifoam * np.exp(-hours / ANTIFOAM_FADES_H),
        feed_l=state.feed_l + flows_lph[0] * hours,
        base_l=state.base_l + flows_lph[1] * hours,
        glucose_l=state.glucose_l + flows_lph[2] * hours,
    )
    _exchange_gas(following, state, by, cells, design, hours)
    _balance_acids(following, state, flows_lph, design, hours)
    _balance_heat(following, state, by, cells, design, seconds)
    return following


def _surroundings(state: State, flows_lph: Vector, design: Design) -> Environment:
    total = flows_lph.sum(axis=0)
    glucose = flows_lph[0] * design.feed_glucose + flows_lph[2] * design.glucose_stock
    return Environment(
        temperature_degc=state.temperature,
        ph=state.ph,
        oxygen_percent=state.oxygen_percent,
        inflow_lph=total,
        glucose_in=glucose / np.maximum(total, 1e-9),
    )


def _exchange_gas(
    out: State,
    state: State,
    by: Actuators,
    cells: Exchange,
    design: Design,
    hours: float,
) -> None:
    sparge = Sparge(by.air_lpm, by.oxygen_lpm, by.carbon_dioxide_lpm)
    volume = state.volume
    atm = gas.pressure_atm(state.head_mbar, volume, design)
    kla = gas.kla_per_h(by.agitation_rpm, sparge, volume, design)
    kla = kla * (1.0 - design.antifoam_on_kla * state.antifoam)
    ceiling = gas.oxygen_saturation(
        sparge, cells.oxygen, volume, atm, state.temperature
    )
    target = ceiling - cells.oxygen / kla
    out.oxygen = np.maximum(gas.relaxed(state.oxygen, target, kla, hours), 0.0)
    per_h, entering = gas.carbon_dioxide_stripping(kla, sparge, volume, atm)
    dissolved = acid_base.dissolved(state.carbon, state.ph)
    settled = entering + cells.carbon_dioxide / per_h
    out.carbon = (
        state.carbon + gas.relaxed(dissolved, settled, per_h, hours) - dissolved
    )
    _fill_headspace(
        out, sparge, Exchange(cells.oxygen, per_h * dissolved), design, hours
    )


def _fill_headspace(
    out: State,
    sparge: Sparge,
    broth: Exchange,
    design: Design,
    hours: float,
) -> None:
    per_min = out.volume / 60_000.0
    o2, co2, flow = gas.off_gas(
        sparge,
        design.overlay_lpm,
        broth.oxygen * per_min,
        broth.carbon_dioxide * per_min,
    )
    per_h = 60.0 * flow / np.maximum(design.gas_room_l - out.volume, 100.0)
    out.off_o2 = gas.relaxed(out.off_o2, o2, per_h, hours)
    out.off_co2 = gas.relaxed(out.off_co2, co2, per_h, hours)
    out.off_flow = flow
    out.head_mbar = 5.0 + 0.5 * flow


def _balance_acids(
    out: State, state: State, flows_lph: Vector, design: Design, hours: float
) -> None:
    volume = state.volume
    added = flows_lph * hours / volume
    base_eq = added[1] * design.base_eq_per_l * 1000.0
    diluted = added.sum(axis=0)
    out.alkalinity = state.alkalinity + (
        base_eq + added[0] * design.feed_alkalinity - diluted * state.alkalinity
    )
    out.carbon = np.maximum(
        out.carbon + CARBONATE_PER_EQ * base_eq - diluted * state.carbon, 0.01
    )
    strong = (
        out.alkalinity
        + out.culture[cho.State.AMMONIUM]
        - out.culture[cho.State.LACTATE]
    )
    out.ph = acid_base.ph(out.carbon, strong, state.ph)


def _balance_heat(
    out: State,
    state: State,
    by: Actuators,
    cells: Exchange,
    design: Design,
    seconds: float,
) -> None:
    jacket_to = np.where(by.heating, by.jacket_degc, state.temperature)
    hours = seconds / 3600.0
    lag_per_h = np.full_like(jacket_to, 3600.0 / design.jacket_lag_s)
    out.jacket = gas.relaxed(state.jacket, jacket_to, lag_per_h, hours)
    through = np.where(by.heating, design.jacket_w_per_k, 0.0)
    loss = design.ambient_w_per_k
    respiration_w = HEAT_KJ_PER_MMOL * cells.oxygen * state.volume / 3.6
    stirring_w = gas.power_w(by.agitation_rpm, design)
    settled = (
        respiration_w
        + stirring_w
        + through * 0.5 * (state.jacket + out.jacket)
        + loss * design.ambient_degc
    ) / (through + loss)
    capacity_j = state.volume * design.broth_kg_per_l * HEAT_CAPACITY * 1000.0
    per_h = 3600.0 * (through + loss) / capacity_j
    out.temperature = gas.relaxed(state.temperature, settled, per_h, hours)
