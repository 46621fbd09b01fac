"""Instruments: lag, noise, resolution and span between the truth and a reading. Pure.

reading = clip(quantised(lag(truth) + sigma (white + 0.3 AR1))). The AR1 part has a
correlation of 0.98 per second, like a probe's slow wandering. One seeded generator
serves all; the state can be saved and restored, and then goes on bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulators.tags import Tag

    Matrix = NDArray[np.float64]

WANDER = 0.3
"""Size of the correlated part relative to the white part."""
WANDER_PER_S = 0.98
"""Correlation of the correlated part after one second."""


class Instruments:
    """The instruments of all vessels: one row per vessel, one column per tag."""

    def __init__(self, tags: Sequence[Tag], vessels: int, seed: int) -> None:
        self._lag = np.array([tag.lag_s for tag in tags])
        self._noise = np.array([tag.noise for tag in tags])
        self._share = np.array([tag.noise_share for tag in tags])
        quantum = np.array([tag.quantum for tag in tags])
        self._has_quantum = quantum > 0.0
        self._per_unit = np.round(1.0 / np.where(self._has_quantum, quantum, 1.0), 9)
        self._low = np.array([tag.low for tag in tags])
        self._high = np.array([tag.high for tag in tags])
        self._period = np.array([round(tag.period_s * 1e6) for tag in tags])
        self._slow = self._period > 0
        self._period[~self._slow] = 1
        self._last: tuple[int, Matrix] | None = None
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._lagged: Matrix | None = None
        self._wander = np.zeros((vessels, len(tags)))

    def read(
        self,
        truth: Matrix,
        seconds: float,
        to: int,
        *,
        slower: Matrix | None = None,
        noisier: Matrix | None = None,
    ) -> Matrix:
        """Return what the instruments show `seconds` after the reading before.

        The first reading starts at the truth, without lag.

        Args:
            truth: shape (vessels, tags), in the tags' units.
            seconds: since the last call; above zero.
            to: time of the reading, us UTC; slow instruments show a new value once
                in each of their periods and hold it in between.
            slower: factors on the time constants, shape (vessels, tags).
            noisier: factors on the noise, shape (vessels, tags).
        """
        lag = self._lag if slower is None else self._lag * slower
        with np.errstate(divide="ignore"):
            stay = np.exp(-seconds / lag)
        before = truth if self._lagged is None else self._lagged
        self._lagged = truth + (before - truth) * stay
        keep = WANDER_PER_S**seconds
        white, slow = self._random.standard_normal((2, *truth.shape))
        self._wander = keep * self._wander + np.sqrt(1.0 - keep**2) * slow
        sigma = self._noise + self._share * np.abs(self._lagged)
        if noisier is not None:
            sigma = sigma * noisier
        raw = self._lagged + sigma * (white + WANDER * self._wander)
        steps = np.round(raw * self._per_unit) / self._per_unit
        shown: Matrix = np.minimum(
            np.maximum(np.where(self._has_quantum, steps, raw), self._low), self._high
        )
        if self._last is not None:
            due = to // self._period != self._last[0] // self._period
            shown = np.where(self._slow & ~due, self._last[1], shown)
        self._last = to, shown
        return shown

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        lagged = None if self._lagged is None else self._lagged.tolist()
        return {
            "lagged": lagged,
            "wander": self._wander.tolist(),
            "random": self._random.bit_generator.state,
            "last": None
            if self._last is None
            else [self._last[0], self._last[1].tolist()],
        }

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw."""
        lagged = body["lagged"]
        self._lagged = None if lagged is None else np.array(lagged, float)
        self._wander = np.array(body["wander"], float)
        self._random.bit_generator.state = body["random"]
        last = body["last"]
        self._last = None if last is None else (int(last[0]), np.array(last[1], float))
