"""The control loops of every vessel, from what is shown to what acts. Pure.

Temperature cascades onto the jacket, pH onto base above and carbon dioxide below zero,
oxygen onto stirrer, air and oxygen. They see instruments, never the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.processes import control
from simulators.processes.control import Seen
from simulators.processes.vessel import Actuators
from simulators.setpoints import LOOPS as COUNT
from simulators.tags import COLUMN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulators.processes.design import Design
    from simulators.setpoints import Setpoints

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_SHOWN = [COLUMN["TIC-101.PV"], COLUMN["AIC-101.PV"], COLUMN["AIC-102.PV"]]


class Loops:
    """Temperature, pH and oxygen of all vessels; keeps their integral parts."""

    def __init__(
        self,
        vessels: int,
        design: Design,
        tuning: tuple[control.Loop, control.Loop, control.Loop] | None = None,
    ) -> None:
        tuning = tuning or control.tuning(design)
        self._design, self._tuning = design, tuning
        self._integral = np.array([[loop.idle] * vessels for loop in tuning])
        self._seen: Vector | None = None
        self.outputs = np.zeros((COUNT, vessels))
        """Temperature, pH and oxygen, %, shape (3, n)."""

    def act(
        self,
        setpoints: Setpoints,
        wanted: Vector,
        shown: Vector,
        stirred: Mask,
        seconds: float,
    ) -> Actuators:
        """Return what acts on the vessels for the next `seconds`, without pumps.

        Args:
            setpoints: which loops are on, and which an operator holds.
            wanted: setpoints that count, shape (4, n).
            shown: last readings, (vessels, tags).
            stirred: whether the impeller is covered, per vessel.
            seconds: length of the step.
        """
        seen = shown[:, _SHOWN].T
        moved = np.zeros_like(seen) if self._seen is None else seen - self._seen
        self._seen = seen
        errors = wanted[:COUNT] - seen
        on = (setpoints.warm, setpoints.breathe, setpoints.breathe)
        for row, loop in enumerate(self._tuning):
            part = Seen(errors[row], moved[row], on[row], setpoints.manual[row])
            self.outputs[row], self._integral[row] = control.output(
                loop, part, self._integral[row], setpoints.held[row], seconds
            )
        return self._actuators(setpoints.warm, setpoints.breathe & stirred)

    def _actuators(self, warm: Mask, stirred: Mask) -> Actuators:
        heat, acid, air = self.outputs
        design = self._design
        rpm, air_lpm, oxygen_lpm = control.oxygen_split(air, design)
        base = np.maximum(acid, 0.0) / 100.0
        acidify = np.maximum(-acid, 0.0) / 100.0
        span = design.jacket_high_degc - design.jacket_low_degc
        nothing = np.zeros_like(heat)
        gases = np.stack(
            [air_lpm, oxygen_lpm, acidify * design.carbon_dioxide_high_lpm, nothing]
        )
        gases[:2] *= stirred
        return Actuators(
            agitation_rpm=rpm * stirred,
            gases_lpm=gases,
            liquids_mlpm=np.stack(
                [nothing, base * design.base_high_mlpm, nothing, nothing]
            ),
            jacket_degc=design.jacket_low_degc + heat / 100.0 * span,
            heating=warm,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        return {
            "integral": self._integral.tolist(),
            "outputs": self.outputs.tolist(),
            "seen": None if self._seen is None else self._seen.tolist(),
        }

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw."""
        self._integral = np.array(body["integral"], float)
        self.outputs[:] = body["outputs"]
        seen = body["seen"]
        self._seen = None if seen is None else np.array(seen, float)
