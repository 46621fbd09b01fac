"""The oxygen balance of a vessel: what gas loses against what kLa would carry. Pure.

The ratio is near 1 for a stirred vessel whose oxygen probe is right. A probe that reads
low lets the loop raise the true oxygen: less is carried per unit of kLa than the shown
value explains, and the ratio falls, while the shown value stays at its setpoint.

Source: van 't Riet 1979, Ind. Eng. Chem. Process Des. Dev. 18:357 (form of kLa); the
constant is of common 2 000 L vessels and cancels, since the ratio's past is learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.checks import OxygenBalance

NORMAL_L_PER_MOL = 22.414
O2_IN_AIR = 0.2095
VAPOUR_ATM = 0.062
KLA_CONSTANT = 102.0
"""kLa in 1/h from W/m3 and m/s."""
BROTH_KG_PER_L = 1.01


@dataclass(frozen=True, slots=True)
class Means:
    """Means over a window, in the order of `OxygenBalance.tags`."""

    agitation_rpm: float
    air_lpm: float
    oxygen_lpm: float
    carbon_dioxide_lpm: float
    off_oxygen_percent: float
    off_carbon_dioxide_percent: float
    head_mbar: float
    weight_kg: float
    temperature_degc: float
    dissolved_percent: float

    @property
    def volume_l(self) -> float:
        """Return the broth's volume."""
        return self.weight_kg / BROTH_KG_PER_L

    @property
    def sparged_lpm(self) -> float:
        """Return all gas through the broth, normal L/min."""
        return self.air_lpm + self.oxygen_lpm + self.carbon_dioxide_lpm


def transfer_ratio(balance: OxygenBalance, values: Sequence[float]) -> float | None:
    """Return uptake by gas balance / transfer by kLa; None where neither means much.

    Args:
        balance: sizes of the vessel.
        values: means over a window, in the order of `balance.tags`.
    """
    means = Means(*values)
    if means.volume_l < 1.0 or means.agitation_rpm < 1.0 or means.sparged_lpm < 0.5:
        return None
    uptake = _uptake(balance, means)
    transfer = _kla_per_h(balance, means) * _driving_force(balance, means, uptake)
    return uptake / transfer if uptake > 0.0 and transfer > 0.05 else None


def _uptake(balance: OxygenBalance, means: Means) -> float:
    """Return mmol/(L h); nitrogen is inert."""
    air = means.air_lpm + balance.overlay_lpm
    off = (means.off_oxygen_percent / 100.0, means.off_carbon_dioxide_percent / 100.0)
    leaving = (1.0 - O2_IN_AIR) * air / max(1.0 - sum(off), 0.05)
    litres = O2_IN_AIR * air + means.oxygen_lpm - leaving * off[0]
    return litres / NORMAL_L_PER_MOL * 60_000.0 / means.volume_l


def _kla_per_h(balance: OxygenBalance, means: Means) -> float:
    per_s = means.agitation_rpm / 60.0
    watts = balance.power_number * 1000.0 * per_s**3 * balance.impeller_m**5
    velocity = means.sparged_lpm / 60_000.0 / balance.cross_section_m2
    per_m3 = watts / (means.volume_l / 1000.0)
    return float(KLA_CONSTANT * per_m3**0.4 * velocity**0.5)


def _driving_force(balance: OxygenBalance, means: Means, uptake: float) -> float:
    """Return equilibrium with the mean bubble minus what is dissolved, mmol/L."""
    depth_m = means.volume_l / 1000.0 / balance.cross_section_m2
    atm = 1.0 + (means.head_mbar + 0.5 * 98.1 * depth_m) / 1013.25
    share = (O2_IN_AIR * means.air_lpm + means.oxygen_lpm) / means.sparged_lpm
    inflow = means.sparged_lpm / NORMAL_L_PER_MOL * 60_000.0
    bubble = max(share - 0.5 * uptake * means.volume_l / inflow, 0.0)
    solubility = 0.93 * (1.0 - 0.013 * (means.temperature_degc - 37.0))
    shown = means.dissolved_percent / 100.0 * O2_IN_AIR * (1.0 - VAPOUR_ATM)
    return float(solubility * (bubble * (atm - VAPOUR_ATM) - shown))
