"""Mean and covariance of a vessel's tags, and rows made independent by them.

The transform is the symmetric inverse root of the correlation, so each whitened
component still belongs to one tag and moves little when the covariance does.

Source: Kessy, Lewin & Strimmer 2018, The American Statistician 72:309 (ZCA-cor).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FLOOR = 1e-3
"""Least eigenvalue of the correlation: below it directions are rounding and noise."""
FEWEST = 200
"""Rows with a value before a tag counts."""
REFRESH = 100
"""Learned rows between two computations of the transform."""
PATTERNS = 100
"""Patterns of missing tags whose expectation is kept."""


class Whitening:
    """What is normal, learned from all rows at once and then row by row."""

    def __init__(self, tags: int) -> None:
        self.count = np.zeros(tags)
        self.mean = np.zeros(tags)
        self.covariance = np.zeros((tags, tags))
        self._behind = 0
        self._per = np.zeros(tags)
        self._root = np.eye(tags)
        self._expected: dict[bytes, NDArray[np.float64]] = {}

    def fit(self, rows: NDArray[np.float64]) -> None:
        """Forget everything and learn [time, tag]; missing values are at the mean."""
        present = np.isfinite(rows)
        self.count = present.sum(axis=0).astype(float)
        at_least = np.maximum(self.count, 1.0)
        self.mean = np.where(present, rows, 0.0).sum(axis=0) / at_least
        off = np.where(present, rows - self.mean, 0.0)
        both = present.T.astype(float) @ present
        self.covariance = off.T @ off / np.maximum(both - 1.0, 1.0)
        self._transform()

    def learn(self, row: NDArray[np.float64], forgetting: float) -> None:
        """Take one normal row; `forgetting` is the weight of the newest."""
        present = np.isfinite(row)
        self.count[present] += 1.0
        weight = np.where(
            present, np.maximum(forgetting, 1.0 / np.maximum(self.count, 1.0)), 0
        )
        off = np.where(present, row - self.mean, 0.0)
        self.mean += weight * off
        root = np.sqrt(weight)
        share = np.outer(root, root)
        off *= np.sqrt(1.0 - weight)
        self.covariance += share * (np.outer(off, off) - self.covariance)
        self._behind += 1
        if self._behind >= REFRESH:
            self._transform()

    def white(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rows [..., tag] as independent components of mean 0, variance 1.

        A tag without a value is as the others let expect it; one that is not known
        yet is left out.
        """
        off: NDArray[np.float64] = (rows - self.mean) * self._per
        if not np.isfinite(off).all():
            off = self._filled(off)
        out: NDArray[np.float64] = off @ self._root
        return out

    def _filled(self, off: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standardised rows with missing values at their conditional mean."""
        filled = off.copy()
        patterns, which = np.unique(
            ~np.isfinite(off.reshape(-1, off.shape[-1])), axis=0, return_inverse=True
        )
        flat = filled.reshape(-1, off.shape[-1])
        for number, missing in enumerate(patterns):
            if missing.any():
                here = which.reshape(-1) == number
                expect = self._expecting(missing)
                flat[np.ix_(here, missing)] = flat[np.ix_(here, ~missing)] @ expect
        return filled

    def _expecting(self, missing: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return [present, missing]: what present tags say about the missing ones."""
        key = missing.tobytes()
        if key not in self._expected:
            if len(self._expected) >= PATTERNS:
                self._expected.clear()
            inverse = self._root @ self._root + np.diag(
                (self._per == 0.0).astype(float)
            )
            own = inverse[np.ix_(missing, missing)]
            others = inverse[np.ix_(missing, ~missing)]
            expect = -np.linalg.solve(own, others).T
            self._expected[key] = np.asarray(expect, float)
        return self._expected[key]

    def expected(self, row: NDArray[np.float64], i: int) -> tuple[float, float]:
        """Return mean and standard deviation of tag i, given the others in a row.

        NaN where the tag is not known yet.
        """
        if not self.known[i]:
            return float("nan"), float("nan")
        off = (row - self.mean) * self._per
        off[i] = np.nan
        middle = float(self._filled(off[np.newaxis])[0, i])
        inverse = self._root @ self._root + np.diag((self._per == 0.0).astype(float))
        spread = 1.0 / float(np.sqrt(inverse[i, i]) * self._per[i])
        return float(self.mean[i]) + middle / float(self._per[i]), spread

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which tags count: seen often enough, and they move."""
        spread = np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0))
        moves = spread > 1e-9 * (np.abs(self.mean) + 1e-9)
        return np.asarray((self.count >= FEWEST) & moves, np.bool_)

    def rescale(self, i: int, factor: float, offset: float) -> None:
        """Count tag i in another unit: new = factor x old + offset."""
        self.mean[i] = factor * self.mean[i] + offset
        self.covariance[i, :] *= factor
        self.covariance[:, i] *= factor
        self._transform()

    def _transform(self) -> None:
        self._behind = 0
        self._expected.clear()
        known = self.known
        spread = np.sqrt(np.diagonal(self.covariance))
        self._per = np.where(known, 1.0 / np.where(known, spread, 1.0), 0.0)
        correlation = self.covariance * np.outer(self._per, self._per)
        values, vectors = np.linalg.eigh(correlation[np.ix_(known, known)])
        root = (vectors / np.sqrt(np.maximum(values, FLOOR))) @ vectors.T
        self._root = np.zeros_like(self.covariance)
        self._root[np.ix_(known, known)] = root

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "count": self.count.tolist(),
            "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(),
            "per": self._per.tolist(),
            "root": self._root.tolist(),
            "behind": self._behind,
        }

    def restore(
        self, state: Mapping[str, Any], here: list[int], there: list[int]
    ) -> None:
        """Take tags `there` of a state as tags `here`; every other tag is new."""
        for own, name in ((self.count, "count"), (self.mean, "mean")):
            own[here] = np.array(state[name], float)[there]
        self.covariance[np.ix_(here, here)] = np.array(state["covariance"])[
            np.ix_(there, there)
        ]
        self._behind = int(state["behind"])
        if here == there and len(here) == len(self.count) == len(state["count"]):
            self._per = np.array(state["per"], float)
            self._root = np.array(state["root"], float)
            self._expected.clear()
        else:
            self._transform()
