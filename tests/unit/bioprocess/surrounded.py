"""Surroundings of a culture that a test holds constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.bioprocess.process import Surroundings

if TYPE_CHECKING:
    from shared.bioprocess.process import Process


def around(  # noqa: PLR0917
    process: Process,
    temperature_degc: float = 37.0,
    ph: float = 7.0,
    oxygen_percent: float | np.ndarray = 40.0,
    feed_lph: float = 0.0,
    evaporation_lph: float = 0.0,
    hours: float = 0.0,
    cultures: int = 1,
) -> Surroundings:
    ones = np.ones(cultures)
    entering = np.zeros((len(process.quantities), cultures))
    for row, amount in process.liquids["feed"].items():
        entering[row] = feed_lph * amount
    return Surroundings(
        temperature_degc=temperature_degc * ones,
        ph=ph * ones,
        oxygen_percent=oxygen_percent * ones,
        agitation_rpm=100.0 * ones,
        carbon_dioxide_mmhg=40.0 * ones,
        inflow_lph=feed_lph * ones,
        outflow_lph=evaporation_lph * ones,
        entering=entering,
        hours=hours * ones,
    )
