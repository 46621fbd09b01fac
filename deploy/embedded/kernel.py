"""What the kernel knows of processes, and how it ends one with its parent. Linux."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class EndWithParent:
    """Runs in the child before the program: the kernel stops it with its parent."""

    def __init__(self) -> None:
        self._parent = os.getpid()

    def __call__(self) -> None:
        """Ask the kernel; end at once when the parent is gone already."""
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != self._parent:
            os._exit(0)


def start_time(pid: int) -> str:
    """Return when `pid` was started, in clock ticks since boot."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    return after_name.split()[19]


def children(pid: int) -> list[int]:
    """Return the pids of its child processes."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def alive(pid: int) -> bool:
    """Return whether it still runs; a zombie does not."""
    return Path(f"/proc/{pid}").exists() and _state(pid) != "Z"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that has ended already is fine."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
