"""Scores every data set that is there and writes a report of each: `make evaluate`.

python -m tests.evaluation.every --data FOLDER --output REPORTS
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.command.evaluating import evaluated
from tests.evaluation.catalogue import scored
from tests.evaluation.ramps import ramps
from tests.evaluation.real_runs import real_runs
from tests.neighbours.tennessee import recordings

DATASETS = Path(__file__).parent / "datasets"
SETS = {"skab": "skab", "indpensim": "indpensim"}
"""Data sets by the folder below --data that holds their recordings."""


CATALOGUE = "simulated_plant"
REAL = "real_runs"


def main() -> int:
    """Return 0 when everything that is there was scored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("evaluation"))
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=5, help="of every fault")
    parser.add_argument("--quiet", type=int, default=60, help="batches without one")
    parser.add_argument("--rows", type=int, default=30, help="seconds between rows")
    wanted = parser.parse_args()
    folders = {"tennessee_eastman": recordings()}
    folders |= {name: wanted.data / folder for name, folder in SETS.items()}
    for name, folder in folders.items():
        if wanted.only in ("", name):
            _one(name, folder, wanted.output / name)
            if name == "indpensim" and folder.is_dir():
                print(f"IndPenSim, sensors that drift\n{ramps(folder)}\n", flush=True)
    if wanted.only in ("", REAL):
        folder = wanted.data / REAL
        said = real_runs(folder) if folder.is_dir() else f"no folder {folder}"
        print(f"Real runs\n{said}\n", flush=True)
    if wanted.only in ("", CATALOGUE):
        seeds, quiet = wanted.seeds, wanted.quiet
        print(f"Simulated plant: {seeds} seeds of every fault, {quiet} batches without")
        folder = wanted.output / CATALOGUE
        print(scored(seeds, quiet, wanted.rows, folder) + "\n", flush=True)
    return 0


def _one(name: str, folder: Path, output: Path) -> None:
    if not folder.is_dir():
        print(f"{name}: not scored, no folder {folder}\n")
        return
    said = DATASETS / f"{name}.yaml"
    print(evaluated(folder, output, lambda what: None, said=said) + "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
