"""Real fermentations: alarms where nothing is known to be wrong, and injected faults.

python -m tests.evaluation.real_runs FOLDER      two minutes

Three families of runs, each run judged by what the others of its family taught. Faults
of simulators/faults.yaml that a recorded tag can have are added from 60 % of a run on,
at the middle of their magnitudes, to both sides where they have two. A recording has no
loop that answers: the tag shows what its sensor would without one. A fault counts as
found when an alarm begins after it that does not begin without it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.detectors.residual import OFF
from services.monitor.detectors.trajectory import learned_batches
from services.monitor.evaluation.blind import Always, Clock
from services.monitor.evaluation.manifest import Table
from services.monitor.evaluation.reading import read_table
from services.monitor.evaluation.stock import STOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from services.monitor.evaluation.methods import Method

    Rows = NDArray[np.float64]
    Begins = Callable[[Sequence[Rows], Rows], list[int]]

SHARE = 0.6
"""Of a run, at which the fault begins."""
STANDARD = 32.0, 0.5, 36
"""Temperature of the yeast runs, how far it may be, rows of heating up (3 h)."""
LEARNED = 50
"""Rows from which a baseline begins."""


@dataclass(frozen=True)
class Family:
    """Runs of one process."""

    tags: tuple[str, ...]
    runs: tuple[Rows, ...]


@dataclass(frozen=True)
class Fault:
    """A fault of one tag; `shown(values, share of the rest of the run passed)`."""

    code: str
    tag: str
    shown: Callable[[Rows, Rows], Rows]


def families(folder: Path) -> tuple[Family, ...]:
    """Read the runs that are there."""
    yeast = ("TEMP", "JTEMP", "STIRR", "pH", "pO2", "AIRSP")
    gas = ("CER", "Off-gas CO2%", "OUR", "RQ", "Volume")
    coli = folder / "ecoli_serine"
    form = Table(separator=";", decimal=",", encoding="latin-1")
    return (
        Family(
            yeast,
            tuple(_read(f, form, yeast) for f in sorted(folder.rglob("online_*.CSV"))),
        ),
        Family(
            gas,
            tuple(_read(coli / f"R{i}.csv", Table(), gas) for i in range(1, 9)),
        ),
        Family(
            (*gas, "Feed"),
            tuple(
                _read(coli / f"R{i}.csv", Table(), (*gas, "Feed"))
                for i in range(13, 19)
            ),
        ),
    )  # fmt: skip


def _read(path: Path, form: Table, tags: Sequence[str]) -> Rows:
    columns, table = read_table(path, path.name, form)
    places = [next(i for i, c in enumerate(columns) if t in c) for t in tags]
    rows = table[:, places]
    return rows[np.isfinite(rows[:, -1]) | np.isfinite(rows[:, 0])]


def faults() -> Iterator[Fault]:
    """Yield the faults, at the middle of their magnitudes."""
    for sign in (1.0, -1.0):
        yield Fault("S01", "pH", partial(_offset, sign * 0.175))
        yield Fault("S08", "TEMP", partial(_offset, sign * 0.6))
        yield Fault("S14", "Volume", partial(_stepped, sign * 0.0145))
    yield Fault("S04", "pO2", partial(_gain, 0.11))
    yield Fault("S07", "TEMP", _frozen)


def _offset(size: float, values: Rows, passed: Rows) -> Rows:
    return values + size * passed


def _gain(lost: float, values: Rows, passed: Rows) -> Rows:
    return values * (1.0 - lost * passed)


def _stepped(share: float, values: Rows, passed: Rows) -> Rows:
    return values * np.where(passed >= 0.0, 1.0 + share, 1.0)


def _frozen(values: Rows, passed: Rows) -> Rows:
    return np.full(len(passed), values[0])


@dataclass(frozen=True)
class Score:
    """What a method said."""

    alarms: list[int]
    """Of each run as it is."""
    found: dict[str, list[bool]]
    """By code of the fault."""

    def line(self, name: str) -> str:
        """Return it in words."""
        every = [hit for hits in self.found.values() for hit in hits]
        by_code = ", ".join(
            f"{code} {sum(hits)}/{len(hits)}"
            for code, hits in sorted(self.found.items())
        )
        return (
            f"{name}: {np.mean(self.alarms):.2f} alarms a run; "
            f"{100.0 * np.mean(every):.0f} % of {len(every)} faults ({by_code})"
        )


def scored(every: Sequence[Family], begins: Begins) -> Score:
    """Return what a method says about every run, as it is and with each fault."""
    alarms: list[int] = []
    found: dict[str, list[bool]] = defaultdict(list)
    for family in every:
        for number, run in enumerate(family.runs):
            others = [r for i, r in enumerate(family.runs) if i != number]
            usual = begins(others, run)
            alarms.append(len(usual))
            for fault in faults():
                if fault.tag in family.tags:
                    faulty, onset = with_fault(run, family.tags.index(fault.tag), fault)
                    new = set(begins(others, faulty)) - set(usual)
                    found[fault.code].append(any(row >= onset for row in new))
    return Score(alarms, found)


def with_fault(run: Rows, tag: int, fault: Fault) -> tuple[Rows, int]:
    """Return the run with the fault, and the row in which it begins."""
    onset, faulty = round(SHARE * len(run)), run.copy()
    passed = np.linspace(0.0, 1.0, len(run) - onset)
    faulty[onset:, tag] = fault.shown(run[onset:, tag], passed)
    return faulty, onset


def of_course(others: Sequence[Rows], run: Rows) -> list[int]:
    """Return where the batch course begins alarms; no held-out run has one."""
    names = [str(i) for i in range(run.shape[1])]
    detector = learned_batches(names, others, rate=0.0)
    return begun([detector.learn(row, learning=False) for row in run])


def of_both(others: Sequence[Rows], run: Rows) -> list[int]:
    """Return where the batch course or a limit of temperature begins alarms."""
    middle, most, heating = STANDARD
    away = np.abs(run[:, 0] - middle) / most
    regulated = bool(np.nanmedian(away) < 1.0)
    away[:heating] = 0.0
    limit = begun(np.nan_to_num(away).tolist()) if regulated else []
    return of_course(others, run) + limit


def of_method(method: Method) -> Begins:
    """Return where a baseline begins alarms; it learns the first 50 rows of a run."""

    def begins(others: Sequence[Rows], run: Rows) -> list[int]:
        alarm = method.learn([np.nan_to_num(run[:LEARNED])]).alarms(run[LEARNED:])
        return [LEARNED + row for row in begun(alarm.astype(float).tolist())]

    return begins


def begun(scores: Sequence[float]) -> list[int]:
    """Return the rows in which alarms begin; one ends below 0.8 of its limit."""
    on, found = False, []
    for number, score in enumerate(scores):
        if score >= 1.0 and not on:
            found.append(number)
        on = score >= (OFF if on else 1.0)
    return found


METHODS: tuple[tuple[str, Begins], ...] = (
    ("fedbatch batch course and limit of temperature", of_both),
    ("fedbatch batch course", of_course),
    ("always", of_method(Always())),
    ("clock", of_method(Clock())),
    ("River ADWIN", of_method(STOCK[0])),
)


def real_runs(folder: Path) -> str:
    """Return a line for each method."""
    every = families(folder)
    return "\n".join(scored(every, begins).line(name) for name, begins in METHODS)


def main() -> None:
    """Print alarms and faults found of each method."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    print(real_runs(parser.parse_args().folder))


if __name__ == "__main__":
    main()
