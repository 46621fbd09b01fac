"""States that are not expected: of booleans, enumerations, and numbers that count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.seen import Seen, Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.checks import State


@dataclass(frozen=True, slots=True)
class StateCheck:
    """One state with the numbers of its check and tag."""

    check: int
    tag: int
    state: State


class States:
    """All checks of states of a vessel."""

    def __init__(self, checks: Sequence[StateCheck]) -> None:
        self._checks = checks
        self._tag = np.array([c.tag for c in checks], np.intp)
        self._on = np.zeros(len(checks), np.bool_)

    def see(self, seen: Seen) -> list[Sighting]:
        """Return the edges that the new readings make."""
        fresh = np.flatnonzero(seen.fresh[self._tag]).tolist()
        found = ((i, float(seen.value[self._checks[i].tag])) for i in fresh)
        return [
            self._sighting(i, seen, value)
            for i, value in found
            if (value in self._checks[i].state.values) != self._on[i]
        ]

    def _sighting(self, i: int, seen: Seen, value: float) -> Sighting:
        self._on[i] = on = not self._on[i]
        check = self._checks[i]
        time = int(seen.time[check.tag])
        text = f"is {value:g}"
        return Sighting(check.check, time, bool(on), value, float(on), text)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {"on": self._on.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._on = np.array(state["on"], np.bool_)
