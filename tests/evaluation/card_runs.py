"""Repeats of one check, watched by the monitor itself: when each raised an alarm."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.vessel import VesselWatch
from shared.events import Cause
from shared.readings import Block
from simulators.instruments import WANDER, WANDER_PER_S
from tests.neighbours.watched import NOON, S, plant, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.checks import Residual, TagChecks

CHUNK = 200
"""Rows given to the monitor at once."""


@dataclass(frozen=True)
class Raised:
    """When each replicate raised an alarm, and what a reading cost."""

    times: tuple[tuple[float, ...], ...]
    """By replicate, s after the first row."""
    cpu_us: float
    """CPU time of a reading."""

    @property
    def count(self) -> int:
        """All alarms."""
        return sum(len(times) for times in self.times)

    def delays(self, begin: float) -> list[float]:
        """Return, by replicate, s from `begin` to the first alarm; inf: none."""
        later = [[t - begin for t in times if t >= begin] for times in self.times]
        return [min(times, default=np.inf) for times in later]


def instrument(
    random: np.random.Generator, rows: int, tags: int
) -> NDArray[np.float64]:
    """Return readings once a second of instruments whose white noise is 1.

    As simulators/instruments.py has it: beside it a wandering of 0.3.
    """
    keep, shocks = WANDER_PER_S, random.standard_normal((rows, tags))
    wander = np.empty((rows, tags))
    wander[0] = shocks[0]
    for i in range(1, rows):
        wander[i] = keep * wander[i - 1] + np.sqrt(1.0 - keep**2) * shocks[i]
    return random.standard_normal((rows, tags)) + WANDER * wander


def watched(
    values: NDArray[np.float64],
    period_s: float,
    check: TagChecks | None = None,
    residual: Callable[[str], Residual] | None = None,
    status: NDArray[np.uint32] | None = None,
) -> Raised:
    """Let the monitor watch equal checks of many tags.

    Args:
        values: [row, tag].
        period_s: from row to row.
        check: of each tag.
        residual: of each tag, by its name.
        status: [row, tag]; None: good.
    """
    names = [f"T{i}" for i in range(values.shape[1])]
    made = plant(
        dict.fromkeys(names, check),
        [residual(name) for name in names] if residual else (),
    )
    watch = VesselWatch(made, made.vessels[0])
    watch.context(NOON - S, "B1", "Production")
    times: dict[str, list[float]] = {name: [] for name in names}
    began = time.process_time()
    for first in range(0, len(values), CHUNK):
        part = values[first : first + CHUNK]
        said = None if status is None else status[first : first + CHUNK]
        events = watch.readings(_block(part, first, period_s, said))
        for event in told(events, Cause.RAISED):
            name = event.check.split("/")[1 if check else 2]
            times[name].append((event.time - NOON) / S)
    spent = time.process_time() - began
    return Raised(tuple(map(tuple, times.values())), 1e6 * spent / values.size)


def _block(
    part: NDArray[np.float64],
    first: int,
    period_s: float,
    status: NDArray[np.uint32] | None,
) -> Block:
    rows, tags = part.shape
    seconds = np.arange(first, first + rows) * period_s
    moment = NOON + np.repeat(np.round(seconds * S).astype(np.int64), tags)
    zeros = np.zeros(rows * tags, np.int32)
    said = zeros.astype(np.uint32) if status is None else status.ravel()
    value = np.where(said == 0, part.ravel(), np.nan)
    return Block(
        tag=np.tile(np.arange(1, tags + 1, dtype=np.int32), rows),
        time=moment,
        value=value,
        status=said,
        tie=zeros,
        received=moment,
        server=zeros,
    )
