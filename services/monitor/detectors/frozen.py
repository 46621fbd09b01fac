"""Frozen values: an analogue value that has not moved at all, noise included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.seen import Seen, Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.checks import Frozen


@dataclass(frozen=True, slots=True)
class FrozenCheck:
    """One frozen-value check with the numbers of its check and tag."""

    check: int
    tag: int
    frozen: Frozen


class FrozenValues:
    """All frozen-value checks of a vessel; they count only time with good data."""

    def __init__(self, checks: Sequence[FrozenCheck]) -> None:
        self._checks = checks
        self._tag = np.array([c.tag for c in checks], np.intp)
        self._after = np.array([round(c.frozen.after_s * 1e6) for c in checks], int)
        self._value = np.full(len(checks), np.nan)
        self._since = np.zeros(len(checks), np.int64)
        self._on = np.zeros(len(checks), np.bool_)

    def see(self, seen: Seen) -> list[Sighting]:
        """Return the edges of new readings; silence is never a frozen value."""
        value = seen.value[self._tag]
        lived = seen.lived[self._tag]
        moved = (value != self._value) & ~np.isnan(value)
        ripe = ~moved & ~self._on & (lived - self._since >= self._after)
        ripe &= ~np.isnan(self._value) & seen.fresh[self._tag]
        moved &= seen.fresh[self._tag]
        ended = moved & self._on
        self._value[moved] = value[moved]
        self._since[moved] = lived[moved]
        if not (ripe.any() or ended.any()):
            return []
        return [self._sighting(int(i), seen) for i in np.flatnonzero(ripe | ended)]

    def _sighting(self, i: int, seen: Seen) -> Sighting:
        check = self._checks[i]
        stood = int(seen.lived[check.tag] - self._since[i])
        self._on[i] = on = not self._on[i]
        over = stood - int(self._after[i]) if on else 0
        value = float(self._value[i])
        text = f"{value:.6g} has not moved" if on else f"moved to {value:.6g}"
        time = int(seen.time[check.tag]) - over
        return Sighting(check.check, time, bool(on), value, 1.0 if on else 0.0, text)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        value = [None if np.isnan(v) else v for v in self._value.tolist()]
        return {"value": value, "since": self._since.tolist(), "on": self._on.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        value = [np.nan if v is None else v for v in state["value"]]
        self._value = np.array(value, float)
        self._since = np.array(state["since"], np.int64)
        self._on = np.array(state["on"], np.bool_)
