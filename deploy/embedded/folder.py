"""The data folder of one embedded plant, owned by one supervisor at a time."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BESIDE = 9
"""How many plants side by side find a folder of their own by themselves."""
_ENDING_S = 20.0
"""How long processes of a killed supervisor may take to end."""
_LOOK_S = 0.1


class FolderInUse(FedbatchError):  # noqa: N818
    """Another fedbatch works in this data folder."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where one embedded plant keeps everything."""

    root: Path
    children_lock: int
    """A file descriptor that every child process inherits, so that the next owner can
    tell when all of them have ended."""

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL, with its data."""
        return self.root / "postgres"

    @property
    def log(self) -> Path:
        """The local log."""
        return self.root / "log"

    @property
    def spool(self) -> Path:
        """The collector's spool in front of Kafka."""
        return self.root / "spool"

    @property
    def plant(self) -> Path:
        """What is watched."""
        return self.root / "plant.yaml"

    @property
    def simulator(self) -> Path:
        """What the simulated plant remembers between runs."""
        return self.root / "simulator"

    @property
    def monitor(self) -> Path:
        """The monitor's checkpoints."""
        return self.root / "monitor"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"


@contextmanager
def own_folder(root: Path, *, or_beside: bool) -> Iterator[DataFolder]:
    """Own a data folder for the length of the block; made when it does not exist.

    Args:
        root: the wanted folder.
        or_beside: when another plant works in it, take `root-2`, `root-3`, ... .

    Raises:
        FolderInUse: another supervisor, or a process it left behind, works there.
    """
    beside = range(2, _BESIDE + 1) if or_beside else ()
    candidates = [root, *(root.with_name(f"{root.name}-{n}") for n in beside)]
    for candidate in candidates:
        candidate.mkdir(parents=True, exist_ok=True)
        own = _locked(candidate / ".lock")
        if own is None:
            continue
        try:
            children = _when_children_ended(candidate)
            try:
                yield DataFolder(candidate.resolve(), children)
            finally:
                os.close(children)
        finally:
            os.close(own)
        return
    raise FolderInUse(
        f"data folder {root}: another fedbatch works there; stop it, or choose another "
        "folder with --data"
    )


def _locked(path: Path) -> int | None:
    """Return a descriptor that holds the lock of `path`, None if another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    os.close(descriptor)
    return None


def _when_children_ended(folder: Path) -> int:
    """Wait until no process of a killed supervisor is left; return their lock."""
    until = time.monotonic() + _ENDING_S
    while (descriptor := _locked(folder / ".lock-children")) is None:
        if time.monotonic() > until:
            raise FolderInUse(
                f"data folder {folder}: processes of an earlier run still work there "
                f"after {_ENDING_S:.0f} s; `fuser {folder}/.lock-children` names them"
            )
        time.sleep(_LOOK_S)
    return descriptor
