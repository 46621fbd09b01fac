"""pH from inorganic carbon and strong ions at 37 °C. Pure.

pH = 6.1 + log10(HCO3 / CO2); HCO3 = strong ions - b (pH - 7), where b is what the
medium's other buffers take up. Concentrations in mmol/L.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

PK_CARBONIC = 6.1
BUFFER_PER_PH = 10.0
"""mmol/L per pH of all buffers but bicarbonate."""
_LN10 = float(np.log(10.0))


def ph(carbon: Vector, strong_ions: Vector, guess: Vector, rounds: int = 4) -> Vector:
    """Return the pH at which all charges balance, within 1e-6 of the root.

    Newton's method; the balance rises monotonically with pH, so there is one root.

    Args:
        carbon: CO2 and HCO3 together.
        strong_ions: charge that bicarbonate and the other buffers have to balance.
        guess: a pH near the root, such as the one of a moment ago.
        rounds: of Newton's method.
    """
    value = guess
    for _ in range(rounds):
        ratio = 10.0 ** (value - PK_CARBONIC)
        bicarbonate = carbon * ratio / (1.0 + ratio)
        balance = bicarbonate + BUFFER_PER_PH * (value - 7.0) - strong_ions
        slope = _LN10 * bicarbonate / (1.0 + ratio) + BUFFER_PER_PH
        value = np.clip(value - balance / slope, 3.0, 11.0)
    return value


def dissolved(carbon: Vector, at_ph: Vector) -> Vector:
    """Return the part of the inorganic carbon that is CO2, mmol/L."""
    return carbon / (1.0 + 10.0 ** (at_ph - PK_CARBONIC))
