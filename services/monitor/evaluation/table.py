"""Every method on every question of a data set, as rows of a table."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.monitor.evaluation.blind import Always, Clock, timer_of
from services.monitor.evaluation.charts import CHARTS
from services.monitor.evaluation.choosing import chosen_elsewhere
from services.monitor.evaluation.methods import answered
from services.monitor.evaluation.metrics import Merit, interval, merit
from services.monitor.evaluation.own import BatchCourse, LevelVote, Together
from services.monitor.evaluation.projections import PROJECTIONS
from services.monitor.evaluation.questions import AS_RECORDED, faults_of, questions
from services.monitor.evaluation.stock import STOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from services.monitor.detectors.level import Settings
    from services.monitor.evaluation.methods import Method
    from services.monitor.evaluation.reading import Dataset
    from services.monitor.evaluation.recording import Answer, Question


TOGETHER = "all transforms together"


@dataclass(frozen=True)
class Line:
    """One method on one kind of question."""

    kind: str
    """As recorded, or the transform."""
    method: str
    ours: bool
    merit: Merit
    events: tuple[float, float]
    """95 % interval of the events hit, %."""
    us_per_row: float
    """CPU time of learning and scoring, us a scored row."""
    answers: tuple[Answer, ...]


def own_methods(dataset: Dataset) -> tuple[Method, ...]:
    """Return the monitor's detectors for a data set; how it is trained decides.

    Batches of one recipe: their course. A recording that brings a short past of its
    own drifts: levels. Long normal recordings of one steady plant: MEWMA.
    """
    if dataset.manifest.aligned:
        return (BatchCourse(),)
    if dataset.manifest.training.rows is not None:
        return (LevelVote(), LevelVote(learning=False))
    return (Together(learning=False), Together(learning=True))


def others(each: Sequence[Question]) -> tuple[Method, ...]:
    """Return the blind and the published baselines."""
    timer = timer_of(faults_of(each))
    return (Always(), Clock(), timer, *CHARTS, *PROJECTIONS, *STOCK)


def scored(
    dataset: Dataset,
    progress: Callable[[str], None],
    *,
    only_own: bool = False,
) -> list[Line]:
    """Return a line for each method and kind of question, ours first.

    Args:
        dataset: what to score on.
        progress: told what is about to run.
        only_own: leave out the blind and the published baselines.
    """
    asked = questions(dataset)
    ours = [_same(method) for method in own_methods(dataset)]
    if dataset.manifest.choose:
        ours.insert(0, _by_group(chosen_elsewhere(asked, progress)))
    baselines = () if only_own else others(next(iter(asked.values())))
    theirs = [_same(method) for method in baselines]
    every = [*ours, *theirs]
    said: dict[tuple[str, str], tuple[list[Answer], float]] = {}
    for kind, each in asked.items():
        for name, method_of in every:
            progress(f"{kind}: {name}")
            said[kind, name] = _answers(method_of, each)
    changed = [kind for kind in asked if kind != AS_RECORDED]
    if changed:
        for name, _ in every:
            said[TOGETHER, name] = _merged([said[kind, name] for kind in changed])
    own = {name for name, _ in ours}
    return [
        _line(dataset, kind, name, *answers, ours=name in own)
        for (kind, name), answers in said.items()
    ]


def _merged(
    parts: Sequence[tuple[list[Answer], float]],
) -> tuple[list[Answer], float]:
    answers = [answer for part, _ in parts for answer in part]
    return answers, sum(us for _, us in parts) / len(parts)


def _same(method: Method) -> tuple[str, Callable[[Question], Method]]:
    return method.name, lambda _: method


def _by_group(
    chosen: Mapping[str, Settings],
) -> tuple[str, Callable[[Question], Method]]:
    each = {group: LevelVote(voters) for group, voters in chosen.items()}
    return (
        "fedbatch levels, chosen on the other groups",
        lambda question: each[question.scored[0].group],
    )


def _answers(
    method_of: Callable[[Question], Method], each: Sequence[Question]
) -> tuple[list[Answer], float]:
    """Return the answers, and the CPU time for each scored row, us."""
    began = time.thread_time()
    answers = [a for q in each for a in answered(method_of(q), [q])]
    rows = sum(len(answer.alarm) for answer in answers)
    return answers, 1e6 * (time.thread_time() - began) / max(rows, 1)


def _line(
    dataset: Dataset,
    kind: str,
    name: str,
    answers: Sequence[Answer],
    us_per_row: float,
    *,
    ours: bool,
) -> Line:
    form = dataset.manifest
    found = merit(answers, row_s=form.time.row_s, consecutive=form.consecutive)
    spread = interval(answers, form.consecutive)
    return Line(kind, name, ours, found, spread, us_per_row, tuple(answers))
