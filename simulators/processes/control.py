"""PID loops and the split of the oxygen loop over stirrer, air and oxygen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.processes.design import Design

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Loop:
    """Tuning of a PID loop; outputs in %."""

    gain: float
    """% per unit of the measured quantity."""
    integral_s: float
    derivative_s: float = 0.0
    """On the measured value, so that a new setpoint does not kick."""
    low: float = 0.0
    high: float = 100.0
    deadband: float = 0.0
    """Errors up to this count as none."""
    idle: float = 0.0
    """Output from which the loop starts."""


TEMPERATURE = Loop(gain=20.0, integral_s=1200.0, idle=50.0)
PH = Loop(gain=120.0, integral_s=2400.0, low=-100.0, deadband=0.04)


def tuning(design: Design) -> tuple[Loop, Loop, Loop]:
    """Return the loops of a vessel: temperature, pH, oxygen."""
    oxygen = Loop(gain=design.oxygen_gain, integral_s=design.oxygen_integral_s)
    return TEMPERATURE, PH, oxygen


@dataclass(frozen=True, slots=True)
class Seen:
    """What a loop sees in a step, per vessel."""

    error: Vector
    """Setpoint less measured."""
    moved: Vector
    """Change of the measured value since the step before."""
    on: Mask
    """Whether the recipe has the loop running."""
    manual: Mask
    """Whether an operator holds the output."""


def output(
    loop: Loop, seen: Seen, memory: Vector, held: Vector, seconds: float
) -> tuple[Vector, Vector]:
    """Return the output and the new integral part, both in %.

    Windup is stopped: the integral rests while the output is at a limit and the error
    would push it further. In manual the integral follows, so that going back to
    automatic does not bump. A loop that is off gives 0 and starts from `idle`.

    Args:
        loop: its tuning.
        seen: what it sees.
        memory: integral part after the step before.
        held: output to hold in manual.
        seconds: length of the step.
    """
    beyond = np.abs(seen.error) - loop.deadband
    counted = np.where(beyond > 0.0, np.sign(seen.error) * beyond, 0.0)
    direct = loop.gain * counted
    moved = memory + direct * min(seconds / loop.integral_s, 0.5)
    if loop.derivative_s:
        direct = direct - loop.gain * loop.derivative_s * seen.moved / seconds
    wanted = direct + moved
    stuck = ((wanted > loop.high) & (counted > 0)) | (
        (wanted < loop.low) & (counted < 0)
    )
    kept = np.where(stuck, memory, np.minimum(np.maximum(moved, loop.low), loop.high))
    if seen.manual.any():
        kept = np.where(seen.manual, held - direct, kept)
    result = np.minimum(np.maximum(direct + kept, loop.low), loop.high)
    return np.where(seen.on, result, 0.0), np.where(seen.on, kept, loop.idle)


def oxygen_split(percent: Vector, design: Design) -> tuple[Vector, Vector, Vector]:
    """Return stirrer (rpm), air and oxygen (L/min) for an output of the oxygen loop."""
    stir = _share(percent / 33.0)
    air = _share((percent - 33.0) / 33.0)
    oxygen = _share((percent - 66.0) / 34.0)
    return (
        design.agitation_low_rpm
        + stir * (design.agitation_high_rpm - design.agitation_low_rpm),
        design.air_low_lpm + air * (design.air_high_lpm - design.air_low_lpm),
        oxygen * design.oxygen_high_lpm,
    )


def _share(of: Vector) -> Vector:
    share: Vector = np.minimum(np.maximum(of, 0.0), 1.0)
    return share
