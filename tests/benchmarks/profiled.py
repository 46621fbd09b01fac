"""Runs a module and writes where its threads were, sampled by the CPU that they use.

    python -m tests.benchmarks.profiled OUT.json services.ingest.collect

The timer runs on the process's CPU time. A sample weighs what its thread used since the
one before (us), so that waiting weighs nothing; it counts for the innermost function
(`own`) and once for every function on the stack (`all`). Starting up, which is before
the loop runs, is left out.
"""

from __future__ import annotations

import atexit
import json
import runpy
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

EVERY_S = 0.002
_AT_WORK = (":run_forever", "thread.py:_worker")
_ROOTS = ("services", "shared", "tests", "site-packages")


class Samples:
    """Counts of functions and of whole stacks."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.all: Counter[str] = Counter()
        self.stacks: Counter[str] = Counter()
        self._used: dict[int, int] = {}

    def take(self, frame: FrameType | None) -> None:
        """Look at all threads; `frame` is where the main one was interrupted."""
        frames = sys._current_frames()
        if frame is not None:
            frames[threading.main_thread().ident or 0] = frame
        for thread, at in frames.items():
            self._add(at, self._spent_us(thread))

    def _spent_us(self, thread: int) -> int:
        try:
            used = time.clock_gettime_ns(time.pthread_getcpuclockid(thread)) // 1000
        except OSError:  # it ended between the two looks
            return 0
        before = self._used.get(thread, 0)
        self._used[thread] = used
        return used - before

    def _add(self, frame: FrameType, weight: int) -> None:
        names: list[str] = []
        at: FrameType | None = frame
        while at is not None:
            names.append(_name(at))
            at = at.f_back
        if not any(name.endswith(_AT_WORK) for name in names):
            return
        self.own[names[0]] += weight
        for name in set(names):
            self.all[name] += weight
        self.stacks[";".join(reversed(names))] += weight

    def write(self, to: Path) -> None:
        """Write the counts; stacks as flame graph tools read them, beside."""
        to.write_text(json.dumps({"own": self.own, "all": self.all}))
        lines = [f"{stack} {count}" for stack, count in self.stacks.items() if count]
        to.with_suffix(".stacks").write_text("\n".join(lines))


def _name(frame: FrameType) -> str:
    parts = Path(frame.f_code.co_filename).parts
    for root in _ROOTS:
        if root in parts:
            parts = parts[parts.index(root) + (root == "site-packages") :]
            break
    else:
        parts = parts[-1:]
    return f"{'/'.join(parts)}:{frame.f_code.co_name}"


def main() -> None:
    """Run the module under the sampler until it ends."""
    to, module = Path(sys.argv[1]), sys.argv[2]
    samples = Samples()

    def end() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        samples.write(to)

    atexit.register(end)
    signal.signal(signal.SIGPROF, lambda _number, frame: samples.take(frame))
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
