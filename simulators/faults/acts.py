"""What an effect of a fault can do, and on what; `simulators/faults.yaml` explains."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from simulators.faults.located import Part
from simulators.tags import ASSAY, COLUMN

STATUSCODES = {
    "BadNoCommunication": 0x80310000,
    "BadSensorFailure": 0x808C0000,
    "BadOutOfService": 0x808D0000,
    "UncertainSensorNotAccurate": 0x40930000,
    "UncertainLastUsableValue": 0x40900000,
    "UncertainEngineeringUnitsExceeded": 0x40940000,
}
"""OPC UA StatusCodes that instruments have, by name."""


class Act(StrEnum):
    """What an effect does; simulators/faults.yaml explains each."""

    OFFSET = "offset"
    GAIN = "gain"
    LAG = "lag"
    NOISE = "noise"
    SPIKES = "spikes"
    WAVE = "wave"
    READ = "read"
    FREEZE = "freeze"
    SCALE = "scale"
    STATUS = "status"
    CALIBRATE = "calibrate"
    FLOW = "flow"
    BIAS = "bias"
    EXTRA = "extra"
    DOSE = "dose"
    SPEED = "speed"
    JACKET = "jacket"
    VENT = "vent"
    SETPOINT = "setpoint"
    LATE = "late"
    KINETIC = "kinetic"
    CELLS = "cells"
    CONTAMINATE = "contaminate"
    ASSAY = "assay"
    SILENCE = "silence"
    SKEW = "skew"


AT_ONCE = {Act.DOSE, Act.CELLS, Act.CONTAMINATE}
"""Acts that are done at the onset, to what is in the vessel."""
_VESSEL = {Act.SILENCE, Act.SKEW, Act.KINETIC, Act.CELLS, Act.CONTAMINATE}
"""Acts on a whole vessel, which name no tag."""
_PUMPS = {f"FIC-12{n}.PV" for n in range(1, 5)}
_GASES = {f"FIC-11{n}.PV" for n in range(1, 5)}
_ONLY: dict[Act, set[str]] = {
    Act.FLOW: _PUMPS | _GASES,
    Act.BIAS: _GASES,
    Act.EXTRA: _PUMPS,
    Act.DOSE: {"FIC-123.PV"},
    Act.SPEED: {"SIC-101.PV"},
    Act.JACKET: {"TIC-102.PV"},
    Act.VENT: {"PIC-101.PV"},
    Act.SETPOINT: {"TIC-101.SP", "AIC-101.SP", "AIC-102.SP", "FIC-121.SP"},
    Act.LATE: {"TIC-101.SP"},
    Act.ASSAY: set(ASSAY),
}
"""Tags of the machines, setpoints and assays that each of these acts knows."""


class Effect(Part):
    """One thing that a fault does."""

    act: Act
    tag: str | None = None
    """Of the instrument or machine; none for the whole vessel."""
    per_magnitude: float = 1.0
    at: float = 0.0
    """What is read, for `read`."""
    code: str = "BadSensorFailure"
    """StatusCode, for `status`."""
    period_s: float = 0.0
    """Of a wave; of a status that comes and goes, 0: it stays."""
    per_h: float = 1.0
    """Mean number of spikes per hour."""
    lasting_s: float = 300.0
    """Longest spike."""
    constant: str | None = None
    """Name of a constant of the process, for `kinetic`."""

    @model_validator(mode="after")
    def _has_its_tag(self) -> Self:
        if (self.act in _VESSEL) != (self.tag is None):
            names = ", ".join(sorted(_VESSEL))
            raise ValueError(f"tag of {self.act}: expected for all acts but {names}")
        if self.tag is not None and self.tag not in COLUMN | ASSAY:
            raise ValueError(f"tag {self.tag}: expected one of simulators.tags")
        known = _ONLY.get(self.act)
        if known is not None and self.tag not in known:
            only = " or ".join(sorted(known))
            raise ValueError(f"{self.act} of {self.tag}: expected {only}")
        if self.code not in STATUSCODES:
            only = ", ".join(STATUSCODES)
            raise ValueError(f"code {self.code}: expected one of {only}")
        if self.act is Act.WAVE and self.period_s <= 0.0:
            raise ValueError(f"period_s of wave {self.period_s}: expected above zero")
        if (self.act is Act.KINETIC) != (self.constant is not None):
            raise ValueError("constant: expected for kinetic, and for nothing else")
        return self


def statuscode(name: str) -> int:
    """Return an OPC UA StatusCode by its name."""
    return STATUSCODES[name]
