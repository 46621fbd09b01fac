"""The three control loops of every vessel, from what is shown to what acts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.processes import control
from simulators.processes.vessel import Actuators
from simulators.tags import COLUMN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulators.processes.design import Design
    from simulators.recipes import Setpoints

    Vector = NDArray[np.float64]

_LOOPS = (control.TEMPERATURE, control.PH, control.OXYGEN)
_SHOWN = [COLUMN["TIC-101.PV"], COLUMN["AIC-101.PV"], COLUMN["AIC-102.PV"]]


class Loops:
    """Temperature, pH and oxygen of all vessels; keeps their integral parts."""

    def __init__(self, vessels: int, design: Design) -> None:
        self._design = design
        self._integral = np.array([[loop.idle] * vessels for loop in _LOOPS])
        self.outputs = np.zeros((len(_LOOPS), vessels))
        """Temperature, pH and oxygen, %, shape (3, n)."""

    def act(
        self,
        setpoints: Sequence[Setpoints],
        shown: Vector,
        *,
        stirred: NDArray[np.bool_],
        glucose_mlpm: Vector,
        seconds: float,
    ) -> Actuators:
        """Return what acts on the vessels for the next `seconds`.

        Args:
            setpoints: one per vessel.
            shown: last readings, (vessels, tags).
            stirred: whether the impeller is covered, per vessel.
            glucose_mlpm: flow of the bolus pump.
            seconds: length of the step.
        """
        warm = np.array([s.warm for s in setpoints])
        breathe = np.array([s.breathe for s in setpoints])
        wanted = np.array(
            [(s.temperature_degc, s.ph, s.oxygen_percent) for s in setpoints]
        ).T
        errors = wanted - shown[:, _SHOWN].T
        for row, (loop, on) in enumerate(
            zip(_LOOPS, (warm, breathe, breathe), strict=True)
        ):
            self.outputs[row], self._integral[row] = control.output(
                loop, errors[row], self._integral[row], on, seconds
            )
        feed = np.array([s.feed_mlpm for s in setpoints])
        return self._actuators(warm, breathe & stirred, feed, glucose_mlpm)

    def _actuators(
        self,
        warm: NDArray[np.bool_],
        stirred: NDArray[np.bool_],
        feed_mlpm: Vector,
        glucose_mlpm: Vector,
    ) -> Actuators:
        heat, acid, air = self.outputs
        design = self._design
        rpm, air_lpm, oxygen_lpm = control.oxygen_split(air, design)
        base = np.clip(acid, 0.0, 100.0) / 100.0
        acidify = np.clip(-acid, 0.0, 100.0) / 100.0
        span = design.jacket_high_degc - design.jacket_low_degc
        return Actuators(
            agitation_rpm=np.where(stirred, rpm, 0.0),
            air_lpm=np.where(stirred, air_lpm, 0.0),
            oxygen_lpm=np.where(stirred, oxygen_lpm, 0.0),
            carbon_dioxide_lpm=acidify * design.carbon_dioxide_high_lpm,
            feed_mlpm=feed_mlpm,
            base_mlpm=base * design.base_high_mlpm,
            glucose_mlpm=glucose_mlpm,
            jacket_degc=design.jacket_low_degc + heat / 100.0 * span,
            heating=warm,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        return {"integral": self._integral.tolist(), "outputs": self.outputs.tolist()}

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw."""
        self._integral = np.array(body["integral"], float)
        self.outputs = np.array(body["outputs"], float)
