"""What perfect instruments would show of a plant. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.tags import TAGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simulators.processes.design import Design
    from simulators.processes.vessel import Actuators, State
    from simulators.recipes import Setpoints

    Vector = NDArray[np.float64]

MBAR_PER_MMHG = 1.33322
PF_PER_CM = 0.55
"""Capacitance per 1e9 viable cells/L."""


def measured(  # noqa: PLR0913  what there is to measure
    state: State,
    setpoints: Sequence[Setpoints],
    told: Actuators,
    by: Actuators,
    *,
    outputs: Vector,
    withheld_l: Vector,
    foam: NDArray[np.bool_],
    design: Design,
) -> Vector:
    """Return the truth behind the tags, shape (vessels, tags of simulators.tags).

    Args:
        state: of the vessels.
        setpoints: one per vessel.
        told: what the machines were told; the feed pump turns so, whatever flows.
        by: what really acted.
        outputs: of the temperature, pH and oxygen loops, shape (3, vessels).
        withheld_l: feed that the pump counted but that did not flow.
        foam: whether it is at the probe, per vessel.
        design: sizes of the vessels.
    """
    heat, acid, air = outputs
    columns = {
        "TIC-101.PV": state.temperature,
        "TIC-101.SP": [s.temperature_degc for s in setpoints],
        "TIC-101.OUT": heat,
        "TIC-102.PV": state.jacket,
        "AIC-101.PV": state.ph,
        "AIC-101.SP": [s.ph for s in setpoints],
        "AIC-101.OUT": acid,
        "AIC-102.PV": state.oxygen_percent,
        "AIC-102.SP": [s.oxygen_percent for s in setpoints],
        "AIC-102.OUT": air,
        "AIC-102.MODE": [float(s.breathe) for s in setpoints],
        "AIT-103.PV": state.carbon_dioxide_mmhg * MBAR_PER_MMHG,
        "AIT-104.PV": PF_PER_CM * state.viable,
        "AIT-131.PV": state.off_o2,
        "AIT-132.PV": state.off_co2,
        "PIC-101.PV": state.head_mbar,
        "SIC-101.PV": by.agitation_rpm,
        "FIC-111.PV": by.air_lpm,
        "FIC-112.PV": by.oxygen_lpm,
        "FIC-113.PV": by.carbon_dioxide_lpm,
        "FIC-121.PV": told.feed_mlpm,
        "FIC-121.SP": [s.feed_mlpm for s in setpoints],
        "FIC-122.PV": by.base_mlpm,
        "FIC-123.PV": by.glucose_mlpm,
        "FQ-121.PV": state.feed_l + withheld_l,
        "FQ-122.PV": state.base_l,
        "FQ-123.PV": state.glucose_l,
        "WIT-101.PV": state.volume * design.broth_kg_per_l,
        "WIT-121.PV": design.feed_tank_kg - state.feed_l * design.feed_kg_per_l,
        "LSH-101.PV": foam,
    }
    return np.stack([np.asarray(columns[tag.name], float) for tag in TAGS], axis=1)
