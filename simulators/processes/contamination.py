"""Bacteria that share the broth with the culture. Pure.

Monod growth on glucose and oxygen: doubling in 40 min to 2 h, 10 mmol of oxygen per g
and hour at full speed, about 6 meq of acid per g of growth (overflow acids). Where
oxygen runs out they take all there is and grow on slowly without. Magnitudes
are those of common fast-growing contaminants, not of one species.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

SEED_G_PER_L = 2e-7
"""One thousand cells per mL."""
HALF_GLUCOSE = 0.3
"""mmol/L."""
WITHOUT_OXYGEN = 0.2
"""Share of the growth that is left without oxygen."""
G_PER_MMOL_GLUCOSE = 0.08
OXYGEN_PER_G_H = 10.0
"""mmol at a growth rate of FULL_SPEED."""
FULL_SPEED = 0.7
ACID_PER_G = 6.0
"""meq per g grown."""


@dataclass(frozen=True, slots=True)
class Guests:
    """What bacteria do to the broth during a step, per L and h."""

    grown: Vector
    """g/L after the step."""
    glucose: Vector
    """Taken up, mmol/(L h)."""
    oxygen: Vector
    """Taken up, mmol/(L h); as much carbon dioxide is given off."""
    acid: Vector
    """meq/(L h)."""


def grow(
    bacteria: Vector,
    per_h: Vector,
    glucose: Vector,
    supply: Vector,
    hours: float,
) -> Guests:
    """Return what bacteria do in `hours`.

    Args:
        bacteria: g/L.
        per_h: their growth rate with all they want.
        glucose: mmol/L.
        supply: oxygen that reaches them, mmol/(L h).
        hours: length of the step.
    """
    wanted = per_h * glucose / (HALF_GLUCOSE + glucose)
    demand = OXYGEN_PER_G_H / FULL_SPEED * wanted * bacteria
    oxygen = np.minimum(demand, np.maximum(supply, 0.0))
    share = np.where(demand > 0.0, oxygen / np.maximum(demand, 1e-30), 1.0)
    speed = wanted * (WITHOUT_OXYGEN + (1.0 - WITHOUT_OXYGEN) * share)
    enough = glucose / max(hours, 1e-9) * G_PER_MMOL_GLUCOSE
    grown_per_h = np.minimum(bacteria * np.expm1(speed * hours) / hours, enough)
    return Guests(
        grown=bacteria + grown_per_h * hours,
        glucose=grown_per_h / G_PER_MMOL_GLUCOSE,
        oxygen=oxygen,
        acid=ACID_PER_G * grown_per_h,
    )
