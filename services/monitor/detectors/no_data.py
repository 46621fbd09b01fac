"""Silence of a server: one condition for all its tags, driven by clock records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.monitor.detectors.seen import Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.checks import NoData


@dataclass(frozen=True, slots=True)
class NoDataCheck:
    """One server's silence with the number of its check."""

    check: int
    no_data: NoData


class Silences:
    """The servers a vessel answers for."""

    def __init__(self, checks: Sequence[NoDataCheck]) -> None:
        self._checks = checks
        self._heard: list[int | None] = [None] * len(checks)
        self._on = [False] * len(checks)

    def passed(self, now: int, alive: Sequence[bool]) -> list[Sighting]:
        """Return the edges at `now`, us UTC of the clock record.

        Args:
            now: time of the clock record.
            alive: per check, whether a reading or a proof of life came since; more
                entries than checks are left out.
        """
        sightings: list[Sighting] = []
        for i, check in enumerate(self._checks):
            heard = self._heard[i]
            if alive[i] or heard is None:
                heard = self._heard[i] = now
            silent = now - heard
            on = silent >= round(check.no_data.after_s * 1e6)
            if on != self._on[i]:
                self._on[i] = on
                text = f"nothing heard for {silent / 1e6:.0f} s" if on else "heard"
                score = silent / (check.no_data.after_s * 1e6)
                time = heard + round(check.no_data.after_s * 1e6) if on else now
                sightings.append(Sighting(check.check, time, on, None, score, text))
        return sightings

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {"heard": list(self._heard), "on": list(self._on)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._heard = list(state["heard"])
        self._on = [bool(on) for on in state["on"]]
