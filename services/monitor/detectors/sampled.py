"""A laboratory sample against the instrument in the vessel at the time of its draw.

Samples are known hours after they were drawn. The instrument's averages of the last
hours are kept, so that each sample finds what was shown then. What usually lies between
the two, such as carbon dioxide that leaves a sample for pH, is learned from the samples
of a batch; an instrument that steps or drifts behind its own loop departs from it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.departure import departure
from services.monitor.detectors.seen import Sighting
from services.monitor.history import STEP_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.monitor.detectors.residual import Phase
    from services.monitor.history import Step
    from shared.checks import SampleCheck

OFF = 0.8
"""The score must fall below this before the condition is away."""
WINDOW_STEPS = 20
"""Steps of half a minute that one average of the instrument spans."""
_WINDOW_US = WINDOW_STEPS * STEP_US
NEAR_WINDOWS = 2
"""Averages back to which what was shown at a draw is looked for."""
LEAST = 1e-6
"""Of what is compared by its logarithm."""
MOST_WAITING = 100
"""Samples that wait for the average of their draw."""
MOST_COMPARED = 60
"""Comparisons that are looked at together; the oldest go."""
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class SampledCheck:
    """One comparison with the numbers of its check and its tags."""

    check: int
    sample: int
    online: int
    settings: SampleCheck


class Compared:
    """One comparison: what the instrument showed, and how far samples were from it.

    Bounded by: the averages of `within_s`, `MOST_WAITING` samples that wait and
    `MOST_COMPARED` that were compared. When full: the oldest go. Order: samples by
    their draw. Duplicates: a sample that was drawn no later than the last one counts no
    more, so a correction does not either.
    """

    def __init__(self, check: SampledCheck) -> None:
        self.check = check
        most = max(round(check.settings.within_s * 1e6 / _WINDOW_US), 1)
        self._shown: deque[tuple[int, float, int]] = deque(maxlen=most)
        self._waiting: list[tuple[int, float]] = []
        self._drawn = 0
        self._since = 0
        self._within = False
        self._on = False
        self._apart: deque[tuple[int, float]] = deque(maxlen=MOST_COMPARED)

    def draw(self, time: int, value: float) -> None:
        """Take a sample's result; `time` is that of the draw, us UTC."""
        if time > self._drawn:
            self._waiting = [*self._waiting, (time, value)][-MOST_WAITING:]

    def service(self, time: int) -> list[Sighting]:
        """Forget what was usual: an instrument was out of service at `time`, us UTC."""
        self._since = max(self._since, time)
        self._apart.clear()
        return self._turn(time, None, 0.0, "learned anew: out of service", on=False)

    def take(self, step: Step, phase: Phase) -> list[Sighting]:
        """Take a finished step; return the edges of samples that can be compared."""
        good = int(step.good[self.check.online])
        if good and not step.other[self.check.online]:
            self._show(step.number // WINDOW_STEPS, step, good)
        sightings = self._follow(phase, (step.number + 1) * STEP_US)
        end = (step.number + 1) // WINDOW_STEPS * _WINDOW_US
        due = sorted(draw for draw in self._waiting if draw[0] < end)
        self._waiting = [draw for draw in self._waiting if draw[0] >= end]
        return sightings + [edge for draw in due for edge in self._compare(*draw)]

    def _show(self, window: int, step: Step, good: int) -> None:
        total = float(step.total[self.check.online])
        if self._shown and self._shown[-1][0] == window:
            _, before, count = self._shown.pop()
            total, good = total + before, good + count
        self._shown.append((window, total, good))

    def _follow(self, phase: Phase, time: int) -> list[Sighting]:
        """Learn anew where the first of the check's phases begins."""
        phases = self.check.settings.phases
        within = not phases or phase.name in phases
        if within == self._within:
            return []
        self._within = within
        if within:
            self._since = max(self._since, phase.since)
            self._apart.clear()
        return self._turn(time, None, 0.0, "another phase", on=False)

    def _compare(self, drawn: int, value: float) -> list[Sighting]:
        shown = self._shown_at(drawn // _WINDOW_US)
        known = drawn <= self._drawn or drawn < self._since
        if shown is None or known or not self._within:
            return []
        self._drawn = drawn
        if self.check.settings.per_sample is not None:
            return self._judge_ratio(drawn, shown, value)
        return self._judge(drawn, shown - value)

    def _shown_at(self, window: int) -> float | None:
        """Return what the instrument showed then, or a little before; None: nothing."""
        near = [
            total / count
            for at, total, count in self._shown
            if window - NEAR_WINDOWS <= at <= window
        ]
        return near[-1] if near else None

    def _judge_ratio(self, drawn: int, shown: float, value: float) -> list[Sighting]:
        settings = self.check.settings
        per = settings.per_sample or 1.0
        away = log(max(shown, LEAST) / (per * max(value, LEAST)))
        text = f"{shown:.4g} shown for {value:.4g} of the sample, {exp(away):.2g} times"
        score = abs(away) / settings.band
        on = score >= (OFF if self._on else 1.0)
        return self._turn(drawn, away, score, text, on=on)

    def _judge(self, drawn: int, apart: float) -> list[Sighting]:
        self._apart.append((drawn, apart))
        settings = self.check.settings
        times = np.array([at for at, _ in self._apart], np.int64)
        values = np.array([away for _, away in self._apart])
        found = departure(times, values, settings.settle, settings.scatter)
        if found is None:
            return []
        score = min(
            found.errors / settings.sensitivity, abs(found.amount) / settings.band
        )
        hours = (drawn - found.since) / _HOUR_US
        before = float(values[times <= found.since].mean())
        text = (
            f"{found.amount:+.3g} within {hours:.0f} h against the usual "
            f"{before:+.3g}, {found.errors:.1f} standard errors, "
            f"at most {settings.sensitivity:g}"
        )
        on = score >= (OFF if self._on else 1.0)
        return self._turn(drawn, found.amount, score, text, on=on)

    def _turn(
        self, time: int, value: float | None, score: float, text: str, *, on: bool
    ) -> list[Sighting]:
        if on == self._on:
            return []
        self._on = on
        return [Sighting(self.check.check, time, on, value, score, text)]

    def state(self) -> list[Any]:
        """Return what `restore` needs, JSON."""
        return [
            [list(one) for one in self._shown], [list(one) for one in self._waiting],
            self._drawn, self._since, self._within, self._on,
            [list(one) for one in self._apart],
        ]  # fmt: skip

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from what `state` returned."""
        shown, waiting, self._drawn, self._since, self._within, self._on = state[:6]
        self._shown.clear()
        self._shown.extend((at, total, count) for at, total, count in shown)
        self._waiting = [(time, value) for time, value in waiting]
        self._apart.clear()
        self._apart.extend((at, away) for at, away in state[6])


class Samples:
    """All comparisons with samples of a vessel."""

    def __init__(self, checks: Sequence[SampledCheck]) -> None:
        self._all = [Compared(check) for check in checks]
        self.tags = np.array(sorted({check.sample for check in checks}), np.intp)
        """Numbers of the tags that hold samples."""

    def __len__(self) -> int:
        return len(self._all)

    def draw(self, tag: int, time: int, value: float) -> None:
        """Take a sample's result: number of its tag, time of its draw in us UTC."""
        for compared in self._all:
            if compared.check.sample == tag:
                compared.draw(time, value)

    def take(self, step: Step, phase: Phase) -> list[Sighting]:
        """Take a finished step; return the edges that samples make."""
        return [edge for one in self._all for edge in one.take(step, phase)]

    def service(self, tags: NDArray[np.intp], time: int) -> list[Sighting]:
        """Take that tags were out of service at `time`, us UTC; return the ends."""
        mine = [one for one in self._all if one.check.online in tags.tolist()]
        return [edge for one in mine for edge in one.service(time)]

    def state(self) -> list[Any]:
        """Return what `restore` needs, JSON."""
        return [compared.state() for compared in self._all]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from what `state` returned."""
        for compared, body in zip(self._all, state, strict=True):
            compared.restore(body)
