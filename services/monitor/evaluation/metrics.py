"""Figures of merit over the answers of one method. Pure.

Sources: F1, FAR, MAR pooled over rows as SKAB's protocol does (Katser & Kozitsin
2020); detection rate and delay by the first of six alarms in a row as is usual for
Tennessee Eastman (Russell, Chiang & Braatz 2000).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.evaluation.recording import events

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.recording import Answer

RUN_OF_SIX = 6
"""Alarm rows in a row that end the delay."""
DAY_S = 86_400.0


@dataclass(frozen=True)
class Rows:
    """Rows by what was said and what was true."""

    hit: int
    false: int
    missed: int
    quiet: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of rows, 0 to 1."""
        return _share(2 * self.hit, 2 * self.hit + self.false + self.missed)

    @property
    def far(self) -> float:
        """Normal rows with an alarm, %."""
        return 100.0 * _share(self.false, self.false + self.quiet)

    @property
    def mar(self) -> float:
        """Faulty rows without an alarm, %."""
        return 100.0 * _share(self.missed, self.missed + self.hit)

    @property
    def balanced(self) -> float:
        """Mean of the shares of normal and of faulty rows that were right, %."""
        return 100.0 - (self.far + self.mar) / 2.0


@dataclass(frozen=True)
class Merit:
    """What one method achieved on a data set; NaN where it cannot be said."""

    rows: Rows
    fdr: float
    """Faulty rows with an alarm, mean over the recordings not set aside, %."""
    fdr_all: float
    """The same over all recordings with a fault, %."""
    detected: int
    """Recordings not set aside with six alarm rows in a row in the fault."""
    faulty: int
    """Recordings not set aside that have a fault."""
    delay: float
    """Median over those recordings, rows to the first of six alarm rows; inf: half
    were never detected."""
    events_hit: float
    """Fault windows with so many alarm rows in a row as the data set asks for, %."""
    events: int
    far_faultless: float
    """Rows with an alarm in recordings without any fault, %: what is normal there is
    not what a fault left behind."""
    false_per_day: float
    """Separate false alarms (runs of alarm rows that begin outside a fault) per day
    of normal rows."""


def counted(answers: Iterable[Answer]) -> Rows:
    """Return the rows of all recordings together."""
    total = np.zeros(4, np.int64)
    for answer in answers:
        fault, alarm = answer.recording.fault, answer.alarm
        total += [
            np.count_nonzero(fault & alarm),
            np.count_nonzero(~fault & alarm),
            np.count_nonzero(fault & ~alarm),
            np.count_nonzero(~fault & ~alarm),
        ]
    return Rows(*(int(n) for n in total))


def merit(
    answers: Sequence[Answer], *, row_s: float = 1.0, consecutive: int = 1
) -> Merit:
    """Return every figure over the answers of one method.

    Args:
        answers: of one method, each recording once or once for each fold.
        row_s: from one row to the next, s.
        consecutive: alarm rows in a row that count as a hit of a fault window.
    """
    kept = [a for a in answers if a.recording.fault.any() and not a.recording.aside]
    delays = [_delay(a, RUN_OF_SIX) for a in kept]
    windows = [_hits(a, consecutive) for a in answers]
    hits = [hit for one in windows for hit in one]
    quiet = [a for a in answers if not a.recording.fault.any()]
    return Merit(
        counted(answers),
        _mean([_rate(a) for a in kept]),
        _mean([_rate(a) for a in answers if a.recording.fault.any()]),
        int(np.isfinite(delays).sum()),
        len(kept),
        float(np.median(delays)) if kept else np.nan,
        100.0 * _mean([float(h) for h in hits]),
        len(hits),
        counted(quiet).far if quiet else np.nan,
        _false_per_day(answers, row_s),
    )


def first_run(alarm: NDArray[np.bool_], length: int) -> float:
    """Return the row at which the first run of `length` alarm rows begins, or inf.

    >>> first_run(np.array([True, False, True, True]), 2)
    2.0
    """
    if len(alarm) < length:
        return np.inf
    runs = np.convolve(alarm.astype(np.int64), np.ones(length, np.int64), "valid")
    found = np.flatnonzero(runs == length)
    return float(found[0]) if len(found) else np.inf


def interval(answers: Sequence[Answer], consecutive: int) -> tuple[float, float]:
    """Return the 95 % interval of `events_hit`, drawn over recordings, %.

    Recordings are drawn, not windows: the windows of one recording are not
    independent, nor are its answers in different folds.
    """
    by_name: dict[str, list[bool]] = defaultdict(list)
    for answer in answers:
        by_name[answer.recording.name] += _hits(answer, consecutive)
    per = [np.array([sum(h), len(h)]) for h in by_name.values() if h]
    if not per:
        return np.nan, np.nan
    table = np.array(per)
    random = np.random.default_rng(0)
    drawn = table[random.integers(0, len(table), (2000, len(table)))].sum(axis=1)
    low, high = np.percentile(100.0 * drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return float(low), float(high)


def _rate(answer: Answer) -> float:
    return 100.0 * float(answer.alarm[answer.recording.fault].mean())


def _delay(answer: Answer, length: int) -> float:
    begin = int(np.argmax(answer.recording.fault))
    return first_run(answer.alarm[begin:] & answer.recording.fault[begin:], length)


def _hits(answer: Answer, length: int) -> list[bool]:
    windows = events(answer.recording.fault)
    return [bool(np.isfinite(first_run(answer.alarm[w], length))) for w in windows]


def _false_per_day(answers: Sequence[Answer], row_s: float) -> float:
    false = normal = 0
    for answer in answers:
        fault = answer.recording.fault
        normal += int(np.count_nonzero(~fault))
        false += sum(not fault[run.start] for run in events(answer.alarm))
    return false / (normal * row_s / DAY_S) if normal else np.nan


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
