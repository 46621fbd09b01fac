"""The laboratory: what it finds in daily samples, and when it says so. Pure.

A result is drawn at one time and known half an hour to four hours later. pH outside the
vessel reads higher than inside, because carbon dioxide leaves the sample.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.tags import ALL_ASSAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.bioprocess.process import Process
    from simulators.processes.state import State

US_PER_H = 3_600_000_000
OUTGASSED_PH = 0.05
_STREAM = 7


@dataclass(frozen=True, slots=True)
class Result:
    """All assays of one sample."""

    vessel: int
    """Its place in the layout."""
    batch: str
    number: int
    """Of the sample in the batch, from 1."""
    drawn: int
    """us UTC; a reading's source time."""
    known: int
    """us UTC, when the laboratory answers."""
    values: tuple[float, ...]
    """In the order of tags.ALL_ASSAYS; NaN: the process has no such thing."""


class Laboratory:
    """Takes samples and answers late.

    Bounded by: a few results per vessel, those that are not known yet. Order: as they
    become known. Duplicates: none.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pending: list[Result] = []

    def take(  # noqa: PLR0913  what a sample is
        self,
        process: Process,
        state: State,
        vessel: int,
        *,
        batch: tuple[str, int],
        number: int,
        time: int,
        mistaken: Sequence[float] | None = None,
    ) -> None:
        """Draw a sample now.

        Args:
            process: whose assays.
            state: of all vessels.
            vessel: which one.
            batch: its name and number.
            number: of the sample in the batch.
            time: us UTC.
            mistaken: factors on the results, for mix-ups.
        """
        random = np.random.Generator(
            np.random.PCG64([self._seed, _STREAM, batch[1], number])
        )
        true = _true(process, state, vessel)
        noise = random.standard_normal(len(ALL_ASSAYS))
        sigma = np.array([t.noise for t in ALL_ASSAYS]) + true * [
            t.noise_share for t in ALL_ASSAYS
        ]
        found = true + sigma * noise
        if mistaken is not None:
            found = found * mistaken
        high = np.array([t.high for t in ALL_ASSAYS])
        shown = np.round(np.clip(found, 0.0, high), 3)
        delay_h = 0.5 + 3.5 * random.beta(2.0, 4.0)
        known = time + round(delay_h * US_PER_H)
        self._pending.append(
            Result(vessel, batch[0], number, time, known, tuple(shown.tolist()))
        )

    def answers(self, now: int) -> list[Result]:
        """Return, once, the results known by `now`, by the time they are known."""
        if not self._pending:
            return []
        known = sorted(
            (r for r in self._pending if r.known <= now),
            key=lambda r: (r.known, r.vessel),
        )
        if known:
            self._pending = [r for r in self._pending if r.known > now]
        return known

    def to_json(self) -> list[dict[str, Any]]:
        """Return what is not known yet."""
        return [
            {**asdict(one), "values": [_written(value) for value in one.values]}
            for one in self._pending
        ]

    def restore(self, body: Sequence[Mapping[str, Any]]) -> None:
        """Go on from what `to_json` saw."""
        self._pending = [
            Result(**{**one, "values": _filled(one["values"])}) for one in body
        ]


def _written(value: float) -> float | None:
    """Return what JSON has for a value: null for none."""
    return None if math.isnan(value) else value


def _filled(values: Sequence[float | None]) -> tuple[float, ...]:
    """Return written values; an older state's without the assays it did not know."""
    known = [math.nan if value is None else value for value in values]
    return (*known, *[math.nan] * (len(ALL_ASSAYS) - len(known)))


def _true(process: Process, state: State, vessel: int) -> NDArray[np.float64]:
    column = state.culture[:, [vessel]]
    assays = {
        f"LAB.{name.upper()}": float(value[0])
        for name, value in process.assays(column).items()
    }
    assays["LAB.PH"] = float(state.ph[vessel]) + OUTGASSED_PH
    return np.array([assays.get(tag.name, np.nan) for tag in ALL_ASSAYS])
