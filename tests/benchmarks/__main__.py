"""What `make bench` runs.

    make bench                                      the whole way, about a minute
    make bench ARGS="way --real --seconds 600"      see tests/benchmarks/whole_way.py
    make bench ARGS="push"                          how late alarms reach people
    make bench ARGS="catchup --seconds 240"         after the log or database was away
    make bench ARGS="stages"                        every stage against its peers
    make bench ARGS="stages columns --rounds 1"     one stage, quickly

Results go to build/bench, which git ignores: results.json, results.md, results.png and
results.html.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import catch_up, charts, push, whole_way
from tests.benchmarks.machine import described
from tests.benchmarks.results import Comparison, table
from tests.benchmarks.stages import archived, columns, logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STAGES: dict[str, Callable[[int, float], Iterator[Comparison]]] = {
    "columns": columns.compare,
    "logged": logged.compare,
    "archived": archived.compare,
}


def stages(arguments: Sequence[str]) -> None:
    """Compare stages with their peers and write the results."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=stages")
    parser.add_argument("stage", nargs="*", help=f"of {', '.join(STAGES)}; all")
    parser.add_argument("--rounds", type=int, default=5, help="of every contender")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    parser.add_argument("--results", type=Path, default=whole_way.RESULTS)
    asked = parser.parse_args(arguments)
    machine = described()
    print(machine, flush=True)
    found: list[Comparison] = []
    for name in asked.stage or STAGES:
        for comparison in STAGES[name](asked.rounds, asked.seconds):
            found.append(comparison)
            print(f"\n{table([comparison])}", flush=True)
    write(found, machine, asked.results)


def write(found: Sequence[Comparison], machine: str, folder: Path) -> None:
    """Write table, figures and picture."""
    folder.mkdir(parents=True, exist_ok=True)
    body = {"machine": machine, "comparisons": [asdict(each) for each in found]}
    (folder / "results.json").write_text(json.dumps(body, indent=1))
    (folder / "results.md").write_text(f"{machine}\n\n{table(found)}\n")
    charts.draw(found, machine, folder / "results.png")
    charts.page(found, machine, folder / "results.png", folder / "results.html")
    print(f"\n{folder / 'results.html'}, .png, .md and .json are written")


def main() -> None:
    """Run what is asked for."""
    what, *arguments = sys.argv[1:] or ["way"]
    if what == "stages":
        stages(arguments)
    elif what == "way":
        whole_way.main(arguments)
    elif what == "push":
        push.main(arguments)
    elif what == "catchup":
        sys.exit(catch_up.main(arguments))
    else:
        print(__doc__)
        sys.exit(2)


if __name__ == "__main__":
    main()
