"""Every fault of scenario `deciding` raises its alarm in time, over seeds, in process.

python -m tests.evaluation.faults                 eight seeds, two at a time
python -m tests.evaluation.faults --seeds 3 --first 11    seeds 11, 12 and 13
Prints the delay of each fault and seed, then how an operator reads each alarm.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.domain import US_PER_S
from simulators import plant as simulated
from simulators.faults import catalogue, scenario
from simulators.faults.injections import Injections
from tests.evaluation.in_process import NOON_US, InProcess, described

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.events import AlarmTransition
    from simulators.faults.scenario import Planned

VESSELS = tuple(f"BR{number}" for number in range(101, 109))
HISTORY_US = 6 * 86_400 * US_PER_S
STEP_US = 120 * US_PER_S
LIVE_S = 150
DRIFTING = ("BR101", "BR106", "BR108")
"""Vessels whose slow faults only learned detectors find."""
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one planned fault."""

    fault: str
    vessel: str
    magnitude: float | None
    onset: int
    within: timedelta | None
    """None: it must stay silent."""
    alarm: AlarmTransition | None
    """The first of priority 1 or 2 that names a tag of the signature."""

    @property
    def delay(self) -> timedelta | None:
        """Return how long after its onset it was raised."""
        if self.alarm is None:
            return None
        return (self.alarm.time - self.onset) * _US

    @property
    def is_right(self) -> bool:
        """Whether the fault was found in time, or stayed silent where it must."""
        if self.within is None:
            return self.alarm is None
        return self.delay is not None and timedelta(0) <= self.delay <= self.within


@dataclass(frozen=True, slots=True)
class Played:
    """A run of the scenario with one seed."""

    seed: int
    outcomes: tuple[Outcome, ...]
    unexplained: tuple[AlarmTransition, ...]
    """Alarms of priority 1 or 2 that no fault of their vessel explains."""
    without_learned: tuple[AlarmTransition, ...]
    """Those of the drifting vessels with the learned detectors off."""


def play(seed: int) -> Played:
    """Play the scenario; about 20 s."""
    known = catalogue.load()
    wanted = scenario.load("deciding", known, VESSELS)
    layout = simulated.Layout(VESSELS, seed)
    start = NOON_US - HISTORY_US
    plant = simulated.begin(layout, start, Injections(known, VESSELS, wanted))
    touched = tuple(dict.fromkeys(planned.vessel for planned in wanted.faults))
    run = InProcess(
        plant,
        {
            "all": described(VESSELS, touched),
            "fixed": described(VESSELS, DRIFTING, learned=False),
        },
    )
    run.past(STEP_US)
    run.live(LIVE_S)
    urgent = run.raised("all", 2)
    stray = [a for a in urgent if not _by_others(a, wanted.faults, start)]
    outcomes = tuple(
        _outcome(p, start, urgent if p.alarm_within else stray, known)
        for p in wanted.faults
    )
    return Played(seed, outcomes, tuple(stray), tuple(run.raised("fixed", 2)))


def _outcome(
    planned: Planned,
    start: int,
    urgent: list[AlarmTransition],
    known: catalogue.Catalogue,
) -> Outcome:
    kind = known.faults[planned.fault]
    onset = _onset(planned, start)
    tags = {f"{planned.vessel}/{tag}" for tag in (*kind.signature, kind.target)}
    silence = f"{planned.vessel}/no-data"
    mine = [
        alarm
        for alarm in urgent
        if alarm.time >= onset
        and (
            alarm.explanation.tag in tags
            if kind.target is not None
            else alarm.check == silence
        )
    ]
    return Outcome(
        planned.fault,
        planned.vessel,
        planned.magnitude,
        onset,
        planned.alarm_within,
        mine[0] if mine else None,
    )


def _onset(planned: Planned, start: int) -> int:
    began = NOON_US if planned.after is scenario.After.LIVE else start
    return began + planned.delay // _US


def _by_others(alarm: AlarmTransition, faults: Iterable[Planned], start: int) -> bool:
    """Whether a fault that must be found was at work on the alarm's vessel."""
    return any(
        planned.vessel == alarm.vessel
        and planned.alarm_within is not None
        and alarm.time >= _onset(planned, start)
        for planned in faults
    )


def table(runs: list[Played]) -> str:
    """Return the delay of each fault and seed."""
    lines = ["fault vessel  limit     " + "".join(f"{r.seed:>10}" for r in runs)]
    for number, first in enumerate(runs[0].outcomes):
        cells = [_cell(run.outcomes[number]) for run in runs]
        limit = "silent" if first.within is None else _short(first.within)
        name = first.fault + ("-" if (first.magnitude or 0) < 0 else " ")
        lines.append(
            f"{name:<5} {first.vessel}  {limit:<10}"
            + "".join(f"{c:>10}" for c in cells)
        )
    for what in ("unexplained", "without_learned"):
        counts = [len(getattr(run, what)) for run in runs]
        lines.append(f"{what:<23} " + "".join(f"{count:>10}" for count in counts))
    return "\n".join(lines)


def _cell(outcome: Outcome) -> str:
    if outcome.delay is None:
        return "silent" if outcome.within is None else "MISSED"
    return _short(outcome.delay) + ("" if outcome.is_right else "!")


def _short(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def texts(run: Played) -> str:
    """Return how an operator reads the alarm of each fault."""
    parts = []
    for outcome in run.outcomes:
        if outcome.alarm is None:
            continue
        said = outcome.alarm.explanation
        moved = ", ".join(
            f"{m.tag} {m.before:.4g} -> {m.now:.4g} ({m.sigmas:g} sigma)"
            for m in said.moved
        )
        parts.append(
            f"{outcome.fault} on {outcome.vessel}: priority {outcome.alarm.priority}, "
            f"{said.check}\n  {said.tag}: expected {said.expected}\n"
            f"  quality: {said.quality}\n"
            f"  moved: {moved or 'nothing else'}\n  {said.advice}"
        )
    return "\n".join(parts)


def main() -> int:
    """Return 0 where every fault was found in time and nothing else was said."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=8, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    asked = parser.parse_args()
    runs: list[Played] = []
    with ProcessPoolExecutor(asked.at_once) as pool:
        seeds = range(asked.first, asked.first + asked.seeds)
        for run in pool.map(play, seeds):
            runs.append(run)
            print(f"seed {run.seed} done, to {seeds[-1]}", flush=True)
    print(table(runs))
    print()
    print(texts(runs[0]))
    for run in runs:
        for alarm in (*run.unexplained, *run.without_learned):
            print(f"seed {run.seed}: {alarm.check} priority {alarm.priority}")
    right = all(o.is_right for run in runs for o in run.outcomes)
    return (
        0 if right and not any(r.unexplained or r.without_learned for r in runs) else 1
    )


if __name__ == "__main__":
    raise SystemExit(main())
