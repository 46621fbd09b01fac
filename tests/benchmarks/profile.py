"""What `make profile` runs: where the CPU time of a stage goes.

    make profile                        collector, then archiver, under full load
    make profile ARGS="archived --rows 40"

Writes build/bench/profile-<stage>.stacks, too, which flame graph tools read.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from tests.benchmarks.results import shown
from tests.benchmarks.stages import archived, logged
from tests.benchmarks.whole_way import RESULTS
from tests.system.site import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

STAGES = {"logged": logged.profile, "archived": archived.profile}


def table(own: Mapping[str, int], whole: Mapping[str, int], rows: int) -> str:
    """Return the functions with the greatest own share, and those with the greatest
    share together with what they call, per cent of the CPU time at work.
    """
    total = sum(own.values()) or 1

    def row(name: str) -> str:
        shares = 100 * own.get(name, 0) / total, 100 * whole[name] / total
        return f"{shares[0]:6.1f} {shares[1]:6.1f}  {name}"

    ours = [name for name in whole if name.startswith(("services/", "shared/"))]
    return "\n".join(
        [
            f"{'own %':>6} {'all %':>6}  function",
            *(row(name) for name in sorted(own, key=lambda n: -own[n])[:rows]),
            "ours, with what they call:",
            *(row(name) for name in sorted(ours, key=lambda n: -whole[n])[:rows]),
        ]
    )


def main() -> None:
    """Profile the stages asked for."""
    parser = argparse.ArgumentParser(prog="make profile")
    parser.add_argument("stage", nargs="*", help=f"of {', '.join(STAGES)}; all")
    parser.add_argument("--rows", type=int, default=25, help="of each table")
    asked = parser.parse_args()
    folder = ROOT / RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    for name in asked.stage or STAGES:
        to = folder / f"profile-{name}.json"
        speed = STAGES[name](["tests.benchmarks.profiled", str(to)])
        found = json.loads(to.read_text())
        print(f"\n{name}: {shown(speed)} readings per CPU second while profiled")
        print(table(found["own"], found["all"], asked.rows), flush=True)


if __name__ == "__main__":
    main()
