"""What the faults at work do to machines, instruments and publication. Pure.

A machine acts over a step by what is at work when the step begins; an instrument and
the publication by what is at work at its end. So nothing shows before its onset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulators.faults.catalogue import Act
from simulators.tags import COLUMN, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from simulators.faults.catalogue import Effect
    from simulators.processes.vessel import Actuators

    Vector = NDArray[np.float64]


@dataclass(slots=True)
class Effects:
    """Matrices are (vessels, tags of simulators.tags), vectors (vessels,)."""

    feed: Vector
    """Share of the nutrient feed that flows."""
    speed: Vector
    """Share of the stirrer's speed that is left."""
    gain: Vector
    offset: Vector
    lag: Vector
    """Factor on the time constants."""
    held: NDArray[np.bool_]
    """Instruments that keep showing their last value."""
    out_of_service: NDArray[np.bool_]
    """Instruments whose values are published as BadOutOfService."""
    silent: NDArray[np.bool_]
    """Vessels whose values are not published."""
    announced: NDArray[np.bool_]
    """Whether BadNoCommunication is published before that silence."""

    @classmethod
    def none(cls, vessels: int) -> Effects:
        """Return what leaves everything as it is."""
        shape = (vessels, len(TAGS))
        return cls(
            feed=np.ones(vessels),
            speed=np.ones(vessels),
            gain=np.ones(shape),
            offset=np.zeros(shape),
            lag=np.ones(shape),
            held=np.zeros(shape, bool),
            out_of_service=np.zeros(shape, bool),
            silent=np.zeros(vessels, bool),
            announced=np.zeros(vessels, bool),
        )

    def act_on_machine(self, vessel: int, effect: Effect, size: float) -> None:
        """Add an effect on a machine; those of other kinds are left out."""
        if effect.act is Act.FLOW:
            self.feed[vessel] *= 1.0 - size
        elif effect.act is Act.SPEED:
            self.speed[vessel] *= 1.0 - size

    def act_on_signal(self, vessel: int, effect: Effect, size: float) -> None:
        """Add an effect on an instrument or the publication; others are left out."""
        if effect.tag is None:
            self.silent[vessel] = True
            self.announced[vessel] |= size >= 0.5
            return
        at = vessel, COLUMN[effect.tag]
        if effect.act is Act.OFFSET:
            self.offset[at] += size
        elif effect.act is Act.GAIN:
            self.gain[at] *= 1.0 - size
        elif effect.act is Act.LAG:
            self.lag[at] *= 1.0 + size
        elif effect.act in {Act.FREEZE, Act.CALIBRATE}:
            self.held[at] = True
            self.out_of_service[at] |= effect.act is Act.CALIBRATE

    def correct(self, corrections: Iterable[tuple[int, int, float]]) -> None:
        """Add what calibrations have left: vessel, column, size."""
        for vessel, column, size in corrections:
            self.offset[vessel, column] += size

    def acting(self, told: Actuators) -> Actuators:
        """Return what really acts when the machines were told `told`."""
        return replace(
            told,
            feed_mlpm=told.feed_mlpm * self.feed,
            agitation_rpm=told.agitation_rpm * self.speed,
        )
