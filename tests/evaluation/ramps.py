"""IndPenSim's drifting sensors beside an oracle that knows the fault: delays in hours.

python -m tests.evaluation.ramps FOLDER      a minute

Faults 7 (temperature) and 8 (pH) ramp from row 200. Normal batches are left out two at
a time, as for the other faults. The oracle is told which sensor drifts, from when and
how fast, sums the likelihood ratio of that, and alarms where no normal batch ever did.
It sees the sensor only; the loop law also sees the controller's output.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.detectors import course_drift, loop_law
from services.monitor.detectors.course_drift import learned_drift
from services.monitor.detectors.loop_law import learned_loop
from services.monitor.evaluation.metrics import first_run
from services.monitor.evaluation.own import BatchCourse
from services.monitor.evaluation.questions import AS_RECORDED, questions
from services.monitor.evaluation.reading import read_dataset
from tests.evaluation.other_protocol import AlignedPca

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.monitor.detectors.vector import VectorDetector
    from services.monitor.evaluation.recording import Question, Recording

    Rows = NDArray[np.float64]
    Alarms = Callable[[Rows], NDArray[np.bool_]]

MANIFEST = Path(__file__).parent / "datasets" / "indpensim.yaml"
LOOPS = Path(__file__).parent / "datasets" / "indpensim_loops.yaml"
ONSET, RAMP, ROW_H = 200, 600, 0.2
"""Rows, rows, hours a row."""
IN_A_ROW = 3
CLIP = 4.0
"""Innovations beyond this many scatters say nothing more."""
REGULATED = ("T", "pH")
"""Tags that a loop holds: those whose drift is looked for."""
LOOP = ("pH", "Fb")
"""What is held and what holds it by one law: base alone, for acid is hardly ever given.

Temperature is held by two outputs that take turns, cooling and heating: no one law."""


@dataclass(frozen=True)
class Ramp:
    """What the oracle knows."""

    tag: str
    size: float
    """At the end of the ramp, in the tag's unit."""
    files: str

    def shape(self, rows: int) -> Rows:
        """Return what the fault adds, [row]."""
        return self.size * np.clip((np.arange(rows) - ONSET) / RAMP, 0.0, 1.0)


RAMPS = (Ramp("T", 0.4, "fault7"), Ramp("pH", 0.1, "fault8"))


@dataclass(frozen=True)
class Oracle:
    """The likelihood ratio of a known ramp in noise of first order.

    Source: Van Trees 1968, Detection, Estimation, and Modulation Theory I, ch. 4.
    """

    mean: Rows
    keep: float
    """Correlation from row to row."""
    scatter: Rows
    """Of innovations, by age."""
    shape: Rows

    def ratio(self, values: Rows) -> Rows:
        """Return the logarithm of the likelihood ratio up to each row."""
        off = values[: len(self.mean)] - self.mean
        seen = np.clip((off[1:] - self.keep * off[:-1]) / self.scatter, -CLIP, CLIP)
        known = (self.shape[1:] - self.keep * self.shape[:-1]) / self.scatter
        return np.concatenate([[0.0], np.cumsum(known * (seen - known / 2.0))])


def oracle(normal: Sequence[Rows], ramp: Ramp) -> Oracle:
    """Return the oracle that knows normal batches of one tag, each [row]."""
    together = np.stack(normal)
    mean = np.median(together, axis=0)
    off = together - mean
    keep = float(
        np.median((off[:, 1:] * off[:, :-1]).sum(1) / (off[:, :-1] ** 2).sum(1))
    )
    innovation = np.abs(off[:, 1:] - keep * off[:, :-1])
    scatter = [
        1.48 * float(np.median(innovation[:, max(0, row - 30) : row + 30]))
        for row in range(innovation.shape[1])
    ]
    return Oracle(mean, keep, np.array(scatter), ramp.shape(len(mean)))


def oracle_delays(
    normal: Sequence[Rows], faulty: Sequence[Rows], ramp: Ramp
) -> list[float]:
    """Return hours from the onset for each faulty batch of one tag."""
    others = [oracle([*normal[:i], *normal[i + 1 :]], ramp) for i in range(len(normal))]
    worst = max(o.ratio(n).max() for o, n in zip(others, normal, strict=True))
    knows = oracle(normal, ramp)
    return [ROW_H * first_run(knows.ratio(f)[ONSET:] > worst, 1) for f in faulty]


def drift_of(
    question: Question, tags: Sequence[int], rate: float = course_drift.RATE
) -> Alarms:
    """Return what alarms where some tags drift, learned from a question."""
    detector = learned_drift(
        [str(tag) for tag in tags], [rows[:, tags] for rows in question.training], rate
    )
    return _watching(detector, tags)


def loop_of(
    question: Question, tags: Sequence[int], rate: float = loop_law.RATE
) -> Alarms:
    """Return what alarms where a loop (value, output) leaves its law."""
    value, output = (str(tag) for tag in tags)
    detector = learned_loop(
        (value, output), [rows[:, tags] for rows in question.training], rate
    )
    return _watching(detector, tags)


def either(tags: Sequence[str], question: Question) -> Alarms:
    """Return what alarms where a regulated tag drifts or a loop leaves its law.

    Each may take half of the false alarms that it takes alone.
    """
    regulated = [tags.index(tag) for tag in REGULATED]
    loop = [tags.index(tag) for tag in LOOP]
    drifts = drift_of(question, regulated, course_drift.RATE / 2.0)
    leaves = loop_of(question, loop, loop_law.RATE / 2.0)
    return lambda rows: drifts(rows) | leaves(rows)


def _watching(detector: VectorDetector, tags: Sequence[int]) -> Alarms:
    begun = detector.state()

    def alarms(rows: Rows) -> NDArray[np.bool_]:
        detector.restore(begun)
        scores = [detector.learn(row, learning=False) for row in rows[:, tags]]
        return np.array(scores) >= 1.0

    return alarms


def main() -> None:
    """Print delays and false alarms."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    print(ramps(parser.parse_args().folder))


def ramps(folder: Path) -> str:
    """Return a line for each method: delays in hours, false alarms in %."""
    outputs, loops = read_dataset(folder, MANIFEST), read_dataset(folder, LOOPS)
    asked = questions(outputs)[AS_RECORDED]
    lines = [_oracle_line(outputs.tags, asked)]
    lines += as_lines(asked, partial(_of_outputs, outputs.tags))
    lines += as_lines(questions(loops)[AS_RECORDED], partial(_of_loops, loops.tags))
    return "\n".join(lines)


def _of_outputs(tags: Sequence[str], question: Question) -> dict[str, Alarms]:
    regulated = [tags.index(tag) for tag in REGULATED]
    return {
        "fedbatch course drift": drift_of(question, regulated),
        "fedbatch batch course": BatchCourse().learn(question.training).alarms,
        "PCA T2|SPE, by age": AlignedPca().learn(question.training).alarms,
    }


def _of_loops(tags: Sequence[str], question: Question) -> dict[str, Alarms]:
    loop = [tags.index(tag) for tag in LOOP]
    return {
        "fedbatch loop law of pH and base": loop_of(question, loop),
        "fedbatch course drift or loop law": either(tags, question),
    }


def as_lines(
    asked: Sequence[Question], methods: Callable[[Question], dict[str, Alarms]]
) -> list[str]:
    """Return a line for each method: delays in hours, false alarms in %."""
    found: dict[str, list[tuple[Recording, NDArray[np.bool_]]]] = {}
    for question in asked:
        for name, alarms in methods(question).items():
            found.setdefault(name, []).extend(
                (r, alarms(r.rows)) for r in question.scored if _counts(r)
            )
    return [_line(name, answers) for name, answers in found.items()]


def _counts(recording: Recording) -> bool:
    ramps = any(recording.name.startswith(ramp.files) for ramp in RAMPS)
    return ramps or not recording.fault.any()


def _oracle_line(tags: Sequence[str], asked: Sequence[Question]) -> str:
    every = {r.name: r.rows for q in asked for r in q.scored}
    normal = [rows for name, rows in every.items() if name.startswith("normal")]
    length = min(len(rows) for rows in normal)
    parts = []
    for ramp in RAMPS:
        tag = tags.index(ramp.tag)
        faulty = [r[:length, tag] for n, r in every.items() if n.startswith(ramp.files)]
        delays = oracle_delays([r[:length, tag] for r in normal], faulty, ramp)
        parts.append(f"{ramp.files} {_hours(delays)}")
    return f"oracle: {'; '.join(parts)}"


def _line(name: str, answers: Sequence[tuple[Recording, NDArray[np.bool_]]]) -> str:
    parts = []
    for ramp in RAMPS:
        mine = [(r, a) for r, a in answers if r.name.startswith(ramp.files)]
        by_file: dict[str, list[float]] = {r.name: [] for r, _ in mine}
        for recording, alarm in mine:
            by_file[recording.name].append(ROW_H * first_run(alarm[ONSET:], IN_A_ROW))
        parts.append(f"{ramp.files} {_hours([np.median(d) for d in by_file.values()])}")
    quiet = [a for r, a in answers if not r.fault.any()]
    false = 100.0 * float(np.concatenate(quiet).mean())
    return f"{name}: {'; '.join(parts)}; {false:.2f} % of normal rows"


def _hours(delays: Sequence[float]) -> str:
    each = " and ".join("never" if np.isinf(d) else f"{d:.0f} h" for d in delays)
    return f"{each} (mean {np.mean(delays):.0f} h)"


if __name__ == "__main__":
    main()
