"""The check table of HEK293's capsids, and the cells that it describes."""

from __future__ import annotations

import numpy as np

from shared.bioprocess import capsids, hek

COLUMNS = ("full, 1/mL", "capsids, 1/mL", "vector DNA, 1/mL", "full, %")
START, GAIN, SLOWING = hek.GROWTH_MEASURED
STEP_H = 1 / 30
TABLE = {
    24: ("7.551e8", "2.952e10", "1.260e9", "2.56"),
    36: ("1.262e9", "4.248e10", "2.763e9", "2.97"),
    48: ("1.625e9", "5.241e10", "4.383e9", "3.10"),
    72: ("2.036e9", "6.587e10", "6.675e9", "3.09"),
}


def cells_per_ml(hour: float) -> float:
    return float(START + GAIN / SLOWING * (1.0 - np.exp(-SLOWING * hour)))


def growth(hour: float) -> np.ndarray:
    return np.array([GAIN * np.exp(-SLOWING * hour) / cells_per_ml(hour)])


def transfected_cells() -> dict[int, np.ndarray]:
    """Return the cells of every full hour."""
    cell, found = capsids.transfected(capsids.PLASMID), {}
    for number in range(round(72 / STEP_H)):
        hour = number * STEP_H
        if abs(hour - 6.0) < 1e-6:
            cell[:3] = 0.0
        cell = capsids.step(cell, growth(hour + 0.5 * STEP_H), STEP_H)
        if abs(hour + STEP_H - round(hour + STEP_H)) < 1e-6:
            found[round(hour + STEP_H)] = cell
    return found
