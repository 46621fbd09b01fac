"""What the collector must know after a crash: one small file, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from shared.domain import FedbatchError, GapCause

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "collector.json"
_VERSION = 1


class MemoryDamaged(FedbatchError):  # noqa: N818
    """The file cannot be read; starting without it could hide a loss."""


@dataclass(slots=True)
class ServerMemory:
    """What is remembered of one server."""

    reached: int | None = None
    """Source time up to which everything is on the log, us UTC."""
    cause: GapCause | None = None
    """Of the gap that is open; None when there is none."""
    start: int = 0
    """Of the gap that is open, us UTC."""
    refused: dict[int, int] = field(default_factory=dict)
    """Open gaps of single tags that the server refuses: start by tag."""
    subscription: int = 0
    """Id of the subscription at the server, to end it after a crash."""
    started: int = 0
    """When that server started, us UTC: ids mean nothing to a later one."""


def recall(folder: Path) -> dict[str, ServerMemory]:
    """Return what is remembered by server; empty on the first start.

    Raises:
        MemoryDamaged: the file is there and is not ours.
    """
    path = folder / _FILE
    if not path.exists():
        return {}
    try:
        body = json.loads(path.read_bytes())
        return {str(name): _server(part) for name, part in body["servers"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MemoryDamaged(
            f"{path}: expected what the collector remembers, found {error!r}; remove "
            "the file and declare the gap by hand"
        ) from error


def _server(part: dict[str, Any]) -> ServerMemory:
    return ServerMemory(
        reached=None if part["reached"] is None else int(part["reached"]),
        cause=None if part["cause"] is None else GapCause(part["cause"]),
        start=int(part["start"]),
        refused={int(tag): int(start) for tag, start in part["refused"].items()},
        subscription=int(part["subscription"]),
        started=int(part["started"]),
    )


class MemoryFile:
    """Writes the file when something changed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._written = ""

    def keep(self, servers: dict[str, ServerMemory]) -> None:
        """Replace the file; readers see the old or the new one, never a part.

        Raises:
            OSError: the disk does not take it; the old file stays.
        """
        parts = {name: asdict(memory) for name, memory in servers.items()}
        text = json.dumps({"version": _VERSION, "servers": parts}, sort_keys=True)
        if text == self._written:
            return
        fresh = self._path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._path)
        self._written = text
