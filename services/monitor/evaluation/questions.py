"""What is asked of every method about a data set: what to learn, what to score. Pure.

The transforms take away what a blind timer knows: where in a file the fault is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.monitor.evaluation.manifest import DatasetInvalid
from services.monitor.evaluation.recording import Question, Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.reading import Dataset

AS_RECORDED = "as recorded"
CROP = 150
"""Rows cut from the beginning."""
EXTRA = 300
"""Normal rows walked back and forth before the scored part begins."""
SEED = 20_260_101


def questions(dataset: Dataset) -> dict[str, tuple[Question, ...]]:
    """Return the questions as recorded, and those of each transform, by name.

    Raises:
        DatasetInvalid: a recording is shorter than its training rows, or batches are
            too few to leave some out.
    """
    rows = dataset.manifest.training.rows
    if rows is None:
        return {AS_RECORDED: tuple(_from_files(dataset))}
    kinds = TRANSFORMS if dataset.manifest.transforms else ()
    each: dict[str, tuple[Question, ...]] = {}
    for name, change in ((AS_RECORDED, _as_it_is), *kinds):
        changed = [change(recording, rows) for recording in dataset.scored]
        each[name] = tuple(_own_past(recording, rows) for recording in changed)
    return each


def _from_files(dataset: Dataset) -> Iterator[Question]:
    manifest = dataset.manifest
    normal = [_noisy(r, dataset, i) for i, r in enumerate(dataset.training)]
    scored = [_noisy(r, dataset, i + len(normal)) for i, r in enumerate(dataset.scored)]
    out = manifest.leave_out
    if not out:
        yield Question(tuple(r.rows for r in normal), tuple(scored), manifest.aligned)
        return
    if len(normal) < 3 * out:
        raise DatasetInvalid(
            f"{manifest.name}: {len(normal)} training files; to leave out {out} in "
            f"turn expected at least {3 * out}"
        )
    for begin in range(0, len(normal) - out + 1, out):
        left = normal[begin : begin + out]
        kept = normal[:begin] + normal[begin + out :]
        training = tuple(r.rows for r in kept)
        yield Question(training, (*left, *scored), manifest.aligned)


def _noisy(recording: Recording, dataset: Dataset, number: int) -> Recording:
    share = dataset.manifest.noise
    if not share:
        return recording
    spread = np.nanstd(np.concatenate([r.rows for r in dataset.training]), axis=0)
    random = np.random.default_rng([SEED, number])
    noise = share * spread * random.standard_normal(recording.rows.shape)
    return _with(recording, recording.rows + noise, recording.fault)


def _own_past(recording: Recording, rows: int) -> Question:
    if len(recording.rows) <= rows + 1:
        raise DatasetInvalid(
            f"{recording.name}: {len(recording.rows)} rows; expected more than the "
            f"{rows} training rows"
        )
    later = recording.part(slice(rows, None))
    return Question((recording.rows[:rows],), (later,))


def _with(
    recording: Recording, rows: NDArray[np.float64], fault: NDArray[np.bool_]
) -> Recording:
    return Recording(recording.name, recording.group, rows, fault, recording.aside)


def _as_it_is(recording: Recording, rows: int) -> Recording:
    return recording


def _cropped(recording: Recording, rows: int) -> Recording:
    return recording.part(slice(CROP, None))


def _lengthened(recording: Recording, rows: int) -> Recording:
    back = np.arange(rows - 1, max(rows - 1 - EXTRA, -1), -1)
    return recording.part(_order(recording, rows, back, back[::-1]))


def _doubled(recording: Recording, rows: int) -> Recording:
    scored = np.arange(rows, len(recording.rows))
    return recording.part(np.concatenate([np.arange(rows), scored, scored[::-1]]))


def _faultless(recording: Recording, rows: int) -> Recording:
    late = recording.fault[rows:]
    end = rows + int(np.argmax(late)) if late.any() else len(recording.rows)
    return recording.part(np.concatenate([np.arange(end), np.arange(end - 1, -1, -1)]))


def _permuted(recording: Recording, rows: int) -> Recording:
    random = np.random.default_rng(SEED)
    width = recording.rows.shape[1]
    order, factor = random.permutation(width), random.uniform(0.1, 10.0, width)
    return _with(recording, recording.rows[:, order] * factor + 7.0, recording.fault)


def _order(
    recording: Recording, rows: int, *between: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the training rows, other rows, and what was recorded after training."""
    after = np.arange(rows, len(recording.rows))
    return np.concatenate([np.arange(rows), *between, after])


TRANSFORMS: tuple[tuple[str, Callable[[Recording, int], Recording]], ...] = (
    ("cropped start", _cropped),
    ("normal rows added", _lengthened),
    ("two anomalies", _doubled),
    ("no anomaly", _faultless),
    ("permuted channels", _permuted),
)


def faults_of(each: Sequence[Question]) -> list[NDArray[np.bool_]]:
    """Return the labels of all scored recordings, each once."""
    seen: dict[str, NDArray[np.bool_]] = {}
    for question in each:
        for recording in question.scored:
            seen.setdefault(recording.name, recording.fault)
    return list(seen.values())
