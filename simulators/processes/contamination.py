"""Bacteria that share the broth with the culture. Pure.

Monod growth on glucose and oxygen: doubling in 40 min to 2 h, 10 mmol of oxygen per g
and hour at full speed, about 6 meq of acid per g of growth (overflow acids). Magnitudes
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
HALF_OXYGEN = 0.5
"""% air saturation."""
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
    oxygen_percent: Vector,
    hours: float,
) -> Guests:
    """Return what bacteria (g/L) of growth rate `per_h` do in `hours`."""
    speed = (
        per_h
        * glucose / (HALF_GLUCOSE + glucose)
        * oxygen_percent / (HALF_OXYGEN + oxygen_percent)
    )  # fmt: skip
    enough = glucose / max(hours, 1e-9) * G_PER_MMOL_GLUCOSE
    grown_per_h = np.minimum(bacteria * np.expm1(speed * hours) / hours, enough)
    oxygen = OXYGEN_PER_G_H / FULL_SPEED * speed * bacteria
    return Guests(
        grown=bacteria + grown_per_h * hours,
        glucose=grown_per_h / G_PER_MMOL_GLUCOSE,
        oxygen=oxygen,
        acid=ACID_PER_G * grown_per_h,
    )
