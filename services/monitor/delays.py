"""On-delays and off-delays of all checks of a vessel, in time that was really seen.

A check's timer runs with the `lived` time of its tag, which stands still while data
are bad or missing. A condition that goes away for less than the off-delay pauses the
on-delay and does not restart it, so that chatter around a limit is one activation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.seen import NEVER, Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.checks import (
        Frozen,
        Limit,
        NoData,
        Noise,
        Quality,
        Rate,
        Residual,
        SampleCheck,
        Skew,
        State,
    )
    from shared.vector_checks import VectorCheck

    Settings = (
        Limit
        | Rate
        | Frozen
        | Noise
        | State
        | Quality
        | NoData
        | Residual
        | SampleCheck
        | VectorCheck
        | Skew
    )


class Ripe(StrEnum):
    """What a timer that ran out means."""

    RAISE = "raise"
    FORGET = "forget"
    """The condition did not hold long enough and is forgotten."""
    RETURN = "return"


@dataclass(slots=True)
class Delay:
    """The timer of one check."""

    on_us: int
    off_us: int
    left: int = field(init=False)
    """What remains of the on-delay, us."""
    on: bool = False
    """The condition itself."""
    standing: bool = False
    """The condition after its delays."""
    first: Sighting | None = None
    """The edge with which the present condition began."""

    def __post_init__(self) -> None:
        self.left = self.on_us


class Delays:
    """The timers of all checks; `due` holds when each runs out, in lived time."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        self._delays = [
            Delay(round(s.on_delay_s * 1e6), round(s.off_delay_s * 1e6))
            for s in settings
        ]
        self.due: NDArray[np.int64] = np.full(len(settings), NEVER, np.int64)

    def __getitem__(self, check: int) -> Delay:
        return self._delays[check]

    def edge(self, sighting: Sighting, lived: int) -> None:
        """Take an edge of a condition at `lived` time of its tag, us."""
        delay = self._delays[sighting.check]
        if sighting.on == delay.on:
            return
        delay.on = sighting.on
        due = NEVER
        if sighting.on and not delay.standing:
            delay.first = delay.first or sighting
            due = lived + delay.left
        elif not sighting.on:
            if not delay.standing:
                delay.left = max(int(self.due[sighting.check]) - lived, 0)
            due = lived + delay.off_us
        self.due[sighting.check] = due

    def postpone(self, check: int, lived: int) -> None:
        """Let an on-delay that ran out at `lived`, us, run once more."""
        self.due[check] = lived + max(self._delays[check].on_us, 1_000_000)

    def overdue(self, check: int, lived: int) -> None:
        """Let a timer that a shorter delay ended before `lived`, us, end there."""
        self.due[check] = max(int(self.due[check]), lived)

    def ripe(self, check: int) -> Ripe:
        """Take it that a timer ran out, and return what that means."""
        delay = self._delays[check]
        self.due[check] = NEVER
        if delay.on:
            delay.standing = True
            return Ripe.RAISE
        meaning = Ripe.RETURN if delay.standing else Ripe.FORGET
        delay.standing, delay.first, delay.left = False, None, delay.on_us
        return meaning

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "due": self.due.tolist(),
            "delays": [
                [d.left, d.on, d.standing, edge_to_json(d.first)] for d in self._delays
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.due = np.array(state["due"], np.int64)
        for delay, (left, on, standing, first) in zip(
            self._delays, state["delays"], strict=True
        ):
            delay.left, delay.on, delay.standing = left, on, standing
            delay.first = edge_from_json(first)


def edge_to_json(edge: Sighting | None) -> list[Any] | None:
    """Return an edge as JSON."""
    if edge is None:
        return None
    return [edge.check, edge.time, edge.on, edge.value, edge.score, edge.text]


def edge_from_json(body: Sequence[Any] | None) -> Sighting | None:
    """Return what `edge_to_json` saw."""
    return None if body is None else Sighting(*body)
