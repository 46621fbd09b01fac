"""What operators may write: setpoints, modes, and outputs of loops in manual. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain import FedbatchError
from simulators.tags import COLUMN, TAGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simulators.setpoints import Setpoints

_SETPOINTS = {"TIC-101.SP": 0, "AIC-101.SP": 1, "AIC-102.SP": 2, "FIC-121.SP": 3}
_LOOPS = {"TIC-101": 0, "AIC-101": 1, "AIC-102": 2}


class WriteRefused(FedbatchError):  # noqa: N818
    """A value that an operator may not write; the message says what was expected."""


class Operators:
    """Takes writes for one plant; they act from its next step on."""

    def __init__(self, setpoints: Setpoints, outputs: NDArray[np.float64]) -> None:
        self._setpoints, self._outputs = setpoints, outputs

    def write(self, vessel: int, tag: str, value: float) -> None:
        """Write a setpoint, a mode (0 manual, 1 automatic) or an output.

        A setpoint holds until the recipe next changes it. In manual a loop keeps the
        output it had, or the one that is written; back in automatic it goes on from
        there without a bump.

        Raises:
            WriteRefused: the tag cannot be written, or not with this value.
        """
        loop, _, part = tag.partition(".")
        column = COLUMN.get(tag)
        if column is None or not TAGS[column].writable:
            known = ", ".join(t.name for t in TAGS if t.writable)
            raise WriteRefused(f"{tag}: expected one of {known}")
        low, high = TAGS[column].low, TAGS[column].high
        if not low <= value <= high:
            raise WriteRefused(f"{tag} {value:g}: expected {low:g} to {high:g}")
        if part == "SP":
            self._setpoints.written[_SETPOINTS[tag], vessel] = value
            return
        row = _LOOPS[loop]
        if part == "MODE":
            self._hold(row, vessel, value)
        elif self._setpoints.manual[row, vessel]:
            self._setpoints.held[row, vessel] = value
        else:
            raise WriteRefused(f"{tag}: expected {loop}.MODE 0 (manual) first")

    def _hold(self, row: int, vessel: int, value: float) -> None:
        if value not in {0.0, 1.0}:
            raise WriteRefused(f"mode {value:g}: expected 0 (manual) or 1 (automatic)")
        if value == 0.0 and not self._setpoints.manual[row, vessel]:
            self._setpoints.held[row, vessel] = self._outputs[row, vessel]
        self._setpoints.manual[row, vessel] = value == 0.0
