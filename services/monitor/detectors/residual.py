"""Residuals: sums of tags that stay near their own past while all is well.

A residual is averaged over windows, learned from in the settling time of its phases,
and judged afterwards. Nothing is learned from bad data, in alarm, or elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors import models
from services.monitor.detectors.seen import Sighting
from services.monitor.history import STEP_US
from services.monitor.oxygen import transfer_ratio
from shared.checks import Mode
from shared.domain import FedbatchError
from shared.formula import formula

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.monitor.columns import TagColumns
    from services.monitor.detectors.models import Model
    from services.monitor.history import Step
    from shared.checks import Residual
    from shared.formula import Formula, Memory

OFF = 0.8
"""The score must fall below this before the condition is away."""


class SnapshotUnknown(FedbatchError):  # noqa: N818
    """A frozen residual names a snapshot that is not there or was changed."""


@dataclass(frozen=True, slots=True)
class ResidualCheck:
    """One residual with the numbers of its check and of its terms' tags."""

    check: int
    tags: tuple[int, ...]
    residual: Residual

    @property
    def every_us(self) -> int:
        """Return the length of a window."""
        return max(round(self.residual.every_s * 1e6), STEP_US)


@dataclass(frozen=True, slots=True)
class Phase:
    """What the vessel is doing, and since when (us UTC)."""

    name: str | None
    since: int


class Watched:
    """One residual: the open window, its model, and whether its condition is on."""

    def __init__(self, check: ResidualCheck, model: Model) -> None:
        self.check = check
        self.model = model
        self.lived = 0
        self.time = 0
        self.lean = 0.0
        """Score of the last window judged, below zero where it is low."""
        self._factors = np.array(list(check.residual.terms.values()))
        self._tags = np.array(check.tags, np.intp)
        self._every = check.every_us
        text = check.residual.formula
        self._formula: Formula | None = None if text is None else formula(text)
        self._memory = None if text is None else self._remembering()
        self._begun: int | None = None
        self._anew = 0
        self._entered: int | None = None
        self._on = False
        self.total = np.zeros(len(check.tags))
        """Sum of good values of each tag in the open window."""
        self.good = np.zeros(len(check.tags), np.int64)
        """How many they are."""
        self._open(-1)

    def _remembering(self) -> Memory | None:
        """Return what the formula needs to remember; None: nothing."""
        if self._formula is None:
            return None
        memory = self._formula.memory(self._every / 3.6e9)
        return memory if memory.past else None

    def _open(self, window: int) -> None:
        self.window = window
        self.total[:], self.good[:] = 0.0, 0
        self.spoilt = False

    def service(self, tags: NDArray[np.intp], time: int) -> list[Sighting]:
        """Forget the past if one of its tags was out of service at `time`, us UTC."""
        if not np.isin(tags, self._tags).any():
            return []
        self._anew = max(self._anew, time)
        if not self._on:
            return []
        self._on = False
        text = "learned anew: an instrument was out of service"
        return [
            Sighting(self.check.check, time, on=False, value=None, score=0.0, text=text)
        ]

    def turn_to(self, window: int, tags: TagColumns, phase: Phase) -> list[Sighting]:
        """End the open window and open another; return the edge that shows then.

        Args:
            window: its number; -1: none is open.
            tags: for values that hold.
            phase: of the vessel.
        """
        sightings = self._close(tags, phase)
        self._open(window)
        return sightings

    def _close(self, tags: TagColumns, phase: Phase) -> list[Sighting]:
        if self.window < 0:
            return []
        self.time = (self.window + 1) * self._every
        value = self._value(tags, (self.time - phase.since) / 3.6e9)
        if value is None:
            return []
        self.lived += self._every
        return self._judge(value, phase)

    def _value(self, tags: TagColumns, hours: float) -> float | None:
        """Return the residual of the open window; None where a term is not known.

        Args:
            tags: for values that hold.
            hours: since the phase of the vessel began.
        """
        mean = None if self.spoilt else self._mean(tags)
        if mean is None:
            return None
        settings = self.check.residual
        if self._formula is not None:
            return self._formula.value(mean.tolist(), hours, self._memory)
        if settings.oxygen is not None:
            return transfer_ratio(settings.oxygen, mean.tolist())
        return float(np.dot(self._factors, mean))

    def _mean(self, tags: TagColumns) -> NDArray[np.float64] | None:
        """Return the mean of each tag, or what it holds; None where one is unknown."""
        if self.good.all():
            return self.total / self.good
        came = self.good > 0
        held = tags.value[self._tags]
        known = came | (tags.holds[self._tags] & ~np.isnan(held))
        if not known.all():
            return None
        return np.where(came, self.total / np.where(came, self.good, 1), held)

    def _judge(self, value: float, phase: Phase) -> list[Sighting]:
        settings = self.check.residual
        if settings.phases and phase.name not in settings.phases:
            self._entered, self.lean = None, 0.0
            return self._turn(value, 0.0, on=False)
        if self._entered is None:
            self._entered = phase.since
        begun = max(self._entered, self._anew)
        settled = self.time - begun >= round(settings.settle_s * 1e6)
        learning = settings.mode is Mode.LEARNING and settings.is_learned
        if learning and not self._on:
            self._begin(begun)
            settled = settled and self.model.ready
        if not settled and not self._on and settings.mode is Mode.LEARNING:
            self.model.learn(value)
            return []
        self.model.judge(value, calm=not self._on)
        score = self.model.score()
        self.lean = self._leaning(value, score)
        on = score >= (OFF if self._on else 1.0)
        return self._turn(value, score, on=on)

    def _leaning(self, value: float, score: float) -> float:
        low, high = self.model.band()
        return score if value >= (low + high) / 2.0 else -score

    def _begin(self, begun: int) -> None:
        """Forget the past that is older than `begun`, us UTC: it is learned anew."""
        if self._begun != begun:
            self._begun = begun
            self.model = models.new(self.check.residual)

    def _turn(self, value: float, score: float, *, on: bool) -> list[Sighting]:
        if on == self._on:
            return []
        self._on = on
        low, high = self.model.band()
        middle, half = (low + high) / 2.0, (high - low) / 2.0
        away = value - middle
        text = f"{away:+.3g} against its past of {middle:.5g}, at most {half:.3g}"
        return [Sighting(self.check.check, self.time, on, away, score, text)]

    def state(self) -> list[Any]:
        """Return what `restore` needs, JSON."""
        return [
            models.to_text(self.model), self.lived, self.time,
            self._begun, self._on, self._anew, self._entered,
            self.window, self.total.tolist(), self.good.tolist(), self.spoilt,
            self.lean, None if self._memory is None else list(self._memory.past),
        ]  # fmt: skip

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from what `state` returned. Raises ModelUnusable."""
        model, self.lived, self.time = state[:3]
        self._begun, self._on, self._anew, self._entered = state[3:7]
        self.window, total, good, self.spoilt, self.lean, past = state[7:]
        if self._memory is not None and past is not None:
            self._memory.past = list(past)
        self.model = models.from_text(model)
        self.model.width = models.width_of(self.check.residual)
        self.total[:], self.good[:] = total, good


class Residuals:
    """All residuals of a vessel."""

    def __init__(
        self, checks: Sequence[ResidualCheck], snapshots: Mapping[str, str]
    ) -> None:
        """Begin with unlearned models, and frozen ones from `snapshots` by hash.

        Raises:
            SnapshotUnknown: a frozen residual's snapshot is missing or was changed.
        """
        self._all = [Watched(check, _model(check, snapshots)) for check in checks]
        self._every = np.array([check.every_us for check in checks], np.int64)
        self._window = np.full(len(checks), -1, np.int64)
        """Numbers of the open windows."""
        tags = [check.tags for check in checks]
        self._tags = np.array([tag for of in tags for tag in of], np.intp)
        sizes = np.array([len(of) for of in tags], np.intp)
        self._of = np.repeat(np.arange(len(tags)), sizes)
        self._total = np.zeros(len(self._tags))
        self._good = np.zeros(len(self._tags), np.int64)
        ends = np.cumsum(sizes).tolist()
        for watched, size, end in zip(self._all, sizes.tolist(), ends, strict=True):
            mine = slice(end - size, end)
            watched.total, watched.good = self._total[mine], self._good[mine]

    def __len__(self) -> int:
        return len(self._all)

    def take(self, step: Step, tags: TagColumns, phase: Phase) -> list[Sighting]:
        """Take a finished step; return the edges of the windows it ends."""
        window = step.number * STEP_US // self._every
        edges: list[Sighting] = []
        for place in np.flatnonzero(window != self._window).tolist():
            edges += self._all[place].turn_to(int(window[place]), tags, phase)
        self._window = window
        self._total += step.total[self._tags]
        self._good += step.good[self._tags]
        if step.other.any():
            for place in set(self._of[step.other[self._tags] > 0].tolist()):
                self._all[place].spoilt = True
        ends = (step.number + 1) * STEP_US // self._every != window
        for place in np.flatnonzero(ends).tolist():
            edges += self._all[place].turn_to(-1, tags, phase)
        self._window[ends] = -1
        return sorted(edges, key=lambda edge: edge.check)

    def service(self, tags: NDArray[np.intp], time: int) -> list[Sighting]:
        """Take that tags were out of service at `time`, us UTC; return the ends."""
        return [edge for watched in self._all for edge in watched.service(tags, time)]

    def __getitem__(self, place: int) -> Watched:
        return self._all[place]

    @property
    def lean(self) -> list[float]:
        """Return the score of the last window, below zero where low, per residual."""
        return [watched.lean for watched in self._all]

    def snapshot(self, name: str) -> tuple[str, str]:
        """Return SHA-256 and text of a residual's model, to be approved and frozen.

        Raises:
            KeyError: there is no residual of that name.
        """
        by_name = {watched.check.residual.name: watched for watched in self._all}
        text = models.to_text(by_name[name].model)
        return hashlib.sha256(text.encode()).hexdigest(), text

    def state(self) -> list[Any]:
        """Return what `restore` needs, JSON."""
        return [watched.state() for watched in self._all]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from what `state` returned. Raises ModelUnusable."""
        for watched, body in zip(self._all, state, strict=True):
            watched.restore(body)
        self._window[:] = [watched.window for watched in self._all]


def _model(check: ResidualCheck, snapshots: Mapping[str, str]) -> Model:
    residual = check.residual
    if residual.snapshot is None:
        return models.new(residual)
    text = snapshots.get(residual.snapshot, "")
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != residual.snapshot:
        raise SnapshotUnknown(
            f"residual {residual.name!r}: expected a snapshot with SHA-256 "
            f"{residual.snapshot}, found {found if text else 'none'}"
        )
    model = models.from_text(text)
    model.width = models.width_of(residual)
    return model
