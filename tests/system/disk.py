"""A disk that can be full: a small tmpfs for root, else a limit on file sizes.

Either way the processes that write there get errors of the kernel, as from a full
disk, and go on writing once there is room again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Collection

PIECES = (1 << 20, 1 << 12)
"""Sizes of the writes that use the disk up, bytes."""


class SmallDisk:
    """A folder that everybody may reach, on a file system of its own where possible."""

    def __init__(self, megabytes: int, *, own: bool = os.geteuid() == 0) -> None:
        self._megabytes = megabytes
        self.own = own
        """Whether it is a file system of its own; else the writers are limited, in
        every file that they write."""
        self._limited: Collection[int] = ()
        self.folder = Path()

    @property
    def how(self) -> str:
        """How it is made full, for a person."""
        return "a tmpfs of its own" if self.own else "a limit on the writers' files"

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="fedbatch-disk-"))
        self.folder.chmod(0o755)
        self.own = self.own and self._mounted()
        return self

    def __exit__(self, *exc: object) -> None:
        self.empty()
        if self.own:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        shutil.rmtree(self.folder)

    def fill(self, pids: Collection[int]) -> None:
        """Leave no room; `pids` are the processes that write here.

        What they delete later is room again, until this is repeated.
        """
        if not self.own:
            self._limited = pids
            for pid in pids:
                limit(pid, "1")
            return
        with (self.folder / "ballast").open("ab", buffering=0) as ballast:
            for piece in PIECES:
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(piece)) == piece:
                        pass

    def empty(self) -> None:
        """Make room again."""
        (self.folder / "ballast").unlink(missing_ok=True)
        for pid in self._limited:
            limit(pid, "unlimited")
        self._limited = ()

    def _mounted(self) -> bool:
        """Mount a file system; False where this root may not."""
        size = f"size={self._megabytes}m,mode=755"
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.folder)]
        return subprocess.run(command, check=False).returncode == 0


def limit(pid: int, size: str) -> None:
    """Let a process, which may have ended, write files up to `size` bytes only."""
    with contextlib.suppress(FileNotFoundError):
        owner = Path(f"/proc/{pid}").stat()
        root = os.geteuid() == 0  # even root may limit processes of the same user only
        subprocess.run(
            ["prlimit", "--pid", str(pid), f"--fsize={size}:"],
            check=False,
            user=owner.st_uid if root else None,
            group=owner.st_gid if root else None,
            extra_groups=[] if root else None,
        )
