"""The detectors of one vessel, put together from its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.catalogue import Check, numbers
from services.monitor.detectors.frozen import FrozenCheck, FrozenValues
from services.monitor.detectors.limit import LimitCheck, Limits
from services.monitor.detectors.no_data import NoDataCheck, Silences
from services.monitor.detectors.noise import NoiseCheck, Scatters
from services.monitor.detectors.quality import Qualities, QualityCheck
from services.monitor.detectors.rate import RateCheck, Rates
from services.monitor.detectors.residual import ResidualCheck, Residuals
from services.monitor.detectors.sampled import SampledCheck, Samples
from services.monitor.detectors.skew import SkewCheck, Skews
from services.monitor.detectors.state import StateCheck, States
from services.monitor.detectors.together import PlacedVector, Vectors
from shared.checks import (
    Frozen,
    Limit,
    NoData,
    Noise,
    Quality,
    Rate,
    Residual,
    SampleCheck,
    Skew,
    State,
)
from shared.vector_checks import VectorCheck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.monitor.columns import Layer, Rows
    from services.monitor.detectors.seen import Seen, Sighting
    from shared.plant import Vessel


class Bench:
    """All detectors of a vessel."""

    def __init__(
        self, vessel: Vessel, checks: Sequence[Check], snapshots: Mapping[str, str]
    ) -> None:
        """Build the detectors. Raises SnapshotUnknown."""
        number = numbers(vessel)
        placed = [(i, c.timed_by, c.settings) for i, c in enumerate(checks)]
        self.limits = Limits(
            [
                LimitCheck(i, tag, s, None if s.of is None else number[s.of])
                for i, tag, s in placed
                if isinstance(s, Limit)
            ]
        )
        self.rates = Rates(
            [RateCheck(i, t, s) for i, t, s in placed if isinstance(s, Rate)]
        )
        self.frozen = FrozenValues(
            [FrozenCheck(i, t, s) for i, t, s in placed if isinstance(s, Frozen)]
        )
        self.scatters = Scatters(
            [NoiseCheck(i, t, s) for i, t, s in placed if isinstance(s, Noise)]
        )
        self.states = States(
            [StateCheck(i, t, s) for i, t, s in placed if isinstance(s, State)]
        )
        self.qualities = Qualities(
            [QualityCheck(i, t, s) for i, t, s in placed if isinstance(s, Quality)],
            len(number),
        )
        self.silences = Silences(
            [NoDataCheck(i, s) for i, _, s in placed if isinstance(s, NoData)]
        )
        self.skews = Skews(
            [SkewCheck(i, s) for i, _, s in placed if isinstance(s, Skew)]
        )
        self.residuals = Residuals(
            [
                ResidualCheck(i, tuple(number[tag] for tag in s.tags), s)
                for i, _, s in placed
                if isinstance(s, Residual)
            ],
            snapshots,
        )
        self.samples = Samples(
            [
                SampledCheck(i, number[s.sample], number[s.online], s)
                for i, _, s in placed
                if isinstance(s, SampleCheck)
            ]
        )
        self.vectors = Vectors(
            [
                PlacedVector(i, tuple(number[tag] for tag in s.tags), s)
                for i, _, s in placed
                if isinstance(s, VectorCheck)
            ],
            snapshots,
        )

    def see(self, seen: Seen) -> list[Sighting]:
        """Return the edges that new readings make."""
        return [
            *self.limits.see(seen),
            *self.rates.see(seen),
            *self.frozen.see(seen),
            *self.scatters.see(seen),
            *self.states.see(seen),
        ]

    def draw(self, found: Rows | Layer) -> None:
        """Take the results of samples that are among readings."""
        if not len(self.samples):
            return
        mine = np.isin(found.tag, self.samples.tags) & found.judged
        for row in np.flatnonzero(mine):
            at, value = int(found.time[row]), float(found.value[row])
            self.samples.draw(int(found.tag[row]), at, value)

    def service(self, tags: NDArray[np.intp], time: int) -> list[Sighting]:
        """Take that tags were out of service at `time`, us UTC; return the ends."""
        return [
            *self.residuals.service(tags, time),
            *self.samples.service(tags, time),
            *self.vectors.service(tags, time),
        ]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON."""
        return {
            "limits": self.limits.state(),
            "rates": self.rates.state(),
            "frozen": self.frozen.state(),
            "scatters": self.scatters.state(),
            "states": self.states.state(),
            "qualities": self.qualities.state(),
            "silences": self.silences.state(),
            "skews": self.skews.state(),
            "residuals": self.residuals.state(),
            "samples": self.samples.state(),
            "vectors": self.vectors.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned. Raises ModelUnusable."""
        self.limits.restore(state["limits"])
        self.rates.restore(state["rates"])
        self.frozen.restore(state["frozen"])
        self.scatters.restore(state["scatters"])
        self.states.restore(state["states"])
        self.qualities.restore(state["qualities"])
        self.silences.restore(state["silences"])
        self.skews.restore(state["skews"])
        self.residuals.restore(state["residuals"])
        self.samples.restore(state["samples"])
        self.vectors.restore(state.get("vectors", ()))
