"""The monitor's own detectors, each with its one frozen configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.detectors.level import Levels
from services.monitor.detectors.level_voters import VOTERS
from services.monitor.detectors.mewma_limits import learned
from services.monitor.detectors.trajectory import learned_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.monitor.detectors.level import Settings
    from services.monitor.detectors.vector import VectorDetector
    from services.monitor.evaluation.methods import Learned


@dataclass(frozen=True)
class Together:
    """MEWMA over all tags, from long normal recordings."""

    learning: bool
    """Mode `learning`, else `frozen`."""

    @property
    def name(self) -> str:
        """As the report prints it."""
        return f"fedbatch MEWMA, {'learning' if self.learning else 'frozen'}"

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return it learned; each recording begins where training ended."""
        state = learned(_names(training), training).state()

        def again() -> VectorDetector:
            detector = learned(_names(training), [training[0][:2]])
            detector.restore(state)
            return detector

        return _Watching(again, self.learning)


@dataclass(frozen=True)
class LevelVote:
    """Level monitors of each tag, from the rows before the scored ones."""

    settings: Settings = VOTERS
    learning: bool = True

    @property
    def name(self) -> str:
        """As the report prints it."""
        return f"fedbatch levels, {'learning' if self.learning else 'frozen'}"

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return it learned from the last training recording."""
        rows, names = training[-1], _names(training)
        return _Watching(lambda: Levels(names, rows, self.settings), self.learning)


@dataclass(frozen=True)
class BatchCourse:
    """Each batch against the course of normal batches of its recipe."""

    name: str = "fedbatch batch course, frozen"

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return it learned; each recording is a batch from its start."""
        ready = learned_batches(_names(training), training)
        state = ready.state()

        def again() -> VectorDetector:
            ready.restore(state)
            return ready

        return _Watching(again, learning=False)


@dataclass(frozen=True)
class _Watching:
    make: Callable[[], VectorDetector]
    learning: bool

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        detector = self.make()
        scores = [detector.learn(row, learning=self.learning) for row in rows]
        return np.array(scores) >= 1.0


def _names(training: Sequence[NDArray[np.float64]]) -> tuple[str, ...]:
    return tuple(str(i) for i in range(training[0].shape[1]))
