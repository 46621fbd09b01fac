"""Excursions shown by readings that came too late for the timers.

What late rows show by themselves is told: values beyond limits, and rates, frozen
values and scatter within them. Silence and residuals need what was there in between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.columns import Rows, TagColumns
from services.monitor.detectors.frozen import FrozenCheck, FrozenValues
from services.monitor.detectors.noise import NoiseCheck, Scatters
from services.monitor.detectors.rate import RateCheck, Rates
from services.monitor.detectors.seen import Sighting
from services.monitor.detectors.state import StateCheck, States
from shared.checks import Frozen, Limit, Noise, Rate, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    """Return the conditions that lasted their on-delay in late rows, by check.

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
    found += _by_detectors(rows, checks, len(ids))
    return sorted(found, key=lambda each: (each.check, each.time))


def _by_detectors(rows: Rows, checks: Sequence[Check], tags: int) -> Iterator[Sighting]:
    """Yield what detectors that know nothing else see in the rows."""
    came = set(rows.tag[rows.judged].tolist())
    placed = [
        (number, check.timed_by, check.settings)
        for number, check in enumerate(checks)
        if check.timed_by in came
    ]
    rates = [RateCheck(n, t, s) for n, t, s in placed if isinstance(s, Rate)]
    frozen = [FrozenCheck(n, t, s) for n, t, s in placed if isinstance(s, Frozen)]
    noises = [NoiseCheck(n, t, s) for n, t, s in placed if isinstance(s, Noise)]
    states = [StateCheck(n, t, s) for n, t, s in placed if isinstance(s, State)]
    if not (rates or frozen or noises or states):
        return
    detectors = (
        Rates(rates), FrozenValues(frozen), Scatters(noises), States(states),
    )  # fmt: skip
    columns = TagColumns(tags)
    began: dict[int, Sighting] = {}
    for layer in rows.layers(0, len(rows)):
        seen = columns.take(layer)
        for edge in (e for each in detectors for e in each.see(seen)):
            if edge.on:
                began[edge.check] = edge
            elif edge.check in began:
                yield from _long_enough(began.pop(edge.check), edge.time, checks)
    for edge in began.values():
        last = int(columns.time[checks[edge.check].timed_by])
        yield from _long_enough(edge, last, checks)


def _long_enough(
    edge: Sighting, end: int, checks: Sequence[Check]
) -> Iterator[Sighting]:
    if end - edge.time >= round(checks[edge.check].settings.on_delay_s * 1e6):
        yield replace(edge, text=f"{edge.text}; known late")


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
