"""What the checks of a vessel show at a moment, as the verdict needs it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.monitor.balances.verdict import Shown, strength, verdict
from services.monitor.detectors.quality import LASTING
from shared.checks import Quality, Residual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.monitor.catalogue import Check
    from services.monitor.detectors.residual import Residuals
    from services.monitor.detectors.seen import Sighting
    from shared.events import Verdict
    from shared.plant import Vessel


class Evidence:
    """The causes of a vessel, and the checks in which they show."""

    def __init__(self, vessel: Vessel, checks: Sequence[Check]) -> None:
        self._vessel = vessel.name
        self._causes = vessel.causes
        prefix = f"{vessel.name}/"
        self._names = [check.name.removeprefix(prefix) for check in checks]
        self._checks = checks
        named = (n.rstrip("+-") for c in vessel.causes for n in (*c.shows, *c.may))
        wanted = set(named)
        self._watched = [n for n, name in enumerate(self._names) if name in wanted]
        residuals = [
            n for n, c in enumerate(checks) if isinstance(c.settings, Residual)
        ]
        self._place = {number: place for place, number in enumerate(residuals)}

    def verdict(
        self,
        check: int,
        began: Sighting,
        raw: Sequence[Sighting | None],
        residuals: Residuals,
    ) -> Verdict | None:
        """Return what is behind the alarm of a check that began with `began`.

        Args:
            check: its number.
            began: the edge with which its condition began.
            raw: conditions that are on, by number of check.
            residuals: of the vessel.
        """
        if not self._causes:
            return None
        leans = residuals.lean
        shown = dict(self._shown(raw, leans))
        shown.setdefault(self._names[check], self._one(check, began, leans))
        return verdict(self._vessel, self._causes, self._names[check], shown)

    def _shown(
        self, raw: Sequence[Sighting | None], leans: Sequence[float]
    ) -> Iterator[tuple[str, Shown]]:
        for number in self._watched:
            sighting = raw[number]
            if sighting is not None:
                yield self._names[number], self._one(number, sighting, leans)
            elif number in self._place:
                lean = leans[self._place[number]]
                if strength(abs(lean)):
                    yield self._names[number], self._faint(number, lean)

    def _one(self, number: int, sighting: Sighting, leans: Sequence[float]) -> Shown:
        settings = self._checks[number].settings
        sign = 1.0
        if isinstance(settings, Residual):
            sign = -1.0 if leans[self._place[number]] < 0.0 else 1.0
        elif isinstance(settings, Quality):
            sign = 1.0 if sighting.score * settings.most >= LASTING else -1.0
        return Shown(sign, f"{self._names[number]}: {sighting.text}")

    def _faint(self, number: int, lean: float) -> Shown:
        sign = -1.0 if lean < 0.0 else 1.0
        side = "low" if lean < 0.0 else "high"
        words = f"{self._names[number]}: {side}, {abs(lean):.1f} of its limit"
        return Shown(sign * strength(abs(lean)), words)
