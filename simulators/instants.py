"""What is published at one instant. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

TICKS_AT_1970 = 116_444_736_000_000_000
"""OPC UA DateTime of 1970: 100 ns since 1601."""

BAD = 0x80000000
"""StatusCodes from here on are Bad."""
Value = float | str | None
"""A number (also of booleans and integers), a text, or null."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The rows of an instant as arrays of one length."""

    nodes: NDArray[np.int32]
    """Which variables, as positions in the server's list."""
    numbers: NDArray[np.float64]
    """NaN where a row is a text or null."""
    statuses: NDArray[np.uint32]
    """OPC UA StatusCodes."""
    texts: Mapping[int, str]
    """Texts by row."""


@dataclass(frozen=True, slots=True)
class Instant:
    """Values of some variables at one source time, in the order of publication."""

    time: int
    """Source timestamp, us UTC."""
    nodes: Sequence[int] | NDArray[np.int32]
    """Which variables, as positions in the server's list; none twice."""
    values: Sequence[Value] | NDArray[np.float64]
    """One per node. An array holds numbers: NaN is null, or a text of `texts`."""
    statuses: Sequence[int] | NDArray[np.uint32] | None = None
    """OPC UA StatusCodes, one per node; None: all Good."""
    texts: Mapping[int, str] = field(default_factory=dict)
    """Texts by row, where `values` is an array."""

    @property
    def ticks(self) -> int:
        """Return the source timestamp as OPC UA DateTime, 100 ns since 1601."""
        return self.time * 10 + TICKS_AT_1970

    def columns(self) -> Columns:
        """Return the rows as arrays; what is Bad has no value."""
        count = len(self.nodes)
        statuses = (
            np.zeros(count, np.uint32)
            if self.statuses is None
            else np.asarray(self.statuses, np.uint32)
        )
        nodes = np.asarray(self.nodes, np.int32)
        if isinstance(self.values, np.ndarray):
            numbers, texts = self.values, self.texts
        else:
            bare = [np.nan if _wordy(value) else value for value in self.values]
            numbers = np.array(bare, np.float64)
            texts = {n: v for n, v in enumerate(self.values) if isinstance(v, str)}
        bad = statuses >= BAD
        if bad.any():
            numbers = np.where(bad, np.nan, numbers)
            texts = {row: text for row, text in texts.items() if not bad[row]}
        return Columns(nodes, numbers, statuses, texts)


def _wordy(value: Value) -> bool:
    return value is None or isinstance(value, str)
