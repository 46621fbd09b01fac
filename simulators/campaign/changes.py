"""What operators and the recipe did to a vessel, from what its instruments say. Pure.

Setpoints, modes and switches are constant between changes; a pump's shot is a run of
flow above nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.tags import COLUMN, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEPPED = tuple(n for n, tag in enumerate(TAGS) if not tag.each)
"""Columns that change seldom."""
SHOT = COLUMN["FIC-123.PV"]
"""The pump of glucose shots."""
SHOT_TOTAL = COLUMN["FQ-123.PV"]
FLOWS_MLPM = 0.5
"""Flow above which the pump counts as running."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one vessel."""

    time: int
    """us, as the rows."""
    kind: str
    """`Phase`, `Setpoint`, `Mode`, `Foam` or `Bolus` (`value`: litres)."""
    what: str
    """The tag, or the phase that begins."""
    value: float | None = None
    before: float | None = None


class Changes:
    """Sees one vessel's rows in order and keeps what changed."""

    def __init__(self) -> None:
        self.all: list[Change] = []
        self._phase = ""
        self._last: Array | None = None
        self._since: int | None = None
        self._total = 0.0

    def see(self, times: NDArray[np.int64], rows: Array, phases: Sequence[str]) -> None:
        """Take the next rows, shape (k, tags)."""
        found: list[Change] = []
        for at, phase in _starts(phases, self._phase):
            found.append(Change(int(times[at]), "Phase", phase))
        self._phase = phases[-1]
        before = rows[:1] if self._last is None else self._last[None, :]
        whole = np.concatenate([before, rows])
        for column in STEPPED:
            found += self._steps(times, whole[:, column], column)
        found += self._shots(times, rows)
        self._last = rows[-1].copy()
        self.all += found

    @staticmethod
    def _steps(
        times: NDArray[np.int64], column: Array, number: int
    ) -> Iterator[Change]:
        tag = TAGS[number]
        kind = {"SP": "Setpoint", "MODE": "Mode"}.get(tag.part, "Foam")
        for at in np.flatnonzero(np.diff(column)):
            yield Change(
                int(times[at]),
                kind,
                tag.name,
                float(column[at + 1]),
                float(column[at]),
            )

    def _shots(self, times: NDArray[np.int64], rows: Array) -> Iterator[Change]:
        """Yield a shot when it ends, at the time it began, with its litres."""
        runs = rows[:, SHOT] > FLOWS_MLPM
        totals = rows[:, SHOT_TOTAL]
        for at in range(len(runs)):
            if runs[at] and self._since is None:
                self._since = int(times[at])
            elif not runs[at]:
                if self._since is not None:
                    litres = round(float(totals[at]) - self._total, 3)
                    yield Change(self._since, "Bolus", TAGS[SHOT].name, litres)
                self._since = None
                self._total = float(totals[at])


def _starts(phases: Sequence[str], before: str) -> Iterator[tuple[int, str]]:
    for at, phase in enumerate(phases):
        if phase != before:
            yield at, phase
        before = phase
