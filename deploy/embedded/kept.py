"""Small things that a database's folder keeps between runs: password, port, log."""

from __future__ import annotations

import os
import secrets
import socket
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LOG_BYTES = 8 * 1024 * 1024


def stored_password(file: Path) -> str:
    """Return the password in `file`, made up the first time; readable by us alone."""
    if not file.exists():
        scratch = file.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        with os.fdopen(os.open(scratch, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(32))
            out.flush()
            os.fsync(out.fileno())
        scratch.rename(file)
    return file.read_text()


def last_port(file: Path) -> int:
    """Return the port in `file` when nobody has it now, else a free one."""
    try:
        port = int(file.read_text())
        with socket.create_server(("127.0.0.1", port)):
            return port
    except (OSError, ValueError):
        return free_port()


def free_port() -> int:
    """Return a loopback port that nothing listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def fresh_log(file: Path) -> IO[bytes]:
    """Return the log to append to; one that grew long is put aside first."""
    if file.exists() and file.stat().st_size > _LOG_BYTES:
        file.rename(file.with_suffix(".log.1"))
    return file.open("ab")
