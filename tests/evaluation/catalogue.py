"""The whole catalogue of faults on simulated batches: the evaluation's row of its own.

python -m tests.evaluation.catalogue                      5 seeds and 60 quiet batches
python -m tests.evaluation.catalogue --seeds 1 --quiet 0  one seed, no quiet batches
python -m tests.evaluation.catalogue --faults S01,A02 --rows 60
python -m tests.evaluation.catalogue --read FOLDER        the table of a run's outcomes
Every batch lasts 14 days from preparation to harvest, with an operator's interventions
now and then. Prints the table; with --output also what became of each batch as soon as
it is known, and a picture.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.faults import catalogue as catalogues
from tests.evaluation import plain_alarms
from tests.evaluation.catalogue_picture import drawn
from tests.evaluation.catalogue_record import begun, noted, read
from tests.evaluation.catalogue_score import URGENT, Alarms, Outcome, Said
from tests.evaluation.catalogue_table import table
from tests.evaluation.simulated_batches import simulated
from tests.evaluation.watched_batches import watch_family

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.events import AlarmTransition
    from tests.evaluation.simulated_batches import Run
    from tests.evaluation.watched_batches import Watched

FIRST_SEED = 301
"""Of the scored batches; settings were chosen on seeds below 100."""
FIRST_QUIET_SEED = 401
QUIET_AT_ONCE = 10
"""Batches without a fault that are simulated together."""
FAMILIES = 4
"""Different batches of a seed among which its faults are shared."""


@dataclass(frozen=True, slots=True)
class Work:
    """One run of one process."""

    seed: int
    families: tuple[tuple[str, ...], ...]
    """Faults of batches that are the same but for these; see simulated_batches."""


def judged(work: Work, rows_s: int, folder: Path | None = None) -> list[Outcome]:
    """Simulate the batches of one seed and return what was said of each.

    Batches without a fault count where they have no family.
    """
    if folder is not None:
        begun(folder, str(work.seed))
    run = simulated(work.seed, work.families, rows_s)
    found = []
    for clean in sorted(set(run.clean)):
        for one in _family(run, clean):
            found.append(one)
            if folder is not None:
                noted(one, folder, str(work.seed))
    return found


def _family(run: Run, clean: int) -> Iterator[Outcome]:
    without = Alarms()
    alone = not run.family(clean)
    for place, watched in watch_family(run, clean):
        found = outcome(run, place, watched, without)
        if place == clean:
            without = Alarms(
                said=tuple((said.time, said.check) for said in found.said),
                plain=tuple((plain.time, plain.name) for plain in found.plain),
            )
        if alone or place != clean:
            yield found


def outcome(run: Run, place: int, found: Watched, without: Alarms) -> Outcome:
    """Return what the monitor's alarms of one batch say."""
    urgent = [alarm for alarm in found.raised if alarm.priority <= URGENT]
    return Outcome(
        seed=run.seed,
        truth=run.truths[place],
        said=tuple(_said(alarm, found.checks) for alarm in urgent),
        others=len(found.raised) - len(urgent),
        plain=tuple(plain_alarms.raised(run, place)),
        cpu_s=found.cpu_s,
        readings=found.readings,
        without=without,
    )


def _said(alarm: AlarmTransition, checks: Mapping[str, tuple[str, ...]]) -> Said:
    why = alarm.explanation
    blamed = why.verdict.ranked if why.verdict else ()
    ranked = [*blamed, why.tag, *(moved.tag for moved in why.moved)]
    names = [_bare(tag) for tag in ranked]
    text = f"{why.check}; {why.expected}; {why.advice}"
    kind = None if why.verdict is None else why.verdict.kind
    check = _bare(alarm.check)
    return Said(
        time=alarm.time,
        check=check,
        verdict=kind,
        ranked=tuple(dict.fromkeys(names)),
        text=text,
        of_check=checks.get(check, ()),
    )


def _bare(tag: str) -> str:
    return tag.partition("/")[2]


def faults_of(asked: str) -> tuple[str, ...]:
    """Return the faults that were asked for; empty: those that a CHO culture has."""
    known = catalogues.load().faults
    every = [name for name, fault in known.items() if fault.process in {None, "cho"}]
    wanted = [name for name in asked.split(",") if name]
    unknown = sorted(set(wanted) - set(every))
    if unknown:
        raise SystemExit(f"--faults {','.join(unknown)}: expected {', '.join(every)}")
    return tuple(wanted or every)


def work_of(
    faults: Sequence[str], seeds: int, quiet: int, first: int, first_quiet: int
) -> list[Work]:
    """Return the runs: one per seed, and batches without faults on other seeds."""
    families = tuple(tuple(faults[n::FAMILIES]) for n in range(FAMILIES))
    found = [Work(first + n, tuple(filter(None, families))) for n in range(seeds)]
    for n, done in enumerate(range(0, quiet, QUIET_AT_ONCE)):
        count = min(QUIET_AT_ONCE, quiet - done)
        found.append(Work(first_quiet + n, ((),) * count))
    return found


def main() -> int:
    """Return 0 when everything was scored."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="seed")
    parser.add_argument("--quiet", type=int, default=60, help="batches without a fault")
    parser.add_argument("--first-quiet", type=int, default=FIRST_QUIET_SEED)
    parser.add_argument("--faults", default="", help="identifiers; default: all")
    parser.add_argument("--rows", type=int, default=30, help="seconds between rows")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    parser.add_argument("--output", type=Path, help="folder of outcomes and picture")
    parser.add_argument("--read", type=Path, nargs="+", help="folders of outcomes")
    asked = parser.parse_args()
    if asked.read:
        outcomes = read(asked.read)
    else:
        todo = work_of(
            faults_of(asked.faults),
            asked.seeds,
            asked.quiet,
            asked.first,
            asked.first_quiet,
        )
        outcomes = _outcomes(todo, asked.rows, asked.at_once, asked.output)
    print(_report(outcomes))
    if asked.output:
        pictured(outcomes, asked.output)
    return 0


def scored(seeds: int, quiet: int, rows_s: int, folder: Path) -> str:
    """Return the table of so many seeds and quiet batches; pictures go to `folder`."""
    todo = work_of(faults_of(""), seeds, quiet, FIRST_SEED, FIRST_QUIET_SEED)
    outcomes = _outcomes(todo, rows_s, 2, folder)
    pictured(outcomes, folder)
    return _report(outcomes)


def _outcomes(
    todo: Sequence[Work], rows_s: int, at_once: int, folder: Path | None
) -> list[Outcome]:
    found: list[Outcome] = []
    began = time.monotonic()
    one = partial(judged, rows_s=rows_s, folder=folder)
    with ProcessPoolExecutor(at_once) as pool:
        futures = [pool.submit(one, work) for work in todo]
        for number, future in enumerate(as_completed(futures), 1):
            found += future.result()
            passed = (time.monotonic() - began) / 60.0
            print(f"{number} of {len(todo)} runs, {passed:.1f} min", file=sys.stderr)
    return sorted(found, key=lambda o: o.seed)


def _report(outcomes: Sequence[Outcome]) -> str:
    cpu = sum(one.cpu_s for one in outcomes)
    readings = max(sum(one.readings for one in outcomes), 1)
    cost = f"monitor             {1e6 * cpu / readings:.1f} us a reading"
    return f"{table(outcomes)}\n{cost}"


def pictured(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Draw the picture where matplotlib is there."""
    folder.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("matplotlib") is not None:
        drawn(outcomes, folder / "catalogue.png")


if __name__ == "__main__":
    sys.exit(main())
