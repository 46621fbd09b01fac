"""What is published at one instant. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TICKS_AT_1970 = 116_444_736_000_000_000
"""OPC UA DateTime of 1970: 100 ns since 1601."""

Value = float | str | None
"""A number (also of booleans and integers), a text, or null."""


@dataclass(frozen=True, slots=True)
class Instant:
    """Values of some variables at one source time, in the order of publication."""

    time: int
    """Source timestamp, us UTC."""
    nodes: Sequence[int]
    """Which variables, as positions in the server's list."""
    values: Sequence[Value]
    """One per node."""
    statuses: Sequence[int] | None = None
    """OPC UA StatusCodes, one per node; None: all Good."""

    @property
    def ticks(self) -> int:
        """Return the source timestamp as OPC UA DateTime, 100 ns since 1601."""
        return self.time * 10 + TICKS_AT_1970
