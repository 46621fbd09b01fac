"""Chooses which level settings vote, on data that is not scored afterwards.

Candidates are drawn once, from ranges that were known to work before any choice
(first guesses of the literature search), with a fixed seed. They are ranked by the
sum of F1 and balanced accuracy, the mean of the recordings as they are and of each
transform, so a setting that knows a position gains nothing, and a transform that makes
recordings long counts no more than one that makes them short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.monitor.detectors.level import Levels, Settings, settings
from services.monitor.evaluation.manifest import DatasetInvalid
from services.monitor.evaluation.metrics import counted
from services.monitor.evaluation.recording import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.recording import Question

CANDIDATES = 400
VOTING = 31
SEED = 6
_RANGES = {
    "weight": (0.05, 0.2),
    "away": (3.5, 8.0),
    "need": (1.0, 10.0),
    "adapt": (0.5, 8.0),
    "drift": (0.1, 2.0),
}
"""Drawn evenly in the logarithm."""


def chosen_elsewhere(
    asked: Mapping[str, Sequence[Question]], progress: Callable[[str], None]
) -> dict[str, Settings]:
    """Return, for each group of recordings, what is chosen on all the others.

    Args:
        asked: questions as recorded and of each transform; each has one recording.
        progress: told what is about to run.

    Raises:
        DatasetInvalid: there is only one group.
    """
    drawn = candidates()
    by_group: dict[str, list[NDArray[np.float64]]] = {}
    for kind, each in asked.items():
        progress(f"{kind}: {len(drawn)} candidate settings")
        for group, answers in _by_group(each, drawn).items():
            by_group.setdefault(group, []).append(worth(answers))
    if len(by_group) < 2:
        raise DatasetInvalid("choose: expected two groups of recordings, found one")
    worths = {group: np.mean(kinds, axis=0) for group, kinds in by_group.items()}
    return {
        group: best(
            drawn, np.mean([w for g, w in worths.items() if g != group], axis=0), VOTING
        )
        for group in worths
    }


def _by_group(
    each: Sequence[Question], drawn: Settings
) -> dict[str, list[list[Answer]]]:
    """Return, by group of recordings, the answers of each voter to each question."""
    found: dict[str, list[list[Answer]]] = {}
    for question in each:
        group = question.scored[0].group
        found.setdefault(group, []).append(votes(question, drawn))
    return found


def candidates(count: int = CANDIDATES) -> Settings:
    """Return the settings that may be chosen, the same each time."""
    random = np.random.default_rng(SEED)
    drawn = {
        name: np.exp(random.uniform(np.log(low), np.log(high), count))
        for name, (low, high) in _RANGES.items()
    }
    columns = [
        drawn["weight"], drawn["away"], random.uniform(0.25, 0.7, count),
        np.round(drawn["need"]), drawn["adapt"], np.zeros(count), drawn["drift"],
        random.choice([0.0, 0.5, 1.0], count),
    ]  # fmt: skip
    return settings(np.round(np.array(columns), 3).T.tolist())


def votes(question: Question, voters: Settings) -> list[Answer]:
    """Return the answer of each voter alone to a question of one recording."""
    (rows,), (recording,) = question.training, question.scored
    detector = Levels([str(i) for i in range(rows.shape[1])], rows, voters)
    said = np.empty((len(recording.rows), len(voters)), np.bool_)
    for i, row in enumerate(recording.rows):
        detector.learn(row, learning=True)
        said[i] = detector.voted()
    return [Answer(recording, said[:, v]) for v in range(len(voters))]


def worth(answers: Iterable[list[Answer]]) -> NDArray[np.float64]:
    """Return the worth of each voter over many questions, higher is better."""
    by_voter = list(zip(*answers, strict=True))
    rows = [counted(each) for each in by_voter]
    return np.array([100.0 * r.f1 + r.balanced for r in rows])


def best(from_all: Settings, worths: NDArray[np.float64], count: int) -> Settings:
    """Return the settings of the `count` best voters."""
    chosen = np.argsort(-worths, kind="stable")[:count]
    names = Settings.__dataclass_fields__
    return Settings(**{name: getattr(from_all, name)[chosen] for name in names})
