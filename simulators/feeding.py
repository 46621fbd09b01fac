"""How the nutrient feed is given: fixed, rising, in boluses, or by oxygen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

MLPM_PER_LPD = 1.0 / 1.44


class Strategy(StrEnum):
    """What decides the flow of the feed."""

    FIXED = "fixed"
    """The recipe's flow all the time."""
    EXPONENTIAL = "exponential"
    """Rising with the cells: flow x e^(rate x hours fed)."""
    BOLUS = "bolus"
    """A day's feed within the first hour of each day."""
    OXYGEN_STAT = "oxygen-stat"
    """A pulse whenever oxygen rises because the substrate is used up."""


@dataclass(frozen=True, slots=True)
class Feeding:
    """A feed strategy and its numbers."""

    strategy: Strategy = Strategy.FIXED
    lpd: float = 45.0
    """L per day: 3 % of the start volume; at its start where it rises."""
    rate_per_h: float = 0.0
    """Growth rate that an exponential feed allows."""
    most_lpd: float = 1000.0
    rise_percent: float = 10.0
    """Rise of oxygen above its setpoint that asks for a pulse."""

    @property
    def steady(self) -> bool:
        """Whether the flow changes at phases only."""
        return self.strategy is Strategy.FIXED


def flow_mlpm(
    feeding: Feeding, hours_fed: Vector, oxygen: Vector, setpoint: Vector
) -> Vector:
    """Return the flow to set now, mL/min.

    Args:
        feeding: the strategy.
        hours_fed: since the feed began; negative: not yet.
        oxygen: as shown, % air saturation.
        setpoint: of oxygen.
    """
    start = feeding.lpd * MLPM_PER_LPD
    if feeding.strategy is Strategy.EXPONENTIAL:
        power = np.minimum(feeding.rate_per_h * np.maximum(hours_fed, 0.0), 50.0)
        flow = start * np.exp(power)
    elif feeding.strategy is Strategy.BOLUS:
        flow = np.where(hours_fed % 24.0 < 1.0, 24.0 * start, 0.0)
    elif feeding.strategy is Strategy.OXYGEN_STAT:
        flow = np.where(oxygen > setpoint + feeding.rise_percent, start, 0.0)
    else:
        flow = np.full_like(hours_fed, start)
    most = feeding.most_lpd * MLPM_PER_LPD
    result: Vector = np.where(hours_fed >= 0.0, np.minimum(flow, most), 0.0)
    return result
