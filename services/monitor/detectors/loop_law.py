"""A controller whose output does not follow the value it holds as it used to.

How an output moves from row to row is a linear function of the latest values: a PID
controller in its velocity form. Normal batches teach it. Where the output moves
otherwise for long, the controller sees another value than the one that is recorded (one
of two sensors drifts), or it was tuned anew. An output at an end of its range says
nothing, and nothing is counted then.

Source: Astrom and Hagglund, PID Controllers, 1995, section 3.5 (velocity algorithms);
the fit is Huber's, Annals of Mathematical Statistics 1964, 35:73.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.trajectory import HOLD_OUTS
from services.monitor.detectors.vector import Contribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LAGS = 4
"""Latest values that move the output, the newest included."""
WEIGHT = 0.1
"""Of the newest row in the mean that is judged."""
MOST = 3.0
"""Scatters that a row counts at most."""
RATE = 0.005
"""Share of held-out normal rows with an alarm that the limit is set for."""
EDGE = 0.02
"""Share of an output's range, at either end, in which it counts as saturated."""
TURNS = 10
"""Of the robust fit."""
HUBER = 2.0
"""Scatters beyond which a row has less say in the fit."""
NORMAL_MEDIAN = 1.4826
"""Standard deviations in the median of the absolute values of a normal variable."""


@dataclass(frozen=True)
class Law:
    """How an output moves in a row."""

    constant: float
    gains: NDArray[np.float64]
    """For each of the latest values, newest first: [lag]."""
    scatter: float
    """Of what it moves otherwise."""
    low: float
    high: float
    """Between these the output follows the law."""


def law(batches: Sequence[NDArray[np.float64]]) -> Law:
    """Return the law of normal batches, each [row, (value, output)]."""
    outputs = np.concatenate([batch[:, 1] for batch in batches])
    least, most = np.nanquantile(outputs, [0.001, 0.999])
    edge = EDGE * (most - least)
    low, high = float(least + edge), float(most - edge)
    pairs = [_moves(batch, low, high) for batch in batches]
    values = np.concatenate([values for values, _ in pairs])
    moved = np.concatenate([moved for _, moved in pairs])
    middle = float(values.mean())
    known = np.column_stack([np.ones(len(moved)), values - middle])
    found, scatter = _fitted(known, moved)
    constant = float(found[0] - found[1:].sum() * middle)
    return Law(constant, found[1:], scatter, low, high)


def _moves(
    batch: NDArray[np.float64], low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the latest values [row, lag] and how the output moved [row]."""
    rows = len(batch)
    latest = [batch[LAGS - 1 - lag : rows - lag, 0] for lag in range(LAGS)]
    values, outputs = np.column_stack(latest), batch[LAGS - 2 :, 1]
    inside = (outputs > low) & (outputs < high)
    counts = inside[1:] & inside[:-1] & np.isfinite(values).all(axis=1)
    return values[counts], np.diff(outputs)[counts]


def _fitted(
    known: NDArray[np.float64], moved: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return what is multiplied with `known`, and the scatter around that."""
    say = np.ones(len(moved))
    for _ in range(TURNS):
        found = np.linalg.lstsq(known * say[:, np.newaxis], moved * say, rcond=None)[0]
        off = np.abs(moved - known @ found)
        scatter = max(NORMAL_MEDIAN * float(np.median(off)), 1e-12)
        say = np.sqrt(np.minimum(1.0, HUBER * scatter / np.maximum(off, 1e-12)))
    return np.asarray(found, float), scatter


def learned_loop(
    tags: tuple[str, str],
    batches: Sequence[NDArray[np.float64]],
    rate: float = RATE,
) -> LoopLaw:
    """Return a detector that has learned normal batches.

    Args:
        tags: the value that is held and the output that holds it.
        batches: three or more, each [row, (value, output)] from its start.
        rate: share of normal rows that may alarm.
    """
    parts = range(min(HOLD_OUTS, len(batches)))
    held = np.concatenate([_held_out(batches, part) for part in parts])
    limit = max(float(np.quantile(held, 1.0 - rate)), 1e-9)
    return LoopLaw(tags, law(batches), limit)


def _held_out(batches: Sequence[NDArray[np.float64]], part: int) -> NDArray[np.float64]:
    """Return the judged means, [row], of batches that the law did not see."""
    usual = law([b for i, b in enumerate(batches) if i % HOLD_OUTS != part])
    found = []
    for batch in batches[part::HOLD_OUTS]:
        detector = LoopLaw(("value", "output"), usual, 1.0)
        found += [detector.learn(row, learning=False) for row in batch]
    return np.array(found)


class LoopLaw:
    """Watches one loop; see `VectorDetector`. Learns nothing while it watches."""

    def __init__(self, tags: tuple[str, str], usual: Law, limit: float) -> None:
        """Stand before the first row; `limit`: of the mean, in scatters."""
        self._tags = tags
        self._constant, self._gains = usual.constant, usual.gains.copy()
        self._scatter = usual.scatter
        self._range = usual.low, usual.high
        self._limit = limit
        self._latest = np.full(LAGS - 1, np.nan)
        self._output = np.nan
        self._mean = 0.0

    @property
    def tags(self) -> tuple[str, ...]:
        """The value and the output."""
        return self._tags

    def score(self, row: NDArray[np.float64]) -> float:
        """Return what `learn` would return for this row; changes nothing."""
        return abs(self._next(row)) / self._limit

    def learn(self, row: NDArray[np.float64], *, learning: bool) -> float:
        """Take the next row, [value, output], and return its score."""
        self._mean = self._next(row)
        self._latest = np.concatenate([row[:1], self._latest[:-1]])
        self._output = float(row[1])
        return abs(self._mean) / self._limit

    def _next(self, row: NDArray[np.float64]) -> float:
        low, high = self._range
        follows = low < row[1] < high and low < self._output < high
        values = np.concatenate([row[:1], self._latest])
        if not follows or not np.isfinite(values).all():
            return self._mean
        expected = self._constant + float(self._gains @ values)
        off = (float(row[1]) - self._output - expected) / self._scatter
        counted = min(max(off, -MOST), MOST)
        return self._mean + WEIGHT * (counted - self._mean)

    def explain(self) -> tuple[Contribution, ...]:
        """Return the output, which moves otherwise, and the value; in limits."""
        value, output = self._tags
        away = self._mean / self._limit
        return Contribution(output, 1.0, away), Contribution(value, 0.0, 0.0)

    def rescale(self, tag: str, factor: float, offset: float) -> None:
        """Go on in another unit of measure: new value = factor x old + offset."""
        if tag == self._tags[0]:
            self._constant -= float(self._gains.sum()) * offset / factor
            self._gains /= factor
            self._latest = factor * self._latest + offset
            return
        self._constant *= factor
        self._gains *= factor
        self._scatter *= abs(factor)
        low, high = sorted(factor * end + offset for end in self._range)
        self._range = low, high
        self._output = factor * self._output + offset
        self._mean *= float(np.sign(factor))

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "tags": list(self._tags),
            "constant": self._constant,
            "gains": self._gains.tolist(),
            "scatter": self._scatter,
            "range": list(self._range),
            "limit": self._limit,
            "latest": [None if np.isnan(v) else v for v in self._latest.tolist()],
            "output": None if np.isnan(self._output) else self._output,
            "mean": self._mean,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; another loop's is not taken."""
        if tuple(state["tags"]) != self._tags:
            return
        self._constant = float(state["constant"])
        self._gains = np.array(state["gains"], float)
        self._scatter = float(state["scatter"])
        low, high = (float(end) for end in state["range"])
        self._range, self._limit = (low, high), float(state["limit"])
        self._latest = np.array(state["latest"], float)
        self._output = np.nan if state["output"] is None else float(state["output"])
        self._mean = float(state["mean"])
