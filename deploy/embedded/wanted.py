"""What a person asked of `fedbatch demo` or `fedbatch run`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options, as given."""

    plant: Path | None = None
    """plant.yaml to watch; None: a simulated plant."""
    vessels: int = 3
    history: timedelta = timedelta(days=3)
    """How far in the past a new simulated plant starts."""
    port: int = 8080
    data: Path | None = None
    """None: a folder that no other fedbatch works in."""
    bus: str | None = None
    database: str | None = None
    seconds: float | None = None
    """End by itself after this time from the start; None: when asked to."""
    json: bool = False
