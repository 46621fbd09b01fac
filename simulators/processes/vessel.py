"""The vessels: culture, gases, acids, heat and weights advanced together. Pure.

Every field is an array over the vessels. First-order processes are advanced exactly,
the culture by its own rule: steps up to two minutes are exact enough, and nothing
becomes unstable beyond, but the control loops around it get coarse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.bioprocess.process import Surroundings
from simulators.processes import acid_base, contamination, gas
from simulators.processes.design import (
    AIR,
    BASE,
    CARBON_DIOXIDE,
    FEED,
    LIQUIDS,
    NITROGEN,
    OXYGEN,
)
from simulators.processes.gas import Sparge
from simulators.processes.state import Actuators, Crossing, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.bioprocess.process import Exchange, Process
    from simulators.processes.contamination import Guests
    from simulators.processes.design import Design

    Vector = NDArray[np.float64]

HEAT_KJ_PER_MMOL = 0.46
"""Heat of respiration per oxygen."""
HEAT_CAPACITY = 4.18
"""Broth, kJ/(kg K)."""
VAPOUR_KJ_PER_L = 2430.0
ANTIFOAM_FADES_H = 1.5
LEAST_ROOM = 0.04
"""Share of the gas room that even a full vessel leaves for gas."""
ANTIFOAM_MOST = 3.0
"""Shots beyond which antifoam does no more to kLa."""

__all__ = ["Actuators", "Crossing", "Reactor", "State"]


@dataclass(slots=True)
class _Broth:
    """What the broth takes up and gives off in a step."""

    oxygen: Vector
    """Taken up by cells, mmol/(L h)."""
    carbon_dioxide: Vector
    """Given off by cells, mmol/(L h)."""
    acid: Vector
    """By bacteria, meq/(L h)."""


class Reactor:
    """Vessels of one design around one process; keeps no state."""

    def __init__(self, process: Process, design: Design) -> None:
        self.process, self.design = process, design
        names = [quantity.name for quantity in process.quantities]
        self.substrate = names.index("glucose") if "glucose" in names else None
        """Row of what bacteria eat and a bolus brings; None: there is none."""
        self._brought = [
            (row, quantity, amount)
            for row, liquid in enumerate(LIQUIDS)
            for quantity, amount in process.liquids.get(liquid, {}).items()
        ]

    def advance(
        self,
        state: State,
        by: Actuators,
        factors: Mapping[str, Vector],
        hours_of_culture: Vector,
        seconds: float,
    ) -> tuple[State, Crossing]:
        """Return the vessels `seconds` later; the given state is left as it was.

        Args:
            state: of the vessels.
            by: what acts on them.
            factors: on the process's constants.
            hours_of_culture: since inoculation, negative before.
            seconds: length of the step.
        """
        hours = seconds / 3600.0
        flows_lph = by.liquids_mlpm * 0.06
        vapour_lph = self._vapour(state)
        around = self._surroundings(state, by, flows_lph, vapour_lph, hours_of_culture)
        culture, cells = self.process.advance(state.culture, around, factors, hours)
        out = _following(state, culture, culture[self.process.volume_row].copy())
        out.delivered_l = state.delivered_l + flows_lph * hours
        out.evaporated_l = state.evaporated_l + vapour_lph * hours
        out.antifoam = np.minimum(
            state.antifoam * np.exp(-hours / ANTIFOAM_FADES_H)
            + flows_lph[3] * hours / self.design.antifoam_shot_l,
            ANTIFOAM_MOST,
        )
        g = by.gases_lpm
        sparge = Sparge(g[AIR], g[OXYGEN], g[CARBON_DIOXIDE], g[NITROGEN])
        kla, atm = self._transfer(state, by, sparge)
        broth = self._broth(out, state, cells, (sparge, kla, atm), hours)
        gases = self._exchange_gas(out, state, by, broth, (sparge, kla, atm), hours)
        self._balance_acids(out, state, flows_lph, broth, hours)
        self._balance_heat(out, state, by, broth, seconds)
        design = self.design
        carbonate = flows_lph[BASE] * design.base_eq_per_l * design.base_carbon_per_eq
        crossing = Crossing(
            **gases,
            liquids_in=flows_lph.sum(axis=0) * hours,
            evaporated=vapour_lph * hours,
        )
        crossing.carbon_in[:] += 1000.0 * carbonate * hours
        return out, crossing

    def _vapour(self, state: State) -> Vector:
        """Return the water that evaporates, L/h: of warm broth only."""
        warm = np.maximum(state.temperature - self.design.ambient_degc, 0.0) / 16.0
        return self.design.evaporation_per_day / 24.0 * state.volume * warm

    def _surroundings(
        self,
        state: State,
        by: Actuators,
        flows_lph: Vector,
        vapour_lph: Vector,
        hours_of_culture: Vector,
    ) -> Surroundings:
        entering = np.zeros_like(state.culture)
        for liquid, quantity, amount in self._brought:
            entering[quantity] += flows_lph[liquid] * amount
        return Surroundings(
            temperature_degc=state.temperature,
            ph=state.ph,
            oxygen_percent=state.oxygen_percent,
            agitation_rpm=by.agitation_rpm,
            carbon_dioxide_mmhg=state.carbon_dioxide_mmhg,
            inflow_lph=flows_lph.sum(axis=0),
            outflow_lph=vapour_lph,
            entering=entering,
            hours=hours_of_culture,
        )

    def _transfer(
        self, state: State, by: Actuators, sparge: Sparge
    ) -> tuple[Vector, Vector]:
        """Return kLa, 1/h, and the pressure of the bubbles, atm."""
        design = self.design
        kla = gas.kla_per_h(by.agitation_rpm, sparge, state.volume, design)
        fresh = np.minimum(design.antifoam_on_kla * state.antifoam, 0.4)
        return kla * (1.0 - fresh), gas.pressure_atm(
            state.head_mbar, state.volume, design
        )

    def _broth(
        self,
        out: State,
        state: State,
        cells: Exchange,
        gases: tuple[Sparge, Vector, Vector],
        hours: float,
    ) -> _Broth:
        if self.substrate is None or not state.bacteria.any():
            return _Broth(
                cells.oxygen, cells.carbon_dioxide, np.zeros_like(state.volume)
            )
        sparge, kla, atm = gases
        ceiling = gas.oxygen_saturation(
            sparge, cells.oxygen, state.volume, atm, state.temperature
        )
        supply = kla * ceiling + state.oxygen / max(hours, 0.02) - cells.oxygen
        guests: Guests = contamination.grow(
            state.bacteria,
            state.bacteria_per_h,
            state.culture[self.substrate],
            supply,
            hours,
        )
        out.bacteria = guests.grown
        left = out.culture[self.substrate] - guests.glucose * hours
        out.culture[self.substrate] = np.maximum(left, 0.0)
        return _Broth(
            cells.oxygen + guests.oxygen,
            cells.carbon_dioxide + guests.oxygen,
            guests.acid,
        )

    def _exchange_gas(
        self,
        out: State,
        state: State,
        by: Actuators,
        broth: _Broth,
        gases: tuple[Sparge, Vector, Vector],
        hours: float,
    ) -> dict[str, Vector]:
        volume = state.volume
        sparge, kla, atm = gases
        ceiling = gas.oxygen_saturation(
            sparge, broth.oxygen, volume, atm, state.temperature
        )
        target = ceiling - broth.oxygen / kla
        out.oxygen = np.maximum(gas.relaxed(state.oxygen, target, kla, hours), 0.0)
        dissolved = acid_base.dissolved(state.carbon, state.ph)
        per_h, entering = gas.carbon_dioxide_stripping(kla, sparge, volume, atm)
        settled = entering + broth.carbon_dioxide / per_h
        change = gas.relaxed(dissolved, settled, per_h, hours) - dissolved
        out.carbon = state.carbon + change
        kept = broth.oxygen + (out.oxygen - state.oxygen) / hours
        kept = np.minimum(kept, kla * ceiling)
        given = broth.carbon_dioxide - change / hours
        used = np.where(
            out.oxygen > 0.0, broth.oxygen, kept - (out.oxygen - state.oxygen) / hours
        )
        o2_in, o2_out, co2_out = self._fill_headspace(
            out, sparge, by, (kept, given), volume, hours
        )
        per_step = volume * hours
        return {
            "oxygen_in": o2_in,
            "oxygen_out": o2_out,
            "oxygen_used": used * per_step,
            "carbon_in": sparge.carbon_dioxide / gas.NORMAL_L_PER_MOL * 6e4 * hours,
            "carbon_out": co2_out,
            "carbon_made": broth.carbon_dioxide * per_step,
        }

    def _fill_headspace(
        self,
        out: State,
        sparge: Sparge,
        by: Actuators,
        moved: tuple[Vector, Vector],
        before_l: Vector,
        hours: float,
    ) -> tuple[Vector, Vector, Vector]:
        """Mix what leaves the broth into the headspace; return mmol in and out.

        Args:
            out: changed.
            sparge: what enters the broth.
            by: what acts on the vessels.
            moved: oxygen the broth keeps and carbon dioxide it gives off, mmol/(L h).
            before_l: broth at the start of the step; what rises pushes gas out.
            hours: length of the step.
        """
        design = self.design
        per_min = out.volume / 60_000.0
        o2, co2, flow = gas.off_gas(
            sparge, design.overlay_lpm, moved[0] * per_min, moved[1] * per_min
        )
        room = np.maximum(
            design.gas_room_l - out.volume, LEAST_ROOM * design.gas_room_l
        )
        per_h = 60.0 * flow / room
        before = out.off_o2, out.off_co2
        pushed_out = out.volume - before_l
        out.off_o2 = gas.relaxed(out.off_o2, o2, per_h, hours)
        out.off_co2 = gas.relaxed(out.off_co2, co2, per_h, hours)
        out.off_flow = flow
        resistance = design.vent_mbar_per_lpm * by.vent
        settled = np.minimum(design.vent_mbar + resistance * flow, design.relief_mbar)
        filling = 60.0 * 1013.0 / (resistance * room)
        out.head_mbar = gas.relaxed(out.head_mbar, settled, filling, hours)
        mmol_per_percent = 10.0 / gas.NORMAL_L_PER_MOL
        passed = flow * 60.0 * hours
        air = gas.O2_IN_AIR * (sparge.air + design.overlay_lpm) + sparge.oxygen
        return (
            air / gas.NORMAL_L_PER_MOL * 6e4 * hours,
            mmol_per_percent
            * (o2 * passed - room * (out.off_o2 - before[0]) + pushed_out * before[0]),
            mmol_per_percent
            * (
                co2 * passed - room * (out.off_co2 - before[1]) + pushed_out * before[1]
            ),
        )

    def _balance_acids(
        self, out: State, state: State, flows_lph: Vector, broth: _Broth, hours: float
    ) -> None:
        design = self.design
        added = flows_lph * hours / state.volume
        base_eq = added[BASE] * design.base_eq_per_l * 1000.0
        diluted = out.volume / state.volume - 1.0
        out.alkalinity = state.alkalinity + (
            base_eq
            + added[FEED] * design.feed_alkalinity
            - diluted * state.alkalinity
            - broth.acid * hours
        )
        out.carbon = np.maximum(
            out.carbon + design.base_carbon_per_eq * base_eq - diluted * state.carbon,
            0.01,
        )
        strong = out.alkalinity + self.process.strong_ions(out.culture)
        out.ph = acid_base.ph(out.carbon, strong, state.ph)

    def _balance_heat(
        self, out: State, state: State, by: Actuators, broth: _Broth, seconds: float
    ) -> None:
        design, hours = self.design, seconds / 3600.0
        jacket_to = np.where(by.heating, by.jacket_degc, state.temperature)
        lag_per_h = np.full_like(jacket_to, 3600.0 / design.jacket_lag_s)
        out.jacket = gas.relaxed(state.jacket, jacket_to, lag_per_h, hours)
        through = np.where(by.heating, design.jacket_w_per_k, 0.0) * by.jacket_share
        loss = design.ambient_w_per_k
        respiration_w = HEAT_KJ_PER_MMOL * broth.oxygen * state.volume / 3.6
        stirring_w = gas.power_w(by.agitation_rpm, design)
        vapour_w = VAPOUR_KJ_PER_L * self._vapour(state) / 3.6
        settled = (
            respiration_w
            + stirring_w
            - vapour_w
            + through * 0.5 * (state.jacket + out.jacket)
            + loss * design.ambient_degc
        ) / (through + loss)
        capacity_j = state.volume * design.broth_kg_per_l * HEAT_CAPACITY * 1000.0
        per_h = 3600.0 * (through + loss) / capacity_j
        out.temperature = gas.relaxed(state.temperature, settled, per_h, hours)


def _following(state: State, culture: Vector, volume: Vector) -> State:
    """Return a state to be filled in; what is not replaced is a copy's own."""
    return State(
        culture=culture,
        volume=volume,
        temperature=state.temperature,
        jacket=state.jacket,
        oxygen=state.oxygen,
        carbon=state.carbon,
        alkalinity=state.alkalinity,
        ph=state.ph,
        off_o2=state.off_o2,
        off_co2=state.off_co2,
        off_flow=state.off_flow,
        antifoam=state.antifoam,
        head_mbar=state.head_mbar,
        delivered_l=state.delivered_l,
        counted_l=state.counted_l.copy(),
        evaporated_l=state.evaporated_l,
        bacteria=state.bacteria.copy(),
        bacteria_per_h=state.bacteria_per_h.copy(),
    )
