"""What detectors see and say: arrays over the tags of one vessel, and edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEVER = 2**62
"""A time that does not come, us."""


@dataclass(frozen=True, slots=True)
class Seen:
    """At most one new reading of each tag; every array has one entry per tag."""

    fresh: NDArray[np.bool_]
    """Where there is a new reading that may be judged."""
    time: NDArray[np.int64]
    """Time of the last reading, or until when it is known to hold; us UTC."""
    value: NDArray[np.float64]
    """Last value that could be judged; NaN before the first."""
    lived: NDArray[np.int64]
    """How long the tag has been known so far, us: time without bad or no data."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A condition began or ended: an edge, never a row."""

    check: int
    """Number of the check in its vessel."""
    time: int
    """Of the reading that showed it, us UTC."""
    on: bool
    value: float | None
    score: float
    """1.0 and above is beyond the limit."""
    text: str
    """What was seen, for a person."""
