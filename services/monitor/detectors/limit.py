"""Fixed limits, absolute or measured from another tag such as the setpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.seen import Seen, Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.checks import Limit


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit with the numbers of its check and tags."""

    check: int
    tag: int
    limit: Limit
    origin: int | None = None
    """Tag from which the limit is measured; None: from zero."""


class Limits:
    """All limits of a vessel. A value at its limit is beyond it."""

    def __init__(self, checks: Sequence[LimitCheck]) -> None:
        self._checks = checks
        self._tag = np.array([c.tag for c in checks], np.intp)
        origin = [c.tag if c.origin is None else c.origin for c in checks]
        self._origin = np.array(origin, np.intp)
        self._measured = np.array([c.origin is not None for c in checks], np.bool_)
        self._limit = np.array([c.limit.value for c in checks], float)
        self._sign = np.array([1.0 if c.limit.is_high else -1.0 for c in checks])
        self._stay = -np.array([c.limit.deadband for c in checks], float)
        self._on = np.zeros(len(checks), np.bool_)

    def see(self, seen: Seen) -> list[Sighting]:
        """Return the edges that the new readings make."""
        beyond = self._beyond(seen)
        on = (beyond >= 0.0) | (self._on & (beyond > self._stay))
        turned = (on != self._on) & seen.fresh[self._tag] & ~np.isnan(beyond)
        if not turned.any():
            return []
        self._on[turned] = on[turned]
        return [
            self._sighting(i, seen, beyond[i]) for i in np.flatnonzero(turned).tolist()
        ]

    def _beyond(self, seen: Seen) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return by how much each value is beyond its limit, negative inside."""
        value = seen.value[self._tag]
        if self._measured.any():
            value = value - np.where(self._measured, seen.value[self._origin], 0.0)
        beyond: np.ndarray[Any, np.dtype[np.float64]]
        beyond = self._sign * (value - self._limit)
        return beyond

    def _sighting(self, i: int, seen: Seen, beyond: float) -> Sighting:
        check = self._checks[i]
        scale = max(abs(check.limit.value), check.limit.deadband) or 1.0
        value = float(seen.value[check.tag])
        on = bool(self._on[i])
        return Sighting(
            check=check.check,
            time=int(seen.time[check.tag]),
            on=on,
            value=value,
            score=1.0 + float(beyond) / scale,
            text=f"{value:.6g} is {'beyond' if on else 'within'} the limit",
        )

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {"on": self._on.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._on = np.array(state["on"], np.bool_)
