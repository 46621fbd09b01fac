"""A 2 000 L single-use vessel and its services: sizes and limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass


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
    kla_constant: float = 102.0
    """kLa = constant (P/V)^0.4 vs^0.5 in 1/h, W/m3, m/s: 3 to 15 1/h in use."""
    antifoam_on_kla: float = 0.15
    """Share of kLa that a fresh antifoam shot takes away."""
    overlay_lpm: float = 10.0
    """Air through the headspace, L/min at 0 °C and 1 atm."""
    air_low_lpm: float = 7.5
    air_high_lpm: float = 30.0
    oxygen_high_lpm: float = 25.0
    carbon_dioxide_high_lpm: float = 10.0
    agitation_low_rpm: float = 80.0
    agitation_high_rpm: float = 140.0
    jacket_w_per_k: float = 1200.0
    """Heat through the jacket."""
    ambient_w_per_k: float = 30.0
    ambient_degc: float = 21.0
    jacket_low_degc: float = 5.0
    jacket_high_degc: float = 65.0
    jacket_lag_s: float = 120.0
    base_high_mlpm: float = 100.0
    base_eq_per_l: float = 2.0
    """1 M sodium carbonate: 2 eq and 1 mol of carbon per litre."""
    bolus_mlpm: float = 600.0
    glucose_stock: float = 2500.0
    """mmol/L of the glucose pump's bottle."""
    feed_glucose: float = 300.0
    """mmol/L of the nutrient feed."""
    feed_alkalinity: float = -40.0
    """meq/L of the nutrient feed."""
    medium_alkalinity: float = 18.0
    """meq/L of fresh medium, strong ions without lactate and ammonium."""
    medium_carbon: float = 19.0
    """mmol/L of inorganic carbon of fresh medium: pH 7.3 or so."""
    feed_tank_kg: float = 800.0
    """Nutrient feed at the start of a batch."""
    feed_kg_per_l: float = 1.06
    broth_kg_per_l: float = 1.01
