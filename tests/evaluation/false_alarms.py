"""What the alarm set says over whole fault-free batches, in process.

python -m tests.evaluation.false_alarms                       ten seeds, 10 s rows
python -m tests.evaluation.false_alarms --seeds 2 --rows 120  coarser
Each batch lasts 14 days with its temperature shift and boluses, from preparation to
cleaning. Prints the alarms of each batch and what the monitor cost.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from shared.domain import US_PER_S
from simulators import plant as simulated
from simulators.recipes import US_PER_H
from tests.evaluation.in_process import NOON_US, InProcess, described

if TYPE_CHECKING:
    from shared.events import AlarmTransition

VESSEL = "BR101"
MOST = 3
"""Alarms of any priority that a batch may raise; none of them of priority 1 or 2."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A whole batch and what was said of it."""

    seed: int
    raised: tuple[AlarmTransition, ...]
    cpu_s: float
    """Of the monitor."""
    readings: int

    @property
    def is_quiet(self) -> bool:
        """Whether an operator can live with it."""
        urgent = [alarm for alarm in self.raised if alarm.priority <= 2]
        return not urgent and len(self.raised) <= MOST


def run_batch(seed: int, rows_s: int) -> Batch:
    """Run one batch; 100 s at rows of 10 s, 10 s at rows of 120 s."""
    layout = simulated.Layout((VESSEL,), seed)
    recipe = layout.recipe
    age_h = layout.age_h(0) + recipe.before_culture_h
    start = NOON_US - round((recipe.cycle_h - age_h) * US_PER_H)
    run = InProcess(simulated.Plant(layout, start), {"all": described((VESSEL,))})
    run.past(rows_s * US_PER_S)
    return Batch(seed, tuple(run.raised("all")), run.cpu_s["all"], run.readings)


def main() -> int:
    """Return 0 where every batch was quiet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--rows", type=int, default=10, help="seconds between rows")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    asked = parser.parse_args()
    quiet = True
    with ProcessPoolExecutor(asked.at_once) as pool:
        seeds = range(asked.first, asked.first + asked.seeds)
        for batch in pool.map(partial(run_batch, rows_s=asked.rows), seeds):
            quiet = quiet and batch.is_quiet
            names = [f"{a.check} (priority {a.priority})" for a in batch.raised]
            each_us = batch.cpu_s / batch.readings * 1e6
            print(
                f"seed {batch.seed}: {len(names)} alarms {', '.join(names)} - monitor "
                f"{batch.cpu_s:.1f} s, {each_us:.1f} us a reading",
                flush=True,
            )
    print("quiet" if quiet else "NOT quiet")
    return 0 if quiet else 1


if __name__ == "__main__":
    raise SystemExit(main())
