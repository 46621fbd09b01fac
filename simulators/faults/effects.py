"""What the faults at work do to machines, instruments and publication. Pure.

A machine acts over a step by what is at work when the step begins; an instrument and
the publication by what is at work at its end. So nothing shows before its onset.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from simulators.faults.acts import Act, statuscode
from simulators.faults.bursts import height
from simulators.processes.design import LIQUIDS
from simulators.tags import ALL_ASSAYS, ASSAY, COLUMN, TAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from simulators.faults.acts import Effect
    from simulators.processes.state import Actuators

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]

GAS = {f"FIC-11{row + 1}.PV": row for row in range(4)}
"""Rows of the gases by the tag of their controller."""
LIQUID = {f"FIC-12{row + 1}.PV": row for row in range(4)}
"""Rows of the liquids by the tag of their pump."""
SETPOINT = {"TIC-101.SP": 0, "AIC-101.SP": 1, "AIC-102.SP": 2, "FIC-121.SP": 3}
"""Rows of the setpoints."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where in the life of a fault an instant is."""

    key: int
    """Of the fault: what is random about it follows from it."""
    since_s: float
    """Seconds since its onset."""
    lasting_s: float
    """Its whole duration."""


@dataclass(slots=True)
class Effects:
    """Matrices are (vessels, tags of simulators.tags), vectors (vessels,)."""

    liquids: Vector
    """Share of what the pumps should give, shape (4, n)."""
    extra_mlpm: Vector
    """Liquids that come without a pump, shape (4, n)."""
    gases: Vector
    """Share of what the gas controllers should give, shape (4, n)."""
    bias_lpm: Vector
    """Gas beyond what the controllers measure, shape (4, n)."""
    speed: Vector
    """Share of the stirrer's speed that is left."""
    jacket: Vector
    """Share of the heat through the jacket that is left."""
    vent: Vector
    """Factor on the resistance of the vent filter."""
    setpoints: Vector
    """Added to the recipe's setpoints, shape (4, n)."""
    late_h: Vector
    """Hours by which the recipe's temperature comes late; negative: early."""
    gain: Vector
    offset: Vector
    correction: Vector
    """Left by calibrations; not in the raw signals."""
    lag: Vector
    """Factor on the time constants."""
    noise: Vector
    """Factor on the noise."""
    scale: Vector
    """Factor on what is shown, after the instrument."""
    reads: Vector
    """What instruments show whatever is true; NaN: the truth."""
    held: Mask
    """Instruments that keep showing their last value."""
    status: NDArray[np.uint32]
    """StatusCodes of what is published."""
    assays: Vector
    """Factors on what the laboratory says, (vessels, assays)."""
    silent: Mask
    """Vessels whose values are not published."""
    announced: Mask
    """Whether BadNoCommunication is published before that silence."""
    skew_us: NDArray[np.int64]
    """Added to the source times of vessels."""
    factors: dict[str, Vector] = field(default_factory=dict)
    """On kinetic constants, by name."""

    @classmethod
    def none(cls, vessels: int) -> Effects:
        """Return what leaves everything as it is."""
        tags, four = (vessels, len(TAGS)), (len(LIQUIDS), vessels)
        return cls(
            liquids=np.ones(four),
            extra_mlpm=np.zeros(four),
            gases=np.ones(four),
            bias_lpm=np.zeros(four),
            speed=np.ones(vessels),
            jacket=np.ones(vessels),
            vent=np.ones(vessels),
            setpoints=np.zeros(four),
            late_h=np.zeros(vessels),
            gain=np.ones(tags),
            offset=np.zeros(tags),
            correction=np.zeros(tags),
            lag=np.ones(tags),
            noise=np.ones(tags),
            scale=np.ones(tags),
            reads=np.full(tags, np.nan),
            held=np.zeros(tags, bool),
            status=np.zeros(tags, np.uint32),
            assays=np.ones((vessels, len(ALL_ASSAYS))),
            silent=np.zeros(vessels, bool),
            announced=np.zeros(vessels, bool),
            skew_us=np.zeros(vessels, np.int64),
        )

    def act(
        self, vessel: int, effect: Effect, size: float, at: Moment, *, machine: bool
    ) -> None:
        """Add an effect on a machine, or else on a signal; others are left out."""
        made = (_ON_MACHINES if machine else _ON_SIGNALS).get(effect.act)
        if made is not None:
            made(self, vessel, effect, size, at)

    def correct(self, corrections: Iterable[tuple[int, int, float]]) -> None:
        """Add what calibrations have left: vessel, column, size."""
        for vessel, column, size in corrections:
            self.correction[vessel, column] += size

    def acting(self, told: Actuators) -> Actuators:
        """Return what really acts when the machines were told `told`."""
        return replace(
            told,
            liquids_mlpm=told.liquids_mlpm * self.liquids + self.extra_mlpm,
            gases_lpm=np.maximum(told.gases_lpm * self.gases + self.bias_lpm, 0.0),
            agitation_rpm=told.agitation_rpm * self.speed,
            vent=self.vent,
            jacket_share=self.jacket,
        )

    def on_kinetics(self, factors: Mapping[str, Vector]) -> Mapping[str, Vector]:
        """Return factors on kinetic constants with those of the faults."""
        if not self.factors:
            return factors
        names = factors.keys() | self.factors.keys()
        return {
            name: factors.get(name, 1.0) * self.factors.get(name, np.ones(1))
            for name in sorted(names)
        }


def _tag(vessel: int, effect: Effect) -> tuple[int, int]:
    return vessel, COLUMN[str(effect.tag)]


def _flow(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    if effect.tag in GAS:
        e.gases[GAS[effect.tag], v] *= 1.0 - size
    else:
        e.liquids[LIQUID[str(effect.tag)], v] *= 1.0 - size


def _bias(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    e.bias_lpm[GAS[str(effect.tag)], v] += size


def _extra(e: Effects, v: int, effect: Effect, size: float, at: Moment) -> None:
    e.extra_mlpm[LIQUID[str(effect.tag)], v] += size * 60_000.0 / at.lasting_s


def _speed(e: Effects, v: int, _e: Effect, size: float, _: Moment) -> None:
    e.speed[v] *= 1.0 - size


def _jacket(e: Effects, v: int, _e: Effect, size: float, _: Moment) -> None:
    e.jacket[v] *= 1.0 - size


def _vent(e: Effects, v: int, _e: Effect, size: float, _: Moment) -> None:
    e.vent[v] *= 1.0 + size


def _setpoint(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    e.setpoints[SETPOINT[str(effect.tag)], v] += size


def _late(e: Effects, v: int, _e: Effect, size: float, _: Moment) -> None:
    e.late_h[v] += size


def _kinetic(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    factor = e.factors.setdefault(str(effect.constant), np.ones(len(e.speed)))
    factor[v] *= max(1.0 - size, 0.0)


def _assay(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    e.assays[v, ASSAY[str(effect.tag)]] *= size


def _offset(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    e.offset[_tag(v, effect)] += size


def _spikes(e: Effects, v: int, effect: Effect, size: float, at: Moment) -> None:
    e.offset[_tag(v, effect)] += height(
        at.key, at.since_s, effect.per_h, effect.lasting_s, size
    )


def _wave(e: Effects, v: int, effect: Effect, size: float, at: Moment) -> None:
    turns = at.since_s / effect.period_s
    e.offset[_tag(v, effect)] += size * np.sin(2.0 * np.pi * turns)


def _gain(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    e.gain[_tag(v, effect)] *= 1.0 - size


def _lag(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    e.lag[_tag(v, effect)] *= 1.0 + size


def _noise(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    e.noise[_tag(v, effect)] *= 1.0 + size


def _scale(e: Effects, v: int, effect: Effect, size: float, _: Moment) -> None:
    e.scale[_tag(v, effect)] *= size


def _reads(e: Effects, v: int, effect: Effect, _: float, _m: Moment) -> None:
    e.reads[_tag(v, effect)] = effect.at


def _freeze(e: Effects, v: int, effect: Effect, _: float, _m: Moment) -> None:
    e.held[_tag(v, effect)] = True


def _status(e: Effects, v: int, effect: Effect, _: float, at: Moment) -> None:
    if effect.period_s and int(2.0 * at.since_s / effect.period_s) % 2:
        return
    e.status[_tag(v, effect)] = statuscode(effect.code)


def _calibrate(e: Effects, v: int, effect: Effect, _: float, _m: Moment) -> None:
    e.held[_tag(v, effect)] = True
    e.status[_tag(v, effect)] = statuscode("BadOutOfService")


def _silence(e: Effects, v: int, _e: Effect, size: float, _: Moment) -> None:
    e.silent[v] = True
    e.announced[v] |= size >= 0.5


def _skew(e: Effects, v: int, _e: Effect, size: float, _: Moment) -> None:
    e.skew_us[v] += round(size * 1e6)


_ON_MACHINES: dict[Act, Callable[[Effects, int, Effect, float, Moment], None]] = {
    Act.FLOW: _flow,
    Act.BIAS: _bias,
    Act.EXTRA: _extra,
    Act.SPEED: _speed,
    Act.JACKET: _jacket,
    Act.VENT: _vent,
    Act.SETPOINT: _setpoint,
    Act.LATE: _late,
    Act.KINETIC: _kinetic,
}
_ON_SIGNALS: dict[Act, Callable[[Effects, int, Effect, float, Moment], None]] = {
    Act.OFFSET: _offset,
    Act.SPIKES: _spikes,
    Act.WAVE: _wave,
    Act.GAIN: _gain,
    Act.LAG: _lag,
    Act.NOISE: _noise,
    Act.SCALE: _scale,
    Act.READ: _reads,
    Act.FREEZE: _freeze,
    Act.STATUS: _status,
    Act.CALIBRATE: _calibrate,
    Act.ASSAY: _assay,
    Act.SILENCE: _silence,
    Act.SKEW: _skew,
}
