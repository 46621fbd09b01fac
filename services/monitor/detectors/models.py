"""River's models of a residual's own past behind one protocol: learn, and score.

Each keeps the residual's mean and scatter while it learns; a score of 1.0 is
`sensitivity` standard deviations, or the least band, away from it.
"""

from __future__ import annotations

import base64
import pickle
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from river import __version__ as river_version
from river import drift, stats

from services.monitor.detectors.rated import RatedBand
from shared.domain import FedbatchError

if TYPE_CHECKING:
    from shared.checks import Residual

FEWEST = 10
"""Windows a model learns from before it judges, however long that takes."""
UPPER = 0.7
"""Above the disturbed part of a day, below single disturbances to the other side."""
ROLLING = 48
"""Windows whose upper quantile is judged: a day of half hours."""
FAST = 0.2
"""Weight of the newest window in the mean that is judged."""


class ModelUnusable(FedbatchError):  # noqa: N818
    """A saved model was made by another version of River or is not a model."""


@dataclass(frozen=True, slots=True)
class Width:
    """How wide the band is: so many standard deviations, but at least so much."""

    sigmas: float
    least: float
    side: str = "both"
    """`high` or `low`: only what is above or below counts."""
    per_window: float | None = None
    """Instead of `sigmas`: false alarms a window that are allowed."""

    def away(self, change: float) -> float:
        """Return how far a change goes towards the side that counts."""
        towards = {"high": change, "low": -change, "both": abs(change)}
        return max(towards[self.side], 0.0)


class Model(Protocol):
    """What a detector keeps of a residual."""

    width: Width
    """As plant.yaml has it now; not learned."""

    @property
    def ready(self) -> bool:
        """Whether enough was learned to judge."""

    def learn(self, value: float) -> None:
        """Take a value of normal operation."""

    def judge(self, value: float, *, calm: bool) -> None:
        """Take a value that is judged; `calm`: while there is no alarm."""

    def score(self) -> float:
        """Return how far the latest values are from the past; 1.0 is the limit."""

    def band(self) -> tuple[float, float]:
        """Return the expected lowest and highest value."""


class EwmaBand:
    """A band around the mean of what was learned, for a fast mean of the latest.

    Source: Roberts 1959, Technometrics 1:239 (control chart of a weighted mean).
    """

    def __init__(self, width: Width) -> None:
        self.width = width
        self._past = stats.Var()
        self._fast = stats.EWMean(fading_factor=FAST)

    @property
    def ready(self) -> bool:
        """Whether enough was learned to judge."""
        return int(self._past.n) >= FEWEST

    def learn(self, value: float) -> None:
        """Take a value of normal operation."""
        self._past.update(value)
        self.judge(value, calm=True)

    def judge(self, value: float, *, calm: bool) -> None:
        """Take a value that is judged; `calm`: while there is no alarm."""
        self._fast.update(value)

    def score(self) -> float:
        """Return how far the latest values are from the past; 1.0 is the limit."""
        if not self.ready:
            return 0.0
        change = float(self._fast.get()) - float(self._past.mean.get())
        return self.width.away(change) / self._half()

    def band(self) -> tuple[float, float]:
        """Return the expected lowest and highest value."""
        middle, half = float(self._past.mean.get()), self._half()
        return middle - half, middle + half

    def _half(self) -> float:
        sigma = float(np.sqrt(float(self._past.get())))
        return max(self.width.sigmas * sigma, self.width.least, 1e-9)


class FixedBand:
    """A band around a known value, for a fast mean of the latest; nothing is learned.

    Source: as EwmaBand.
    """

    def __init__(self, width: Width, expected: float) -> None:
        self.width = width
        self.expected = expected
        self._fast = stats.EWMean(fading_factor=FAST)
        self._seen = 0

    @property
    def ready(self) -> bool:
        """Whether there is enough to judge."""
        return True

    def learn(self, value: float) -> None:
        """Take a value of normal operation."""
        self.judge(value, calm=True)

    def judge(self, value: float, *, calm: bool) -> None:
        """Take a value that is judged; `calm`: while there is no alarm."""
        del calm
        self._fast.update(value)
        self._seen += 1

    def score(self) -> float:
        """Return how far the latest values are from it; 1.0 is the limit."""
        if not self._seen:
            return 0.0
        change = float(self._fast.get()) - self.expected
        return self.width.away(change) / self.width.least

    def band(self) -> tuple[float, float]:
        """Return the expected lowest and highest value."""
        return self.expected - self.width.least, self.expected + self.width.least


class ChangePoint(EwmaBand):
    """The same band, watched only after River's drift detector found a change."""

    def __init__(self, width: Width, detector: Any) -> None:  # noqa: ANN401  no types
        super().__init__(width)
        self._detector = detector
        self._changed = False

    def judge(self, value: float, *, calm: bool) -> None:
        """Take a value that is judged; `calm`: while there is no alarm."""
        super().judge(value, calm=calm)
        self._detector.update(value)
        self._changed = self._changed or bool(self._detector.drift_detected)

    def score(self) -> float:
        """Return the band's score once a change was found, before half of it."""
        found = super().score()
        if found < 0.5:
            self._changed = False
        return found if self._changed else 0.5 * min(found, 1.0)


class LaggedBand:
    """A band around what was some days ago, for a fast mean of the latest.

    Bounded by: the values of `lag` windows. In alarm the past stands still.
    """

    _known: tuple[float, float] | None = None
    """Middle and scatter of what was then, until that changes."""

    def __init__(self, width: Width, lag: int, settle: int) -> None:
        self.width = width
        self._settle = max(settle, FEWEST)
        self._values: deque[float] = deque(maxlen=max(lag, self._settle))
        self._fast = stats.EWMean(fading_factor=FAST)

    @property
    def ready(self) -> bool:
        """Whether enough was learned to judge."""
        return len(self._values) >= self._settle

    def learn(self, value: float) -> None:
        """Take a value of normal operation."""
        self.judge(value, calm=True)

    def judge(self, value: float, *, calm: bool) -> None:
        """Take a value that is judged; `calm`: while there is no alarm."""
        self._fast.update(value)
        if calm:
            self._values.append(value)
            self._known = None

    def score(self) -> float:
        """Return how far the latest values are from the past; 1.0 is the limit."""
        if not self.ready:
            return 0.0
        middle, half = self._then()
        return self.width.away(float(self._fast.get()) - middle) / half

    def band(self) -> tuple[float, float]:
        """Return the expected lowest and highest value."""
        if not self.ready:
            return 0.0, 0.0
        middle, half = self._then()
        return middle - half, middle + half

    def _then(self) -> tuple[float, float]:
        """Return the middle of what was then, and half the band's width."""
        if self._known is None:
            self._known = self._past()
        middle, scatter = self._known
        return middle, max(self.width.sigmas * scatter, self.width.least, 1e-9)

    def _past(self) -> tuple[float, float]:
        """Return the middle and the scatter of what was then."""
        then = np.array(list(islice(self._values, self._settle)))
        return float(then.mean()), float(then.std())


class UpperBand(EwmaBand):
    """The upper quantile of the latest against that of what was learned.

    For residuals that are often disturbed to one side, such as by antifoam: the
    undisturbed part of a day is compared with the undisturbed part of the past.
    """

    def __init__(self, width: Width) -> None:
        super().__init__(width)
        self._reference = stats.RollingQuantile(UPPER, ROLLING)
        self._latest = stats.RollingQuantile(UPPER, ROLLING)
        self._seen = 0

    def learn(self, value: float) -> None:
        """Take a value of normal operation."""
        self._reference.update(value)
        super().learn(value)

    def judge(self, value: float, *, calm: bool) -> None:
        """Take a value that is judged; `calm`: while there is no alarm."""
        self._latest.update(value)
        self._seen += 1

    def score(self) -> float:
        """Return how far the latest quantile is from the past one; 1.0 is the limit."""
        if not self.ready or self._seen < ROLLING:
            return 0.0
        change = float(self._latest.get()) - float(self._reference.get())
        return self.width.away(change) / self._half()

    def band(self) -> tuple[float, float]:
        """Return the expected lowest and highest quantile."""
        middle = float(self._reference.get()) if self.ready else 0.0
        return middle - self._half(), middle + self._half()


class LaggedUpper(LaggedBand):
    """The upper quantile of the latest against that of what was some days ago.

    As `UpperBand`, for residuals that also change slowly by themselves.
    """

    def __init__(self, width: Width, lag: int, settle: int) -> None:
        super().__init__(width, lag, settle)
        self._latest: deque[float] = deque(maxlen=ROLLING)

    def judge(self, value: float, *, calm: bool) -> None:
        """Take a value that is judged; `calm`: while there is no alarm."""
        super().judge(value, calm=calm)
        self._latest.append(value)

    def score(self) -> float:
        """Return how far the latest quantile is from the past one; 1.0 is the limit."""
        if not self.ready or len(self._latest) < ROLLING:
            return 0.0
        middle, half = self._then()
        return self.width.away(float(np.quantile(self._latest, UPPER)) - middle) / half

    def _past(self) -> tuple[float, float]:
        """Return the quantile and the scatter of what was then."""
        then = np.array(list(islice(self._values, self._settle)))
        return float(np.quantile(then, UPPER)), float(then.std())


def new(residual: Residual) -> Model:
    """Return an unlearned model as plant.yaml asks for it."""
    width = width_of(residual)
    if residual.expected is not None:
        return FixedBand(width, residual.expected)
    if residual.detector == "adwin":
        return ChangePoint(width, drift.ADWIN())
    if residual.detector == "page-hinkley":
        return ChangePoint(width, drift.PageHinkley())
    upper = residual.detector == "upper-quantile"
    if residual.lag_s > 0.0:
        windows = (
            round(t / residual.every_s) for t in (residual.lag_s, residual.settle_s)
        )
        return (LaggedUpper if upper else LaggedBand)(width, *windows)
    if upper:
        return UpperBand(width)
    rated = residual.false_alarms_per_week is not None
    return RatedBand(width, FAST) if rated else EwmaBand(width)


def width_of(residual: Residual) -> Width:
    """Return the band that plant.yaml asks for."""
    return Width(
        residual.sensitivity, residual.band, residual.side, residual.false_per_window
    )


def to_text(model: Model) -> str:
    """Return a model as text: River's version and an opaque field."""
    body = base64.b64encode(pickle.dumps(model)).decode()
    return f"river {river_version} {body}"


def from_text(text: str) -> Model:
    """Return the model that `to_text` saw. Only for text that we wrote ourselves.

    Raises:
        ModelUnusable: it was made by another version of River.
    """
    name, version, body = (*text.split(" "), "", "")[:3]
    if (name, version) != ("river", river_version):
        raise ModelUnusable(
            f"model of {name} {version}: expected river {river_version}"
        )
    model: Model = pickle.loads(base64.b64decode(body))  # noqa: S301  our checkpoint
    return model
