"""Random faults under load: `make chaos`, or `make chaos ARGS="--seed 7 --faults 20"`.

    python -m tests.chaos                              200 faults, both variants in turn
    python -m tests.chaos --seed 4711 --faults 1 --variant plant

Every fault has a seed of its own, which is printed: run it alone with --faults 1. At
the end of each plant generated = stored + declared lost, per tag and bit for bit, every
gap lies within a true outage, and `fedbatch ledger verify` agrees. The first fault of a
run of more than one plant is a black hole of five minutes. Ctrl-C and SIGTERM end it in
order: neighbours stop, small disks are unmounted.

kill -9 proves that a crash of a process loses nothing; a power cut is another matter,
for which the order of fsyncs and the damage tests of the log stand.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.postgres import EmbeddedPostgres
from tests.chaos.report import Report, Round, Struck
from tests.chaos.schedule import LONG_S, faults, long_black_hole
from tests.chaos.storm import Storm
from tests.chaos.storms import embedded_storm, plant_storm
from tests.neighbours.kafka import KafkaBroker
from tests.neighbours.timescale import TimescaleServer

ROUND = 20
"""Faults of one plant before its loss equation is held and a new plant begins."""
VARIANTS = ("embedded", "plant")


def one_round(folder: Path, variant: str, seeds: range, run: Run) -> Round:
    """Run one plant through faults; return what it came to."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        if variant == "embedded":
            server = EmbeddedPostgres(folder / "postgres")
            server.start()
            stack.callback(server.discard)
            stack.callback(server.stop)
            storm = stack.enter_context(embedded_storm(folder / "site", server))
        else:
            database = stack.enter_context(TimescaleServer(folder / "timescale"))
            broker = stack.enter_context(KafkaBroker(folder / "kafka"))
            storm = stack.enter_context(plant_storm(folder / "site", database, broker))
        return weathered(storm, variant, seeds, run)


def weathered(storm: Storm, variant: str, seeds: range, run: Run) -> Round:
    """Let the faults happen, print each, and return what they came to."""
    disk = "" if storm.disk is None else f", disk full by {storm.disk.how}"
    print(f"\n{variant}, seeds {seeds[0]} to {seeds[-1]}{disk}", flush=True)
    done, failed = 0, ""
    drawn = faults(seeds[0], len(seeds), variant)
    if run.wants_long and not run.report.rounds:
        drawn = [long_black_hole(seeds[0]), *drawn[1:]]
    for fault in drawn:
        if run.is_over:
            break
        done += 1
        try:
            outage = storm.strike(fault)
        except AssertionError as error:  # it did not recover: no more for this plant
            failed = f"seed {fault.seed}, {fault}: {error}"
            break
        took, flows = outage.end - outage.start, outage.end - outage.healed
        run.report.struck.append(Struck(variant, fault, took, flows))
        print(f"  {run.progress} {fault.seed}: {outage}", flush=True)
    sums, outside = storm.settle(), storm.outside()
    ledger = storm.verified()
    wrong = [failed, ledger, *(f"too wide: {gap}" for gap in outside)]
    print(sums, *filter(None, wrong), sep="\n  ", flush=True)
    return Round(
        variant,
        seeds[0],
        done,
        str(sums).partition("\n")[0],
        len(storm.gaps()),
        held=sums.balanced and not any(wrong),
        failed="; ".join(filter(None, wrong)),
    )


@dataclass(slots=True)
class Run:
    """A run's clock and its report."""

    report: Report
    minutes: float
    began: float = field(default_factory=time.monotonic)

    @property
    def wants_long(self) -> bool:
        """Whether the run is a whole one, with time for the long black hole."""
        return self.minutes * 60 > 5 * LONG_S and self.report.wanted > ROUND

    @property
    def is_over(self) -> bool:
        """Whether no further fault may begin."""
        return time.monotonic() - self.began > self.minutes * 60

    @property
    def progress(self) -> str:
        """How far it is, for a person."""
        return self.report.progress(time.monotonic() - self.began)


def asked() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--variant", choices=VARIANTS, help="default: both in turn")
    parser.add_argument(
        "--minutes", type=float, default=60, help="no fault begins later (default: 60)"
    )
    parser.add_argument("--keep", type=Path, help="folder for data and logs")
    return parser.parse_args()


def main() -> int:
    """Return 0 when every round held."""
    wanted = asked()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    seed, number, end = wanted.seed, 0, wanted.seed + wanted.faults
    run = Run(Report(wanted.faults), wanted.minutes)
    with tempfile.TemporaryDirectory() as scratch:
        folder = wanted.keep or Path(scratch)
        while seed < end and not run.is_over:
            variant = wanted.variant or VARIANTS[number % len(VARIANTS)]
            seeds = range(seed, min(seed + ROUND, end))
            place = folder / f"round{number}"
            run.report.rounds.append(one_round(place, variant, seeds, run))
            seed, number = seeds.stop, number + 1
    report, took = run.report, (time.monotonic() - run.began) / 60
    print(report.table())
    print(
        f"\n{len(report.struck)} of {wanted.faults} faults in {took:.1f} min: "
        f"{'held' if report.held else 'FAILED'}"
    )
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
