"""Runs a module under a clock that a test can set: the clock port of a process.

    python -m tests.chaos.shifted FILE MODULE

FILE holds eight bytes, nanoseconds to add to UTC; the test writes them while the module
runs. `time.time_ns` is the one clock that fedbatch reads (the monotonic one is left
alone, as in a machine whose clock is set).
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

_OFFSET = struct.Struct("<q")


def set_clock(file: Path, seconds: float) -> None:
    """Shift the clock of the processes that read `file`; 0 sets it right."""
    with file.open("r+b" if file.exists() else "w+b") as out:
        out.write(_OFFSET.pack(round(seconds * 1e9)))


def run(file: Path, module: str) -> None:
    """Run `module` as the main one, with the clock of `file`."""
    with file.open("rb") as source:
        shown = mmap.mmap(source.fileno(), _OFFSET.size, access=mmap.ACCESS_READ)
    real = time.time_ns

    def shifted() -> int:
        offset: int = _OFFSET.unpack_from(shown)[0]
        return real() + offset

    time.time_ns = shifted
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2])
