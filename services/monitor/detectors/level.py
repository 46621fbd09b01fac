"""Adaptive level monitors: each tag against its own slowly moving past, by vote.

A fast mean is compared with a baseline that follows the tag as a random walk (a
Kalman filter of one state); while a tag is away, its baseline stands still. Fifteen
or so settings vote: a majority is steadier than any one of them.

There is no rule that takes a new level for normal after some time: it would find
where faults end in a benchmark, and hide them in a plant.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.vector import Contribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LAGS = (0.2, 0.3, 0.4)
"""Lags of the variogram, as shares of the training rows."""
LEAST_DRIFT = 1e-6
"""Least variance a row that a baseline may gain, as a share of the noise's."""
BEGIN = 20
"""Rows whose mean the baseline begins with."""
MAJORITY = 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that vote, one entry each."""

    weight: NDArray[np.float64]
    """Of the newest row in the fast mean."""
    away: NDArray[np.float64]
    """Standard deviations from the baseline that are away."""
    back: NDArray[np.float64]
    """Share of `away` at which a tag is back."""
    need: NDArray[np.float64]
    """Rows in a row beyond `away`."""
    adapt: NDArray[np.float64]
    """How reluctantly the baseline follows."""
    leak: NDArray[np.float64]
    """Share of its gain that a baseline keeps while the tag is away."""
    drift: NDArray[np.float64]
    """How much of the drift seen in training is expected later."""
    broad: NDArray[np.float64]
    """0: noise is what differs from row to row; 1: the whole scatter in training."""

    def __len__(self) -> int:
        return len(self.weight)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one setting of all voters as a column, [voter, 1]."""
        values: NDArray[np.float64] = getattr(self, name)
        return values[:, np.newaxis]


_CARRIED = ("fast", "base", "variance", "over", "on")
_KEPT = (*_CARRIED, "noise", "drift")


@dataclass(slots=True)
class _Tracked:
    """What is kept, each [voter, tag]."""

    fast: NDArray[np.float64]
    base: NDArray[np.float64]
    variance: NDArray[np.float64]
    over: NDArray[np.float64]
    """Rows in a row beyond the limit."""
    on: NDArray[np.bool_]
    noise: NDArray[np.float64]
    """Variance of a row."""
    drift: NDArray[np.float64]
    """Variance a row that the baseline gains."""


class Levels:
    """Watches every tag's level; see `VectorDetector`."""

    def __init__(
        self,
        tags: Sequence[str],
        normal: NDArray[np.float64],
        settings: Settings,
    ) -> None:
        """Learn from normal rows, [time, tag], and stand at their end."""
        self._tags = tuple(tags)
        self._settings = settings
        self._now = _begun(normal, settings)
        self._distance = np.zeros((len(settings), len(tags)))
        for row in normal:
            self._now, self._distance = self._next(row, judging=False, learning=True)

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tags, in the order of a row."""
        return self._tags

    def score(self, row: NDArray[np.float64]) -> float:
        """Return what `learn` would return for this row; changes nothing."""
        return _votes(self._next(row, judging=True, learning=False)[0])

    def learn(self, row: NDArray[np.float64], *, learning: bool) -> float:
        """Take a row and return its score: votes as a share of a majority."""
        self._now, self._distance = self._next(row, judging=True, learning=learning)
        return _votes(self._now)

    def voted(self) -> NDArray[np.bool_]:
        """Return which settings have some tag away, [voter]."""
        return np.asarray(self._now.on.any(axis=1), np.bool_)

    def _next(
        self, row: NDArray[np.float64], *, judging: bool, learning: bool
    ) -> tuple[_Tracked, NDArray[np.float64]]:
        """Return what is kept after a row, and each distance from its baseline."""
        was, here = self._now, np.isfinite(row)
        setting = self._settings.column
        weight, away = setting("weight"), setting("away")
        fast = was.fast + weight * (np.where(here, row, was.fast) - was.fast)
        variance = was.variance + was.drift
        off = fast - was.base
        scatter = np.sqrt(was.noise * weight / (2.0 - weight) + variance)
        distance = off / scatter
        far = np.abs(distance)
        over = np.where(here, np.where(far > away, was.over + 1.0, 0.0), was.over)
        on = np.where(was.on, far > away * setting("back"), over >= setting("need"))
        on &= judging
        gain = variance / (variance + was.noise * 2.0 / weight * setting("adapt"))
        gain = np.where(on, gain * setting("leak"), gain) * learning * here
        base = was.base + gain * off
        left = variance * (1.0 - gain)
        over = over * judging
        after = _Tracked(fast, base, left, over, on, was.noise, was.drift)
        return after, distance

    def explain(self) -> tuple[Contribution, ...]:
        """Return the share of votes each tag has, largest first; then by distance."""
        votes = self._now.on.sum(axis=0)
        away = np.median(self._distance, axis=0)
        share = votes / max(int(votes.sum()), 1)
        order = np.lexsort((-np.abs(away), -share)).tolist()
        return tuple(
            Contribution(self._tags[i], float(share[i]), float(away[i])) for i in order
        )

    def rescale(self, tag: str, factor: float, offset: float) -> None:
        """Go on in another unit of measure: new value = factor x old + offset."""
        i, now = self._tags.index(tag), self._now
        now.fast[:, i] = factor * now.fast[:, i] + offset
        now.base[:, i] = factor * now.base[:, i] + offset
        for squared in (now.variance, now.noise, now.drift):
            squared[:, i] *= factor**2

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        kept = {name: getattr(self._now, name).tolist() for name in _KEPT}
        return {"tags": list(self._tags), **kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned, also with other tags."""
        known = list(state["tags"])
        here = [i for i, tag in enumerate(self._tags) if tag in known]
        there = [known.index(self._tags[i]) for i in here]
        for name in _KEPT:
            getattr(self._now, name)[:, here] = np.array(state[name])[:, there]


def _votes(now: _Tracked) -> float:
    return float(now.on.any(axis=1).mean()) / MAJORITY


def _begun(normal: NDArray[np.float64], settings: Settings) -> _Tracked:
    """Return what is kept before the first of the normal rows, [time, tag]."""
    steps = np.nanmean(np.diff(normal, axis=0) ** 2, axis=0)
    scatter = np.nanvar(normal, axis=0)
    broad = settings.column("broad")
    least = 1e-12 * (1.0 + np.nanmean(normal, axis=0) ** 2)
    noise = np.maximum(steps / 2.0, least) ** (1.0 - broad)
    noise = noise * np.maximum(scatter, least) ** broad
    drift = np.maximum(_drift(normal, steps) * settings.column("drift"), 0.0)
    drift = np.maximum(drift, LEAST_DRIFT * noise)
    begin = np.nanmean(normal[:BEGIN], axis=0) + np.zeros_like(noise)
    nothing = np.zeros_like(noise)
    off = np.zeros(noise.shape, np.bool_)
    return _Tracked(
        begin, begin.copy(), 0.05 * noise, nothing, off, noise, drift
    )  # fmt: skip


def _drift(
    normal: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how fast lagged differences grow with the lag: variance a row, [tag].

    Source: Matheron 1963, Economic Geology 58:1246 (variogram of a random walk).
    """
    lags = [max(2, round(share * len(normal))) for share in LAGS]
    grown = [
        (np.nanmean((normal[lag:] - normal[:-lag]) ** 2, axis=0) - steps) / (lag - 1)
        for lag in lags
    ]
    return np.asarray(np.maximum(grown, 0.0).mean(axis=0), float)


def settings(rows: Sequence[Sequence[float]]) -> Settings:
    """Return settings from one row a voter, in the order of the fields."""
    columns = np.array(rows, float).T
    names = [field.name for field in fields(Settings)]
    return Settings(**dict(zip(names, columns, strict=True)))
