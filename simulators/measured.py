"""What perfect instruments would show of a plant. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.processes import gas
from simulators.processes.design import (
    AIR,
    ANTIFOAM,
    BASE,
    CARBON_DIOXIDE,
    FEED,
    GLUCOSE,
    NITROGEN,
    OXYGEN,
)
from simulators.tags import COLUMN, TAGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.bioprocess.process import Process
    from simulators.processes.design import Design
    from simulators.processes.state import Actuators, State
    from simulators.setpoints import Setpoints

    Vector = NDArray[np.float64]

MBAR_PER_MMHG = 1.33322
MV_PER_PH_KELVIN = 0.19842
"""Nernst: mV per pH and kelvin of a perfect probe."""
NA_PER_PERCENT = 0.6
"""Of a polarographic oxygen probe; and its current without oxygen:"""
NA_ZERO = 1.0
LIQUID_LOOPS = {FEED: 121, BASE: 122, GLUCOSE: 123, ANTIFOAM: 124}
"""Numbers of the pumps' loops."""
_BOTTLES = [COLUMN[f"WIT-{number}.PV"] for number in (121, 122, 123, 124)]
_PH, _DEGC = COLUMN["AIC-101.PV"], COLUMN["TIC-101.PV"]
_OXYGEN = COLUMN["AIC-102.PV"]
_RAW_PH, _RAW_OXYGEN = COLUMN["AIC-101.RAW"], COLUMN["AIC-102.RAW"]


def measured(  # noqa: PLR0913  what there is to measure
    state: State,
    setpoints: Setpoints,
    wanted: Vector,
    told: Actuators,
    by: Actuators,
    *,
    bias_lpm: Vector | float,
    outputs: Vector,
    foam: NDArray[np.bool_],
    process: Process,
    design: Design,
) -> Vector:
    """Return the truth behind the tags, shape (vessels, tags of simulators.tags).

    Args:
        state: of the vessels.
        setpoints: which loops are on and which an operator holds.
        wanted: setpoints that count, shape (4, n).
        told: what the machines were told; pumps turn so, whatever flows.
        by: what really acted.
        bias_lpm: gas beyond what the controllers measure, shape (4, n).
        outputs: of the temperature, pH and oxygen loops, shape (3, vessels).
        foam: whether it is at the probe, per vessel.
        process: in the vessels.
        design: sizes of the vessels.
    """
    heat, acid, air = outputs
    manual = setpoints.manual
    columns: dict[str, Vector] = {
        "TIC-101.SP": wanted[0],
        "TIC-101.OUT": heat,
        "TIC-101.MODE": setpoints.warm & ~manual[0],
        "AIC-101.SP": wanted[1],
        "AIC-101.OUT": acid,
        "AIC-101.MODE": setpoints.breathe & ~manual[1],
        "AIC-102.SP": wanted[2],
        "AIC-102.OUT": air,
        "AIC-102.MODE": setpoints.breathe & ~manual[2],
        "FIC-121.SP": wanted[3],
        "LSH-101.PV": foam.astype(float),
        **_broth(state, process, design),
        **_machines(state, told, by, bias_lpm),
        **_stirrer(told, by, design),
    }
    out = np.zeros((len(state.ph), len(TAGS)))
    for name, values in columns.items():
        out[:, COLUMN[name]] = values
    for row in (FEED, BASE, GLUCOSE, ANTIFOAM):
        number = LIQUID_LOOPS[row]
        out[:, COLUMN[f"FIC-{number}.PV"]] = told.liquids_mlpm[row]
        out[:, COLUMN[f"FQ-{number}.PV"]] = state.counted_l[row]
    out[:, _BOTTLES] = _bottles(state, design).T
    return out


def _broth(state: State, process: Process, design: Design) -> dict[str, Vector]:
    """Return what probes, spectra and the off-gas show."""
    biomass = process.biomass(state.culture)
    assays = process.assays(state.culture)
    nothing = np.zeros_like(state.ph)
    return {
        "TIC-101.PV": state.temperature,
        "AIC-101.PV": state.ph,
        "AIC-102.PV": state.oxygen_percent,
        "AIT-103.PV": state.carbon_dioxide_mmhg * MBAR_PER_MMHG,
        "AIT-104.PV": biomass.capacitance,
        "AIT-105.PV": biomass.turbidity + 0.8 * state.bacteria,
        "AIT-106A.PV": assays.get("glucose", nothing),
        "AIT-106B.PV": assays.get("lactate", nothing),
        "AIT-106C.PV": assays.get("titer", nothing),
        "AIT-131.PV": state.off_o2,
        "AIT-132.PV": state.off_co2,
        "PIC-101.PV": state.head_mbar,
        "WIT-101.PV": state.volume * design.broth_kg_per_l,
        "AT-141.PV": 12.6 + 0.05 * state.alkalinity
        - 0.03 * process.strong_ions(state.culture),
    }  # fmt: skip


def _machines(
    state: State, told: Actuators, by: Actuators, bias_lpm: Vector | float
) -> dict[str, Vector]:
    """Return the jacket and the gas controllers."""
    measured_gas = by.gases_lpm - bias_lpm
    return {
        "TIC-102.PV": state.jacket,
        "TIC-102.SP": np.where(by.heating, by.jacket_degc, state.jacket),
        "FIC-111.PV": measured_gas[AIR],
        "FIC-111.SP": told.gases_lpm[AIR],
        "FIC-112.PV": measured_gas[OXYGEN],
        "FIC-112.SP": told.gases_lpm[OXYGEN],
        "FIC-113.PV": measured_gas[CARBON_DIOXIDE],
        "FIC-113.SP": told.gases_lpm[CARBON_DIOXIDE],
        "FIC-114.PV": measured_gas[NITROGEN],
    }


def _stirrer(told: Actuators, by: Actuators, design: Design) -> dict[str, Vector]:
    per_s = by.agitation_rpm / 60.0
    shaft = gas.power_w(by.agitation_rpm, design)
    return {
        "SIC-101.PV": by.agitation_rpm,
        "SIC-101.SP": told.agitation_rpm,
        "JI-101.PV": (shaft / design.motor_efficiency + design.motor_idle_w)
        * (by.agitation_rpm > 0.0),
        "EI-101.PV": shaft / np.maximum(2.0 * np.pi * per_s, 1e-3),
    }


def _bottles(state: State, design: Design) -> Vector:
    """Return the weights, in the order of the liquids."""
    full = np.array(design.bottles_kg)[:, None]
    density = np.array(design.bottle_kg_per_l)[:, None]
    left: Vector = np.maximum(full - density * state.delivered_l, 0.0)
    return left


def with_raw_signals(truth: Vector) -> Vector:
    """Fill in the raw signals of the probes from what they sense; return `truth`."""
    kelvin = truth[:, _DEGC] + 273.15
    truth[:, _RAW_PH] = (7.0 - truth[:, _PH]) * MV_PER_PH_KELVIN * kelvin
    truth[:, _RAW_OXYGEN] = NA_ZERO + NA_PER_PERCENT * truth[:, _OXYGEN]
    return truth
