"""Tags of a vessel that belong together, watched as one: T2 and spread, by MEWMA.

Averages over windows are rows. The first rows in the check's phases are learned from,
over as many batches as it takes; from then on rows are judged, and in mode learning
those of calm times are learned from, slowly. Nothing is learned in alarm, from a window
with bad readings, or outside the phases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.detectors.mewma import Guard, Mewma
from services.monitor.detectors.mewma_rare import learned_rare
from services.monitor.detectors.models import ModelUnusable
from services.monitor.detectors.residual import OFF, SnapshotUnknown
from services.monitor.detectors.seen import Sighting
from services.monitor.detectors.whitening import Whitening
from services.monitor.history import STEP_US
from shared.checks import Mode
from shared.plant import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.monitor.columns import TagColumns
    from services.monitor.detectors.residual import Phase
    from services.monitor.history import Step
    from shared.vector_checks import VectorCheck

SAID = 3
"""Tags that an alarm names as having given most to its score."""
SIGMAS = 3.0
"""Half the width of the band in which a tag is expected, given the others."""


@dataclass(frozen=True, slots=True)
class PlacedVector:
    """One vector check with the numbers of its check and of its tags."""

    check: int
    tags: tuple[int, ...]
    settings: VectorCheck

    @property
    def every_us(self) -> int:
        """Return the length of a window."""
        return max(round(self.settings.every_s * 1e6), STEP_US)


class Together:
    """One vector check: the open window, the rows to learn from, then the detector.

    Bounded by: the rows of `learn_s`, dropped once they are learned.
    When full: they are learned from. Order: that of the windows.
    """

    def __init__(self, placed: PlacedVector, detector: Mewma | None = None) -> None:
        """Begin unlearned, or with the approved detector of a frozen check."""
        self.check = placed
        self.detector = detector
        self._tags = np.array(placed.tags, np.intp)
        self._every = placed.every_us
        self._rows: list[NDArray[np.float64]] = []
        self._on = False
        self._within = False
        self._open(-1)

    def _open(self, window: int) -> None:
        self._window = window
        self._total = np.zeros(len(self._tags))
        self._good = np.zeros(len(self._tags), np.int64)
        self._bad = np.zeros(len(self._tags), np.bool_)

    def take(self, step: Step, tags: TagColumns, phase: Phase) -> list[Sighting]:
        """Take a finished step; return the edge if it ends a window that has one."""
        window = step.number * STEP_US // self._every
        edges: list[Sighting] = []
        if window != self._window:
            edges += self._close(tags, phase)
            self._open(window)
        self._total += step.total[self._tags]
        self._good += step.good[self._tags]
        self._bad |= step.other[self._tags] > 0
        if (step.number + 1) * STEP_US // self._every != window:
            edges += self._close(tags, phase)
            self._open(-1)
        return edges

    def _close(self, tags: TagColumns, phase: Phase) -> list[Sighting]:
        if self._window < 0:
            return []
        time, settings = (self._window + 1) * self._every, self.check.settings
        if settings.phases and phase.name not in settings.phases:
            self._within = False
            return self._turn(time, 0.0, "another phase", on=False)
        if not self._within and self.detector is not None:
            self.detector.begin()
        self._within = True
        return self._see(self._row(tags), time)

    def _row(self, tags: TagColumns) -> NDArray[np.float64]:
        """Return the averages of the open window; NaN where a tag is not known."""
        held = np.where(tags.holds[self._tags], tags.value[self._tags], np.nan)
        came = self._good > 0
        mean = np.where(came, self._total / np.where(came, self._good, 1), held)
        return np.where(self._bad, np.nan, mean)

    def _see(self, row: NDArray[np.float64], time: int) -> list[Sighting]:
        learning = self.check.settings.mode is Mode.LEARNING and not self._bad.any()
        if self.detector is None:
            if learning and np.isfinite(row).any():
                self._rows.append(row)
                self._learn()
            return []
        if not np.isfinite(row).any():
            return []
        score = self.detector.learn(row, learning=learning and not self._on)
        on = score >= (OFF if self._on else 1.0)
        if on == self._on:
            return []
        return self._turn(time, score, self._words(row), on=on)

    def _learn(self) -> None:
        """Make the detector once there are rows enough."""
        settings = self.check.settings
        if len(self._rows) >= settings.rows:
            normal, self._rows = np.array(self._rows), []
            self.detector = learned_rare(settings.tags, normal, settings.per_row)

    def _words(self, row: NDArray[np.float64]) -> str:
        """Return what gave most to the score, and what the others let expect of it."""
        detector = self.detector
        if detector is None:
            return ""
        said = []
        for part in detector.explain()[:SAID]:
            middle, sigma = detector.expected(row, part.tag)
            low, high = middle - SIGMAS * sigma, middle + SIGMAS * sigma
            value = row[detector.tags.index(part.tag)]
            said.append(
                f"{part.tag} {100.0 * part.share:.0f} % ({value:.5g}, expected "
                f"{low:.5g} to {high:.5g} beside the others)"
            )
        return "; ".join(said)

    def _turn(self, time: int, score: float, text: str, *, on: bool) -> list[Sighting]:
        if on == self._on:
            return []
        self._on = on
        return [Sighting(self.check.check, time, on, score, score, text)]

    def service(self, tags: NDArray[np.intp], time: int) -> list[Sighting]:
        """Learn those anew that were out of service at `time`, us UTC."""
        settings = self.check.settings
        hit = np.isin(self._tags, tags)
        if not hit.any() or settings.mode is Mode.FROZEN:
            return []
        for row in self._rows:
            row[hit] = np.nan
        if self.detector is not None:
            self.detector = without(self.detector, hit)
        return self._turn(time, 0.0, "learned anew: out of service", on=False)

    def snapshot(self) -> str:
        """Return the detector as text, to be approved and frozen; empty: unlearned."""
        return "" if self.detector is None else json.dumps(self.detector.state())

    def state(self) -> list[Any]:
        """Return what `restore` needs, JSON."""
        rows = [[None if np.isnan(v) else v for v in r.tolist()] for r in self._rows]
        detector = None if self.detector is None else self.detector.state()
        return [
            detector, rows, self._on, self._within,
            self._window, self._total.tolist(), self._good.tolist(), self._bad.tolist(),
        ]  # fmt: skip

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from what `state` returned."""
        detector, rows, self._on, self._within, self._window = state[:5]
        self._total = np.array(state[5], float)
        self._good = np.array(state[6], np.int64)
        self._bad = np.array(state[7], np.bool_)
        self._rows = [np.array(row, float) for row in rows]
        if detector is not None and self.check.settings.mode is Mode.LEARNING:
            self.detector = restored(self.check.settings.tags, detector)
        elif detector is not None and self.detector is not None:
            self.detector.restore(detector)


class Vectors:
    """All vector checks of a vessel."""

    def __init__(
        self, checks: Sequence[PlacedVector], snapshots: Mapping[str, str]
    ) -> None:
        """Begin unlearned, and frozen ones from `snapshots` by hash.

        Raises:
            SnapshotUnknown: a frozen check's snapshot is missing or was changed.
        """
        self._all = [Together(check, _approved(check, snapshots)) for check in checks]

    def __len__(self) -> int:
        return len(self._all)

    def take(self, step: Step, tags: TagColumns, phase: Phase) -> list[Sighting]:
        """Take a finished step; return the edges of the windows it ends."""
        return [edge for one in self._all for edge in one.take(step, tags, phase)]

    def service(self, tags: NDArray[np.intp], time: int) -> list[Sighting]:
        """Take that tags were out of service at `time`, us UTC; return the ends."""
        return [edge for one in self._all for edge in one.service(tags, time)]

    def snapshots(self) -> dict[str, str]:
        """Return the detectors that have learned, as text, by name of the check."""
        found = {one.check.settings.name: one.snapshot() for one in self._all}
        return {name: text for name, text in found.items() if text}

    def state(self) -> list[Any]:
        """Return what `restore` needs, JSON."""
        return [one.state() for one in self._all]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from what `state` returned."""
        for one, body in zip(self._all, state, strict=True):
            one.restore(body)


def restored(tags: Sequence[str], state: Mapping[str, Any]) -> Mewma:
    """Return the detector that a state is of; a tag it does not know is new."""
    limits = np.array(state["limits"], float)
    made = Mewma(tags, Whitening(len(tags)), limits, Guard())
    made.restore(state)
    return made


def without(detector: Mewma, forgotten: NDArray[np.bool_]) -> Mewma:
    """Return the detector with some of its tags learned anew; [tag]."""
    state = detector.state()
    state["tags"] = [
        None if gone else tag
        for tag, gone in zip(state["tags"], forgotten.tolist(), strict=True)
    ]
    return restored(detector.tags, state)


def _approved(check: PlacedVector, snapshots: Mapping[str, str]) -> Mewma | None:
    settings = check.settings
    if settings.snapshot is None:
        return None
    text = snapshots.get(settings.snapshot, "")
    found = digest(text)
    if found != settings.snapshot:
        raise SnapshotUnknown(
            f"vector {settings.name!r}: expected a snapshot with SHA-256 "
            f"{settings.snapshot}, found {found if text else 'none'}"
        )
    state = json.loads(text)
    if sorted(state["tags"]) != sorted(settings.tags):
        raise ModelUnusable(
            f"vector {settings.name!r}: expected a snapshot of the tags "
            f"{sorted(settings.tags)}, found {sorted(state['tags'])}"
        )
    return restored(settings.tags, state)
