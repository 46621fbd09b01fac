"""PI loops and the split of the oxygen loop over stirrer, air and oxygen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.processes.design import Design

    Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Loop:
    """Tuning of a PI loop; outputs in %."""

    gain: float
    """% per unit of the measured quantity."""
    integral_s: float
    low: float = 0.0
    high: float = 100.0
    deadband: float = 0.0
    """Errors up to this count as none."""
    idle: float = 0.0
    """Output from which the loop starts."""


TEMPERATURE = Loop(gain=20.0, integral_s=1200.0, idle=50.0)
PH = Loop(gain=120.0, integral_s=2400.0, low=-100.0, deadband=0.04)
OXYGEN = Loop(gain=0.4, integral_s=480.0)


def output(
    loop: Loop, error: Vector, memory: Vector, on: NDArray[np.bool_], seconds: float
) -> tuple[Vector, Vector]:
    """Return the output and the new integral part, both in %.

    Windup is stopped: the integral rests while the output is at a limit and the error
    would push it further. A loop that is off gives 0 and starts again from `idle`.
    """
    beyond = np.abs(error) - loop.deadband
    counted = np.where(beyond > 0.0, np.sign(error) * beyond, 0.0)
    proportional = loop.gain * counted
    moved = memory + proportional * min(seconds / loop.integral_s, 0.5)
    wanted = proportional + moved
    stuck = ((wanted > loop.high) & (counted > 0)) | (
        (wanted < loop.low) & (counted < 0)
    )
    kept = np.where(stuck, memory, np.clip(moved, loop.low, loop.high))
    result = np.clip(proportional + kept, loop.low, loop.high)
    return np.where(on, result, 0.0), np.where(on, kept, loop.idle)


def oxygen_split(percent: Vector, design: Design) -> tuple[Vector, Vector, Vector]:
    """Return stirrer (rpm), air and oxygen (L/min) for an output of the oxygen loop."""
    stir = np.clip(percent / 33.0, 0.0, 1.0)
    air = np.clip((percent - 33.0) / 33.0, 0.0, 1.0)
    oxygen = np.clip((percent - 66.0) / 34.0, 0.0, 1.0)
    return (
        design.agitation_low_rpm
        + stir * (design.agitation_high_rpm - design.agitation_low_rpm),
        design.air_low_lpm + air * (design.air_high_lpm - design.air_low_lpm),
        oxygen * design.oxygen_high_lpm,
    )
