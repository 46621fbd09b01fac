"""Chance events of a fault, such as bubbles on a probe: random, but without memory.

Which they are follows from the fault's key and the hour alone, so a restart, a twin or
another step of time sees the same. Pure.
"""

from __future__ import annotations

import numpy as np

HOUR_S = 3600.0


def height(
    key: int, since_s: float, per_h: float, lasting_s: float, largest: float
) -> float:
    """Return how far events push a reading at an instant; 0 between them.

    Args:
        key: of the fault.
        since_s: seconds since its onset; not negative.
        per_h: mean events per hour.
        lasting_s: longest event; they last from a sixtieth of it.
        largest: highest event; they reach from an eighth of it.
    """
    hour = int(since_s // HOUR_S)
    reached = 0.0
    for at in (hour - 1, hour):
        if at < 0:
            continue
        random = np.random.Generator(np.random.PCG64([key, at]))
        for _ in range(int(random.poisson(per_h))):
            begins = (at + random.random()) * HOUR_S
            lasts = lasting_s * (1.0 / 60.0 + 59.0 / 60.0 * random.random())
            size = largest * (0.125 + 0.875 * random.random())
            if begins <= since_s < begins + lasts and abs(size) > abs(reached):
                reached = size
    return reached
