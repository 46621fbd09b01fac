"""River's models of a residual's own past behind one protocol: learn, and score.

Each keeps the residual's mean and scatter while it learns; a score of 1.0 is
`sensitivity` standard deviations, or the least band, away from it.
"""

from __future__ import annotations

import base64
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from river import __version__ as river_version
from river import drift, stats

from shared.domain import FedbatchError

if TYPE_CHECKING:
    from shared.checks import Residual

FEWEST = 20
"""Windows a model needs before it judges."""
FAST = 0.2
"""Weight of the newest window in the mean that is judged."""


class ModelUnusable(FedbatchError):  # noqa: N818
    """A saved model was made by another version of River or is not a model."""


@dataclass(frozen=True, slots=True)
class Width:
    """How wide the band is: so many standard deviations, but at least so much."""

    sigmas: float
    least: float


class Model(Protocol):
    """What a detector keeps of a residual."""

    def learn(self, value: float) -> None:
        """Take a value of normal operation."""

    def judge(self, value: float) -> None:
        """Take a value that is only judged."""

    def score(self) -> float:
        """Return how far the latest values are from the past; 1.0 is the limit."""

    def band(self) -> tuple[float, float]:
        """Return the expected lowest and highest value."""


class EwmaBand:
    """A band around the mean of what was learned, for a fast mean of the latest.

    Source: Roberts 1959, Technometrics 1:239 (control chart of a weighted mean).
    """

    def __init__(self, width: Width) -> None:
        self._width = width
        self._past = stats.Var()
        self._fast = stats.EWMean(fading_factor=FAST)
        self._judged = 0

    def learn(self, value: float) -> None:
        """Take a value of normal operation."""
        self._past.update(value)
        self.judge(value)

    def judge(self, value: float) -> None:
        """Take a value that is only judged."""
        self._fast.update(value)
        self._judged += 1

    def score(self) -> float:
        """Return how far the latest values are from the past; 1.0 is the limit."""
        if self._past.n < FEWEST or not self._judged:
            return 0.0
        away = abs(float(self._fast.get()) - float(self._past.mean.get()))
        return away / self._half()

    def band(self) -> tuple[float, float]:
        """Return the expected lowest and highest value."""
        middle, half = float(self._past.mean.get()), self._half()
        return middle - half, middle + half

    def _half(self) -> float:
        sigma = float(np.sqrt(float(self._past.get())))
        return max(self._width.sigmas * sigma, self._width.least, 1e-9)


class ChangePoint(EwmaBand):
    """The same band, watched only after River's drift detector found a change."""

    def __init__(self, width: Width, detector: Any) -> None:  # noqa: ANN401  no types
        super().__init__(width)
        self._detector = detector
        self._changed = False

    def judge(self, value: float) -> None:
        """Take a value that is only judged."""
        super().judge(value)
        self._detector.update(value)
        self._changed = self._changed or bool(self._detector.drift_detected)

    def score(self) -> float:
        """Return the band's score once a change was found, before half of it."""
        found = super().score()
        if found < 0.5:
            self._changed = False
        return found if self._changed else 0.5 * min(found, 1.0)


def new(residual: Residual) -> Model:
    """Return an unlearned model as plant.yaml asks for it."""
    width = Width(residual.sensitivity, residual.band)
    if residual.detector == "adwin":
        return ChangePoint(width, drift.ADWIN())
    if residual.detector == "page-hinkley":
        return ChangePoint(width, drift.PageHinkley())
    return EwmaBand(width)


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
