"""Oxygen, carbon dioxide and off-gas. Pure.

kLa after van 't Riet 1979 with constants fitted to cell culture (P/V 10-60 W/m3);
gas flows in normal L/min, liquid concentrations in mmol/L, rates in mmol/(L h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.processes.design import Design

    Vector = NDArray[np.float64]

NORMAL_L_PER_MOL = 22.414
O2_IN_AIR = 0.2095
VAPOUR_ATM = 0.062
"""Water vapour at 37 °C."""
O2_MM_PER_ATM = 0.93
"""Solubility of oxygen in medium at 37 °C."""
CO2_MM_PER_MMHG = 0.0307
"""Solubility of carbon dioxide at 37 °C."""
MMHG_PER_ATM = 760.0
_PER_DEGC = 0.013
"""Relative loss of oxygen solubility per °C."""


@dataclass(frozen=True, slots=True)
class Sparge:
    """Gas that enters the broth, normal L/min."""

    air: Vector
    oxygen: Vector
    carbon_dioxide: Vector
    nitrogen: Vector | float = 0.0

    @property
    def total(self) -> Vector:
        """Return the whole flow; never zero, so that it may divide."""
        flow: Vector = np.maximum(
            self.air + self.oxygen + self.carbon_dioxide + self.nitrogen, 0.05
        )
        return flow


def power_w(agitation_rpm: Vector, design: Design) -> Vector:
    """Return the stirrer's power, W."""
    per_s = agitation_rpm / 60.0
    return design.power_number * 1000.0 * per_s**3 * design.impeller_m**5


def kla_per_h(
    agitation_rpm: Vector, sparge: Sparge, volume_l: Vector, design: Design
) -> Vector:
    """Return kLa of oxygen, 1/h; never below that of the surface."""
    per_m3 = power_w(agitation_rpm, design) / (volume_l / 1000.0)
    velocity = sparge.total / 60_000.0 / design.cross_section_m2
    return np.maximum(design.kla_constant * per_m3**0.4 * velocity**0.5, 0.2)


def pressure_atm(head_mbar: Vector, volume_l: Vector, design: Design) -> Vector:
    """Return the mean absolute pressure of the bubbles: at half depth."""
    depth_m = volume_l / 1000.0 / design.cross_section_m2
    return 1.0 + (head_mbar + 0.5 * 98.1 * depth_m) / 1013.25


def oxygen_solubility(temperature_degc: Vector) -> Vector:
    """Return mmol/L per atm of oxygen."""
    return O2_MM_PER_ATM * np.exp(_PER_DEGC * (37.0 - temperature_degc))


def oxygen_percent(oxygen: Vector, temperature_degc: Vector) -> Vector:
    """Return dissolved oxygen as a probe shows it: % of air at 1 atm and 37 °C."""
    partial = oxygen / oxygen_solubility(temperature_degc)
    return 100.0 * partial / (O2_IN_AIR * (1.0 - VAPOUR_ATM))


def oxygen_saturation(
    sparge: Sparge, uptake: Vector, volume_l: Vector, atm: Vector, degc: Vector
) -> Vector:
    """Return the concentration in equilibrium with the bubbles, mmol/L.

    The bubbles count with the mean of what enters and what leaves them.
    """
    share = (O2_IN_AIR * sparge.air + sparge.oxygen) / sparge.total
    inflow = sparge.total / NORMAL_L_PER_MOL * 60_000.0
    mean = np.maximum(share - 0.5 * uptake * volume_l / inflow, 0.0)
    return oxygen_solubility(degc) * mean * (atm - VAPOUR_ATM)


def relaxed(value: Vector, target: Vector, per_h: Vector, hours: float) -> Vector:
    """Return `value` after it went towards `target` at rate `per_h`; exact."""
    return target + (value - target) * np.exp(-per_h * hours)


def carbon_dioxide_stripping(
    kla: Vector, sparge: Sparge, volume_l: Vector, atm: Vector
) -> tuple[Vector, Vector]:
    """Return the rate constant of stripping, 1/h, and the entering equilibrium, mM.

    Large vessels are limited by how much the gas can carry: both resistances add up.
    """
    full = CO2_MM_PER_MMHG * MMHG_PER_ATM * atm
    carried = sparge.total / NORMAL_L_PER_MOL * 60_000.0
    resistance = 1.0 / (0.9 * kla) + full * volume_l / carried
    share = sparge.carbon_dioxide / sparge.total
    return 1.0 / resistance, full * share


def off_gas(
    sparge: Sparge, overlay_lpm: float, oxygen: Vector, carbon_dioxide: Vector
) -> tuple[Vector, Vector, Vector]:
    """Return O2 %, CO2 % and flow (L/min, dry) of what leaves the broth and overlay.

    Args:
        sparge: what enters the broth.
        overlay_lpm: air that passes the headspace.
        oxygen: that the broth keeps, mol/min.
        carbon_dioxide: that the broth gives off beyond what is sparged, mol/min.
    """
    o2 = O2_IN_AIR * (sparge.air + overlay_lpm) + sparge.oxygen
    o2 = np.maximum(o2 - oxygen * NORMAL_L_PER_MOL, 0.0)
    co2 = np.maximum(sparge.carbon_dioxide + carbon_dioxide * NORMAL_L_PER_MOL, 0.0)
    flow = o2 + co2 + (1.0 - O2_IN_AIR) * (sparge.air + overlay_lpm) + sparge.nitrogen
    return 100.0 * o2 / flow, 100.0 * co2 / flow, flow
