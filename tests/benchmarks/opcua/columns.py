"""What a client must come to: columns of readings, summed up inside the timed section.

Every client of the comparison delivers (tag, time, value, status) as native contiguous
columns, and adds them up; the sums over everything it had are compared with what the
load server sent. Values are whole numbers, so that the sums are exact. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.load.notifications import Layout, kind_of, values
from tests.benchmarks.load.subscription import STEP_US

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class Sums:
    """Totals of the columns that a client was given."""

    readings: int = 0
    tag: int = 0
    time: int = 0
    """Of us UTC, modulo 2^53."""
    value: float = 0.0
    """Of all that are numbers."""
    status: int = 0

    def add(
        self,
        tag: NDArray[np.int32],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        status: NDArray[np.uint32],
    ) -> None:
        """Add columns."""
        self.readings += len(tag)
        self.tag += int(tag.sum(dtype=np.int64))
        self.time = (self.time + int((time % 2**20).sum())) % 2**53
        self.value += float(np.nansum(value))
        self.status += int(status.sum(dtype=np.int64))


def expected(items: int, layout: Layout, first: int, notifications: int) -> Sums:
    """Return the totals of the first notifications of a saturating load.

    Args:
        items: in each notification.
        layout: of the load.
        first: its first tick.
        notifications: so many were delivered.
    """
    index = np.arange(items, dtype=np.int64)
    kinds = [kind_of(i, layout).status for i in range(items)]
    sums = Sums(
        readings=items * notifications,
        tag=int((index + 1).sum()) * notifications,
        status=sum(kinds) * notifications,
    )
    for tick in range(first, first + notifications):
        sums.time += tick * STEP_US % 2**20 * items
        sums.value += float(np.nansum(values(index, tick, layout)))
    sums.time %= 2**53
    return sums


def differences(found: dict[str, Any], wanted: Sums) -> list[str]:
    """Return what is not as it should be; empty when all sums agree."""
    return [
        f"{name}: expected {getattr(wanted, name)}, found {found[name]}"
        for name in ("readings", "tag", "time", "value", "status")
        if found[name] != getattr(wanted, name)
    ]
