"""Random faults under load: `make chaos`, or `make chaos ARGS="--seed 7 --faults 20"`.

    python -m tests.chaos                              200 faults, both variants in turn
    python -m tests.chaos --seed 4711 --faults 1 --variant plant

Every fault has a seed of its own, which is printed: run it alone with --faults 1.
kill -9 proves that a crash of a process loses nothing; a power cut is another matter,
for which the order of fsyncs and the damage tests of the log stand.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from deploy.embedded.postgres import EmbeddedPostgres
from tests.chaos.schedule import faults
from tests.chaos.storm import Storm
from tests.chaos.storms import embedded_storm, plant_storm
from tests.neighbours.kafka import KafkaBroker
from tests.neighbours.timescale import TimescaleServer

ROUND = 20
"""Faults of one plant before its loss equation is held and a new plant begins."""
VARIANTS = ("embedded", "plant")


def one_round(folder: Path, variant: str, seed: int, count: int) -> bool:
    """Run one plant through faults; return whether all held."""
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
        return weathered(storm, variant, seed, count)


def weathered(storm: Storm, variant: str, seed: int, count: int) -> bool:
    """Let the faults happen, print each, and return whether all held."""
    print(f"\n{variant}, seeds {seed} to {seed + count - 1}", flush=True)
    for fault in faults(seed, count, variant):
        print(f"  {fault.seed}: {storm.strike(fault)}", flush=True)
    sums, outside = storm.settle(), storm.outside()
    gaps = storm.gaps()
    print(sums, *(f"too wide: {gap}" for gap in outside), sep="\n  ")
    print(f"{len(gaps)} gaps declared", flush=True)
    return sums.balanced and not outside


def main() -> int:
    """Return 0 when every round held."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--variant", choices=VARIANTS, help="default: both in turn")
    parser.add_argument("--keep", type=Path, help="folder for data and logs")
    asked = parser.parse_args()
    began, seed, left, number = time.monotonic(), asked.seed, asked.faults, 0
    held = True
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        while left > 0:
            variant = asked.variant or VARIANTS[number % len(VARIANTS)]
            count = min(left, ROUND)
            held &= one_round(folder / f"round{number}", variant, seed, count)
            seed, left, number = seed + count, left - count, number + 1
    took = (time.monotonic() - began) / 60
    print(f"\n{asked.faults} faults in {took:.1f} min: {'held' if held else 'FAILED'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
