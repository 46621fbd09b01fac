"""A 2 000 L single-use vessel and its services: sizes and limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FEED, BASE, GLUCOSE, ANTIFOAM = range(4)
"""Rows of everything that counts liquids."""
LIQUIDS = ("feed", "base", "glucose", "antifoam")
AIR, OXYGEN, CARBON_DIOXIDE, NITROGEN = range(4)
"""Rows of everything that counts gases."""


@dataclass(frozen=True, slots=True)
class Design:
    """Sizes of a vessel; magnitudes are those of common 2 000 L single-use vessels."""

    cross_section_m2: float = 1.13
    """Diameter 1.2 m."""
    gas_room_l: float = 2600.0
    """Broth and headspace together."""
    power_number: float = 0.5
    """Of the pitched-blade impeller, gassed."""
    impeller_m: float = 0.45
    motor_idle_w: float = 30.0
    """Electrical power of the drive in air."""
    motor_efficiency: float = 0.8
    kla_constant: float = 102.0
    """kLa = constant (P/V)^0.4 vs^0.5 in 1/h, W/m3, m/s: 3 to 15 1/h in use."""
    antifoam_on_kla: float = 0.15
    """Share of kLa that a fresh antifoam shot takes away."""
    antifoam_shot_l: float = 0.03
    """20 ppm of the broth."""
    antifoam_mlpm: float = 60.0
    antifoam_pause_s: float = 600.0
    """Shortest time between two shots."""
    foam_per_h: float = 0.2
    """Foam alarms per hour at 20e9 cells/L and full gas flow."""
    overlay_lpm: float = 10.0
    """Air through the headspace, L/min at 0 °C and 1 atm."""
    air_low_lpm: float = 7.5
    air_high_lpm: float = 30.0
    oxygen_high_lpm: float = 25.0
    carbon_dioxide_high_lpm: float = 10.0
    oxygen_gain: float = 0.4
    """Of the oxygen loop, % output per % air saturation."""
    oxygen_integral_s: float = 480.0
    agitation_low_rpm: float = 80.0
    agitation_high_rpm: float = 140.0
    vent_mbar: float = 5.0
    """Head pressure without flow, from the exhaust's water lock."""
    vent_mbar_per_lpm: float = 0.5
    """Resistance of the dry vent filter."""
    relief_mbar: float = 100.0
    """Head pressure at which the vessel relieves."""
    jacket_w_per_k: float = 1200.0
    """Heat through the jacket."""
    ambient_w_per_k: float = 30.0
    ambient_degc: float = 21.0
    jacket_low_degc: float = 5.0
    jacket_high_degc: float = 65.0
    jacket_lag_s: float = 120.0
    evaporation_per_day: float = 0.001
    """Share of the broth that leaves as vapour, with a condenser on the exhaust."""
    base_high_mlpm: float = 100.0
    base_eq_per_l: float = 2.0
    """1 M sodium carbonate: 2 eq and 1 mol of carbon per litre."""
    base_carbon_per_eq: float = 0.5
    """Carbon of the base per equivalent; 0 for ammonia or sodium hydroxide."""
    bolus_mlpm: float = 600.0
    feed_alkalinity: float = -40.0
    """meq/L of the nutrient feed."""
    medium_alkalinity: float = 18.0
    """meq/L of fresh medium, strong ions without lactate and ammonium."""
    medium_carbon: float = 19.0
    """mmol/L of inorganic carbon of fresh medium: pH 7.3 or so."""
    bottles_kg: tuple[float, float, float, float] = (800.0, 60.0, 200.0, 10.0)
    """Nutrient feed, base, glucose and antifoam at the start of a batch."""
    bottle_kg_per_l: tuple[float, float, float, float] = (1.06, 1.1, 1.15, 1.0)
    broth_kg_per_l: float = 1.01

    @property
    def feed_tank_kg(self) -> float:
        """Return the nutrient feed at the start of a batch."""
        return self.bottles_kg[FEED]
