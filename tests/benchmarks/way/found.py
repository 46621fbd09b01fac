"""What the database holds against what was sent: every reading, bit for bit. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.load.notifications import Layout, values
from tests.benchmarks.load.subscription import SLOTS, TAGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

POSTGRES_EPOCH_US = 946_684_800_000_000
ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("tag_bytes", ">i4"),
        ("tag", ">i4"),
        ("time_bytes", ">i4"),
        ("time", ">i8"),
        ("value_bytes", ">i4"),
        ("value", ">f8"),
    ]
)
"""A row of binary COPY of (tag int4, time timestamptz, value float8), no nulls."""
_HEAD_BYTES = 19


def rows_of(stream: bytes) -> NDArray[Any]:
    """Return the rows of a binary COPY stream.

    Raises:
        ValueError: a row is not as ROW says, for example a null value.
    """
    body = stream[_HEAD_BYTES:-2]
    rows = np.frombuffer(body[: len(body) // ROW.itemsize * ROW.itemsize], ROW)
    if len(body) % ROW.itemsize or (rows["fields"] != 3).any():
        raise ValueError("stored rows: expected (tag, time, value) without nulls")
    return rows


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one server sent: every tick from `first` to `last` of items from `start`."""

    start: int
    """First item index."""
    items: int
    first: int
    last: int
    period_us: int

    @property
    def readings(self) -> int:
        """How many."""
        return (self.last - self.first + 1) * self.items


class Comparison:
    """Counts what is missing, stored twice, wrong or unknown of one stretch."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._times_found = np.zeros(stretch.readings, np.uint8)
        self.strange = 0
        """Stored readings that were never sent, or have another value."""

    def add(self, tag: NDArray[Any], time: NDArray[Any], value: NDArray[Any]) -> None:
        """Compare stored readings (time in us UTC since 1970)."""
        stretch = self._stretch
        index = tag.astype(np.int64) - 1
        row = index - stretch.start
        slot = index // TAGS % SLOTS
        shift = slot * stretch.period_us // SLOTS
        tick, rest = np.divmod(time.astype(np.int64) - shift, stretch.period_us)
        known = (row >= 0) & (row < stretch.items) & (rest == 0)
        known &= (tick >= stretch.first) & (tick <= stretch.last)
        for each in np.unique(tick[known]).tolist():
            at = known & (tick == each)
            known[at] = value[at] == values(index[at], each, Layout.UNIFORM)
        self.strange += int((~known).sum())
        place = (tick[known] - stretch.first) * stretch.items + row[known]
        np.add.at(self._times_found, place, 1)

    @property
    def lost(self) -> int:
        """Readings that were sent and are not stored."""
        return int((self._times_found == 0).sum())

    @property
    def twice(self) -> int:
        """Readings that are stored more than once."""
        return int((self._times_found > 1).sum())
