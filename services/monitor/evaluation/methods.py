"""The one way to ask a method: it learns from what is normal, then says alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from services.monitor.evaluation.recording import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.recording import Question


class Learned(Protocol):
    """A method that has learned."""

    def alarms(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return where it alarms in one recording, causally: [time]."""


class Method(Protocol):
    """A detector or a baseline with its one frozen configuration."""

    @property
    def name(self) -> str:
        """As the report prints it."""

    def learn(self, training: Sequence[NDArray[np.float64]]) -> Learned:
        """Return it learned from normal recordings, each [time, tag]."""


def answered(method: Method, questions: Iterable[Question]) -> list[Answer]:
    """Return what a method says about every scored recording."""
    answers = []
    for question in questions:
        learned = method.learn(question.training)
        for recording in question.scored:
            alarm = np.asarray(learned.alarms(recording.rows), np.bool_)
            answers.append(Answer(recording, alarm))
    return answers
