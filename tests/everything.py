"""Runs what `make test` promises, in order, and prints the time each part took.

python -m tests.everything            all
python -m tests.everything static     format, lint, types, imports only
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
TIMES = ROOT / ".neighbours" / "times.json"
BUDGET_MIN = {
    "install": 5,
    "static": 2,
    "unit": 4,
    "integration": 5,
    "system": 6,
    "faults": 4,
    "chaos": 2,
    "evaluation": 2,
}
"""Minutes on two cores, by kind of test (a folder below tests/).

What runs at the same time shares the minutes, so the kinds add up to the whole run.
"""

KINDS = (
    "tests/unit",
    "tests/integration",
    "tests/faults",
    "tests/system",
    "tests/chaos",
    "tests/evaluation",
)
"""What `make test` runs, the quick ones first."""

WORKERS = ("-n", "2", "--dist", "loadgroup")
"""Two workers; tests that share the broker, TimescaleDB or npm are in one of them."""

STATIC = (
    ("ruff", "format", "--check", "--quiet"),
    ("ruff", "check", "--quiet"),
    ("lint-imports", "--no-cache"),
    ("mypy",),
)


def static() -> bool:
    """Run the static checks; all of them, even after one fails."""
    results = []
    for command in STATIC:
        print(f"--- {' '.join(command)}", flush=True)
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]], cwd=ROOT, check=False
        )
        results.append(done.returncode == 0)
    return all(results)


def tests() -> bool:
    """Run pytest over everything; it writes the seconds of each kind to TIMES."""
    command = [str(BIN / "pytest"), "-q", *WORKERS, *KINDS, f"--times={TIMES}"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def report(seconds: dict[str, float]) -> None:
    """Print the table of times against the budget."""
    print(f"\n{'kind':<12} {'minutes':>8} {'budget':>7}")
    for kind, budget in BUDGET_MIN.items():
        if kind in seconds:
            over = "  over" if seconds[kind] > budget * 60 else ""
            print(f"{kind:<12} {seconds[kind] / 60:>8.2f} {budget:>7}{over}")


def main() -> int:
    """Return 0 when everything passed."""
    TIMES.parent.mkdir(exist_ok=True)
    seconds: dict[str, float] = {}
    if installed := os.environ.get("INSTALL_SECONDS"):
        seconds["install"] = float(installed)
    began = time.monotonic()
    ok = static()
    seconds["static"] = time.monotonic() - began
    if sys.argv[1:] == ["static"]:
        return 0 if ok else 1
    ok = tests() and ok
    if TIMES.exists():
        measured = json.loads(TIMES.read_text())
        seconds["install"] = seconds.get("install", 0.0) + measured.pop("install", 0.0)
        seconds |= measured
    report(seconds)
    print("everything passed" if ok else "FAILED")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
