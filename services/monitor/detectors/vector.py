"""Detectors that watch the tags of a vessel together, one row at a time.

A row has one value a tag, NaN where there is none or none that may be judged. The
protocol has four verbs: score, learn, explain, state. A score of 1.0 is the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one tag gave to a score."""

    tag: str
    share: float
    """Of the score, 0 to 1."""
    away: float
    """How far from what is expected, in standard deviations of what is shown."""


class VectorDetector(Protocol):
    """Watches all tags of a vessel together."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tags, in the order of a row."""

    def score(self, row: NDArray[np.float64]) -> float:
        """Return what `learn` would return for this row; changes nothing."""

    def learn(self, row: NDArray[np.float64], *, learning: bool) -> float:
        """Take a row and return its score; 1.0 and above is beyond the limit.

        Args:
            row: [tag], NaN where there is no good value.
            learning: whether normal operation may be learned from it: False outside
                the learned phase and in mode frozen. In alarm nothing is learned
                whatever this says.
        """

    def explain(self) -> tuple[Contribution, ...]:
        """Return what each tag gave to the last score, largest first."""

    def rescale(self, tag: str, factor: float, offset: float) -> None:
        """Go on in another unit of measure: new value = factor x old + offset."""

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned, also with other tags.

        A tag that the state does not know is learned anew, one that is gone is
        forgotten; every other goes on as it was.
        """
