"""Excursions shown by readings that came too late for the timers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.monitor.columns import Rows
from services.monitor.detectors.seen import Sighting
from shared.checks import Limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.monitor.catalogue import Check
    from shared.readings import Block


def late_excursions(
    block: Block,
    ids: NDArray[np.int32],
    checks: Sequence[Check],
    numbers: Mapping[str, int],
    held: NDArray[np.float64],
) -> list[Sighting]:
    """Return the excursions beyond limits that lasted their on-delay in late rows.

    Args:
        block: late rows of one vessel, times ascending.
        ids: tag ids, ascending.
        checks: of the vessel.
        numbers: of tags by name, for limits measured from another tag.
        held: last values by number, for the same.
    """
    if not len(ids):
        return []
    rows = Rows(block, ids)
    found: list[Sighting] = []
    for number, check in enumerate(checks):
        limit = check.settings
        if isinstance(limit, Limit):
            mine = (rows.tag == check.timed_by) & rows.judged
            origin = 0.0 if limit.of is None else float(held[numbers[limit.of]])
            value = rows.value[mine]
            sign = 1.0 if limit.is_high else -1.0
            beyond = sign * (value - origin - limit.value) >= 0.0
            found += _lasting(number, limit, rows.time[mine], value, beyond)
    return found


def _lasting(
    check: int,
    limit: Limit,
    time: NDArray[np.int64],
    value: NDArray[np.float64],
    beyond: NDArray[np.bool_],
) -> list[Sighting]:
    edges = np.flatnonzero(np.diff(np.r_[False, beyond, False]))
    found = []
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        lasted = int(time[end - 1] - time[first])
        if lasted >= round(limit.on_delay_s * 1e6):
            text = f"{value[first]:.6g} is beyond the limit; known late"
            found.append(
                Sighting(check, int(time[first]), True, float(value[first]), 1.0, text)  # noqa: FBT003
            )
    return found
