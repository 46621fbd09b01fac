"""Builds a `Mewma` from normal recordings: what is normal, and its limits.

The limits are set on rows that the whitening did not see: each block of the normal
rows is judged by a whitening of all the others. A vessel whose limits come from its
own training rows cries wolf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from services.monitor.detectors.mewma import (
    CHARTS,
    HORIZONS,
    SPREADS,
    Guard,
    Mewma,
    advanced,
    charts,
)
from services.monitor.detectors.whitening import Whitening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOCKS = 12
"""Blocks of the normal rows, each held out once."""
RATE = 0.01
"""Share of held-out normal rows with an alarm that the limits are set for."""


def learned(
    tags: Sequence[str],
    normal: Sequence[NDArray[np.float64]],
    rate: float = RATE,
    guard: Guard = Guard(),  # noqa: B008  frozen
) -> Mewma:
    """Return a detector that has learned normal recordings.

    Args:
        tags: names, in the order of a row.
        normal: recordings without a fault, each [time, tag].
        rate: share of normal rows that may alarm.
        guard: when rows are learned from later.
    """
    whitening = Whitening(len(tags))
    whitening.fit(np.concatenate(normal))
    return Mewma(tags, whitening, limits(normal, rate), guard)


def limits(normal: Sequence[NDArray[np.float64]], rate: float) -> NDArray[np.float64]:
    """Return [chart]: each chart's own limit, together exceeded at `rate`."""
    blocks = _blocks(normal)
    held = np.concatenate([_held_out(blocks, i) for i in range(len(blocks))])
    each = np.maximum(np.quantile(held, 1.0 - rate, axis=0), 1e-9)
    fused = (held / each).max(axis=1)
    out: NDArray[np.float64] = each * np.quantile(fused, 1.0 - rate)
    return out


def all_charts(whitening: Whitening, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [time, chart] for a whole recording at once, as `Mewma` has them."""
    return charts_of(whitening.white(rows), np.isfinite(rows))


def charts_of(
    white: NDArray[np.float64], here: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return [time, chart] of whitened rows; `here`: where a row has a value."""
    if not here.all():
        return _row_by_row(white, here)
    means = np.stack([_weighted(white, w) for w in HORIZONS], axis=1)
    spreads = np.stack([_weighted(white**2 - 1.0, w) for w in SPREADS], axis=1)
    return charts(means, spreads)


def _row_by_row(
    white: NDArray[np.float64], here: NDArray[np.bool_]
) -> NDArray[np.float64]:
    means = np.zeros((len(HORIZONS), white.shape[1]))
    spreads = np.zeros((len(SPREADS), white.shape[1]))
    out = np.empty((len(white), CHARTS))
    for i, row in enumerate(white):
        means, spreads = advanced(means, spreads, row, here[i])
        out[i] = charts(means, spreads)
    return out


def _weighted(rows: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    out: NDArray[np.float64] = lfilter([weight], [1.0, weight - 1.0], rows, axis=0)
    return out


def _blocks(normal: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    total = sum(len(rows) for rows in normal)
    return [
        block
        for rows in normal
        for block in np.array_split(rows, max(1, round(BLOCKS * len(rows) / total)))
    ]


def _held_out(blocks: Sequence[NDArray[np.float64]], i: int) -> NDArray[np.float64]:
    whitening = Whitening(blocks[i].shape[1])
    others = [block for j, block in enumerate(blocks) if j != i]
    whitening.fit(np.concatenate(others or [blocks[i]]))
    return all_charts(whitening, blocks[i])
