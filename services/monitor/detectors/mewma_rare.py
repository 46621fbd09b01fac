"""Limits of a `Mewma` for alarms as rare as one in a week, from a few hundred rows.

A few hundred rows do not show what happens once in two thousand. So the shape of each
chart's tail is taken from simulated rows that are what whitened rows should be, normal
and independent, and its size from the mean of the chart on held-out rows: whatever
wanders, or was learned from too little, makes that mean larger.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.detectors.mewma import Guard, Mewma
from services.monitor.detectors.mewma_limits import BLOCKS, charts_of
from services.monitor.detectors.whitening import Whitening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIMULATED = 100_000
"""Rows."""
PART = 5_000
"""Rows simulated at once: what they need of memory stays small."""
SEED = 11
BEGIN = 100
"""Rows after which the slowest chart no longer knows its beginning."""
OFF = 0.8
"""Share of the limit below which an alarm is over; the next row beyond is another."""

CAUTION = 25.0
"""Less the tags, over the rows: share by which limits are wider. Few rows say the
charts' means wrongly, which makes alarms; many tags make held-out rows look worse than
those to come, which hides them."""


def learned_rare(
    tags: Sequence[str], normal: NDArray[np.float64], per_row: float
) -> Mewma:
    """Return a detector that has learned normal rows, [time, tag].

    Args:
        tags: names, in the order of a row.
        normal: rows in which nothing was wrong.
        per_row: false alarms a row that are allowed.
    """
    whitening = Whitening(len(tags))
    whitening.fit(normal)
    moving = int(whitening.known.sum())
    means = held_out(normal)[BEGIN:].mean(axis=0)
    wider = 1.0 + (CAUTION - moving) / len(normal)
    limits = wider * means * tails(max(moving, 1), per_row)
    return Mewma(tags, whitening, np.maximum(limits, 1e-9), Guard())


def held_out(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [time, chart]: each block whitened by the others, charts over all."""
    blocks = np.array_split(normal, BLOCKS)
    white = []
    for i, block in enumerate(blocks):
        whitening = Whitening(normal.shape[1])
        whitening.fit(np.concatenate(blocks[:i] + blocks[i + 1 :]))
        white.append(whitening.white(block))
    return charts_of(np.concatenate(white), np.isfinite(normal))


@lru_cache(maxsize=64)
def tails(tags: int, per_row: float) -> NDArray[np.float64]:
    """Return [chart]: limits in means of the charts, left `per_row` times a row.

    Each chart gets the same rank, so that none is deaf because another one is loud.
    """
    simulated = _simulated(tags)
    rows = len(simulated)
    means = simulated.mean(axis=0)
    common, rare = np.log(0.02), np.log(5.0 / rows)
    for _ in range(12):
        share = (common + rare) / 2.0
        limits = np.quantile(simulated, 1.0 - np.exp(share), axis=0)
        if begun((simulated / limits).max(axis=1)) > per_row * rows:
            common = share
        else:
            rare = share
    return np.asarray(limits / means, float)


def begun(scores: NDArray[np.float64]) -> int:
    """Return how many alarms scores begin, in order of time.

    >>> begun(np.array([0.5, 1.2, 0.9, 1.1, 0.5, 1.0]))
    2
    """
    edges = np.where(scores >= 1.0, 1, np.where(scores < OFF, -1, 0))
    edges = edges[edges != 0]
    return int(np.count_nonzero((edges[1:] == 1) & (edges[:-1] == -1)))


@lru_cache(maxsize=8)
def _simulated(tags: int) -> NDArray[np.float64]:
    """Return the charts of rows that are normal and independent, [row, chart]."""
    random = np.random.default_rng([SEED, tags])
    parts = []
    for _ in range(SIMULATED // PART):
        rows = random.standard_normal((PART + BEGIN, tags))
        parts.append(charts_of(rows, np.ones(rows.shape, np.bool_))[BEGIN:])
    return np.concatenate(parts)
