"""What plant.yaml asks of the monitor: limits, rates, frozen values, noise, residuals.

Pure: settings only, no algorithm. Every check belongs to one vessel and has a name
that is unique there, so that an alarm can be named `vessel/check` for ever.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.formula import formula

Priority = Annotated[int, Field(ge=1, le=4)]
"""1 urgent, act at once; 2 high; 3 low; 4 for the record, nobody is told."""
Seconds = Annotated[float, Field(ge=0, le=7 * 86_400)]
WEEK_S = 604_800.0
FEWEST_WINDOWS = 240
"""Windows learned from below which no rate of false alarms can be promised."""
RAREST, MOST_OFTEN = 1e-5, 1e-2
"""False alarms a window that can be promised."""


class Mode(StrEnum):
    """How a learned check decides."""

    LEARNING = "learning"
    """Learns as it goes; every alarm says that it is advisory."""
    FROZEN = "frozen"
    """Uses a named, hashed snapshot that a person approved; learns nothing."""


class _Check(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    priority: Priority = 3
    on_delay_s: Seconds = 60.0
    """The condition must hold this long, in event time, before the alarm is raised.

    Interruptions shorter than the off-delay pause it.
    """
    off_delay_s: Seconds = 30.0
    """It must be away this long before the alarm returns."""
    latch: bool = False
    """Stays until somebody resets it, also after the condition is gone."""
    advice: str = ""
    """What a person should look at first."""
    phases: tuple[str, ...] = ()
    """Only while the vessel is in one of these phases; empty: in all."""
    suppressed_phases: tuple[str, ...] = ()
    """In these phases the alarm is suppressed by design: on record, shown to nobody."""
    covered_by: tuple[str, ...] = ()
    """Checks of the vessel, such as `SIC-101.PV/limit-ll`, that tell of the same cause:
    while one of them is an alarm that people see, this one is not raised beside it."""


class Limit(_Check):
    """A value beyond a fixed limit; independent of any model."""

    side: Literal["hh", "h", "l", "ll"]
    value: float
    """In the tag's unit."""
    of: str | None = None
    """Number tag of the vessel from which `value` is measured, such as the setpoint."""
    deadband: Annotated[float, Field(ge=0)] = 0.0
    """The value must come back by this much before the condition is away."""

    @property
    def is_high(self) -> bool:
        """Whether values above are beyond."""
        return self.side in {"h", "hh"}


class Rate(_Check):
    """A value that moves faster than its process can."""

    per_min: Annotated[float, Field(gt=0)]
    """Largest change per minute, in the tag's unit."""
    over_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Measured between readings this far apart."""


class Frozen(_Check):
    """A value of a `report: each` tag that has not moved at all."""

    after_s: Annotated[float, Field(gt=0)] = 900.0
    """Identical for this long."""
    on_delay_s: Seconds = 0.0


class Noise(_Check):
    """Scatter from reading to reading outside what the instrument has."""

    least: Annotated[float, Field(ge=0)] = 0.0
    """Smallest standard deviation of successive differences / sqrt(2)."""
    most: Annotated[float, Field(gt=0)]
    """Largest, in the tag's unit."""
    over_s: Annotated[float, Field(gt=0, le=86_400)] = 600.0


class State(_Check):
    """A boolean, an enumeration or a number that counts is in a state not expected."""

    values: Annotated[tuple[float, ...], Field(min_length=1)]
    """The states; true is 1, false is 0."""


class NoData(_Check):
    """No reading and no proof that the subscription lives."""

    after_s: Annotated[float, Field(gt=0)] = 10.0
    on_delay_s: Seconds = 20.0
    priority: Priority = 2


class Quality(_Check):
    """Readings that are not to be used: the instrument or its line says so itself."""

    most: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Largest share of bad and uncertain readings; out of service does not count."""
    over_s: Annotated[float, Field(ge=60, le=3600)] = 300.0
    on_delay_s: Seconds = 0.0


class Skew(_Check):
    """Source times of a vessel that are steadily ahead of or behind their receipt."""

    most_s: Annotated[float, Field(gt=0)] = 5.0
    """How far they may be off."""
    over_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Judged by the freshest reading of so long; two in a row must agree."""
    priority: Priority = 2
    on_delay_s: Seconds = 0.0
    off_delay_s: Seconds = 60.0


TagCheck = Limit | Rate | Frozen | Noise | State | Quality
"""What is watched on one tag alone."""


class TagChecks(BaseModel):
    """The checks of one tag."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    limits: tuple[Limit, ...] = ()
    rate: Rate | None = None
    frozen: Frozen | None = None
    noise: Noise | None = None
    state: State | None = None
    quality: Quality | None = None

    def named(self) -> dict[str, TagCheck]:
        """Return the checks by the last part of their names."""
        alone: dict[str, TagCheck | None] = {
            "rate": self.rate,
            "frozen": self.frozen,
            "noise": self.noise,
            "state": self.state,
            "quality": self.quality,
        }
        limits: dict[str, TagCheck] = {f"limit-{x.side}": x for x in self.limits}
        return limits | {name: x for name, x in alone.items() if x is not None}

    @property
    def moving(self) -> tuple[TagCheck, ...]:
        """Return the checks of values that move, which only numbers have."""
        return tuple(x for x in self.named().values() if not isinstance(x, State))

    @model_validator(mode="after")
    def _each_side_once(self) -> TagChecks:
        sides = [limit.side for limit in self.limits]
        if len(set(sides)) != len(sides):
            raise ValueError(f"limits {sides}: expected each of hh, h, l, ll once")
        values = {limit.side: limit.value for limit in self.limits}
        ordered = [values[side] for side in ("ll", "l", "h", "hh") if side in values]
        if ordered != sorted(ordered):
            raise ValueError(f"limits {values}: expected ll <= l <= h <= hh")
        return self


class OxygenBalance(BaseModel):
    """Tags and sizes of a stirred vessel, for uptake by gas over transfer by kLa."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    agitation: str
    """rpm"""
    air: str
    """Sparged, normal L/min; as the next two."""
    oxygen: str
    carbon_dioxide: str
    off_oxygen: str
    """%, dry"""
    off_carbon_dioxide: str
    """%, dry"""
    pressure: str
    """Of the headspace, mbar gauge."""
    weight: str
    """Of the broth, kg."""
    temperature: str
    """Cel"""
    dissolved: str
    """% of air saturation"""
    overlay_lpm: Annotated[float, Field(ge=0)] = 0.0
    """Air through the headspace, normal L/min."""
    cross_section_m2: Annotated[float, Field(gt=0)]
    impeller_m: Annotated[float, Field(gt=0)]
    power_number: Annotated[float, Field(gt=0)] = 0.5

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the tags in the order of the fields."""
        return (
            self.agitation, self.air, self.oxygen, self.carbon_dioxide,
            self.off_oxygen, self.off_carbon_dioxide, self.pressure, self.weight,
            self.temperature, self.dissolved,
        )  # fmt: skip


class Residual(_Check):
    """A sum of tags that stays near zero, or near its own past, while all is well.

    For example setpoint minus value, a controller's output, or a pump's total minus
    what the bottle lost. Learned: River looks for drift in it.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\- ]{0,63}$")]
    terms: dict[str, float] = {}
    """Tag name in the vessel -> factor."""
    oxygen: OxygenBalance | None = None
    """Instead of terms: the ratio of the oxygen balance, near 1."""
    formula: str | None = None
    """Instead of terms: a balance or soft sensor over the tags; see shared.formula."""
    expected: float | None = None
    """Where the residual belongs; default: it is learned."""
    detector: Literal["adwin", "page-hinkley", "ewma", "upper-quantile"] = "ewma"
    """upper-quantile: the 70 % quantile of the last 48 averages, for residuals that are
    often disturbed to one side."""
    mode: Mode = Mode.LEARNING
    snapshot: str | None = None
    """SHA-256 of the approved snapshot; needed when frozen."""
    every_s: Annotated[float, Field(gt=0)] = 60.0
    """The residual is averaged over this long before the detector sees it."""
    settle_s: Annotated[float, Field(ge=0)] = 3600.0
    """Learned from, but never alarmed on, this long after the first of its phases
    begins, and after one of its tags was out of service (BadOutOfService: somebody
    calibrates or changes the instrument)."""
    sensitivity: Annotated[float, Field(gt=0)] = 6.0
    """In standard deviations of the residual's own past."""
    false_alarms_per_week: Annotated[float, Field(gt=0)] | None = None
    """Instead of `sensitivity`: how many may come of what was learned going on, on
    average; how wide the band must be follows from what was learned."""
    lag_s: Seconds = 0.0
    """For residuals that change slowly by themselves: compared is what was this long
    ago (as much as `settle_s` of it), not what was learned when the phases began."""
    side: Literal["both", "high", "low"] = "both"
    """On which side of its own past it is not expected."""
    band: Annotated[float, Field(ge=0)] = 0.0
    """At least this far to either side is expected, in the residual's unit."""

    @model_validator(mode="after")
    def _frozen_names_a_snapshot(self) -> Residual:
        if (self.mode is Mode.FROZEN) != (self.snapshot is not None):
            raise ValueError("frozen needs a snapshot, and learning has none")
        return self

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Residual:
        kinds = (bool(self.terms), self.oxygen is not None, self.formula is not None)
        if sum(kinds) != 1:
            raise ValueError(
                f"residual {self.name!r}: expected one of terms, oxygen and formula"
            )
        if self.formula is not None:
            formula(self.formula)
        return self

    @model_validator(mode="after")
    def _expected_is_not_learned(self) -> Residual:
        if self.expected is not None and not self.band:
            raise ValueError(f"residual {self.name!r}: expected a band beside expected")
        if self.expected is not None and (self.lag_s or self.detector != "ewma"):
            raise ValueError(
                f"residual {self.name!r}: expected no lag and no other detector where "
                "the value is known"
            )
        return self

    @model_validator(mode="after")
    def _a_rate_can_be_promised(self) -> Residual:
        rate = self.false_per_window
        if rate is None:
            return self
        what = f"residual {self.name!r} false_alarms_per_week"
        if self.detector != "ewma" or self.lag_s or self.expected is not None:
            raise ValueError(f"{what}: expected detector ewma, no lag, nothing known")
        if "sensitivity" in self.model_fields_set:
            raise ValueError(f"{what}: expected no sensitivity beside it")
        if self.settle_s < FEWEST_WINDOWS * self.every_s:
            raise ValueError(
                f"{what}: expected settle_s of {FEWEST_WINDOWS} windows of every_s "
                "or more"
            )
        if not RAREST <= rate <= MOST_OFTEN:
            raise ValueError(
                f"{what}: expected {RAREST:g} to {MOST_OFTEN:g} a window of every_s, "
                f"found {rate:.3g}"
            )
        return self

    @property
    def false_per_window(self) -> float | None:
        """Return how many false alarms a window are allowed; None: not said."""
        if self.false_alarms_per_week is None:
            return None
        return self.false_alarms_per_week * self.every_s / WEEK_S

    @property
    def is_learned(self) -> bool:
        """Whether it is held against its own past."""
        return self.expected is None

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the names of the tags it is made of, the one it is named by first."""
        if self.formula is not None:
            return formula(self.formula).tags
        if self.oxygen is not None:
            return self.oxygen.tags
        return tuple(self.terms)


class SampleCheck(_Check):
    """An instrument against laboratory samples that are known hours after their draw.

    Learned: what usually lies between the two, from all samples since the first of its
    phases began, or since the instrument was out of service. A step or a drift that
    began at any of them is looked for.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\- ]{0,63}$")]
    sample: str
    """Tag of the laboratory's results, their time that of the draw."""
    online: str
    """Tag of the instrument."""
    scatter: Annotated[float, Field(gt=0)]
    """Standard deviation of one comparison: of the laboratory and the instrument."""
    settle: Annotated[int, Field(ge=2, le=50)] = 2
    """Samples that are taken as usual, whatever they say."""
    sensitivity: Annotated[float, Field(gt=0)] = 4.5
    """In standard errors of the departure; 4.5 is one false alarm in 2 000 batches of
    14 samples."""
    band: Annotated[float, Field(gt=0)]
    """A smaller departure to either side is expected, in the tag's unit."""
    per_sample: Annotated[float, Field(gt=0)] | None = None
    """What the instrument shows for one unit of the sample, where the two have other
    units: then nothing is learned, and judged is each sample by the logarithm of their
    ratio, `band` to either side."""
    within_s: Annotated[float, Field(gt=0, le=7 * 86_400)] = 86_400.0
    """Samples that are known later than this after their draw are not compared."""
    on_delay_s: Seconds = 0.0
    off_delay_s: Seconds = 0.0

    @property
    def tags(self) -> tuple[str, str]:
        """Return the names of its tags, the one it is named by first."""
        return self.online, self.sample


class CauseKind(StrEnum):
    """What kind of thing is wrong."""

    SENSOR = "sensor"
    ACTUATOR = "actuator"
    PROCESS = "process"
    COMMUNICATION = "communication"


class PossibleCause(BaseModel):
    """Something that can go wrong in a vessel, and by which checks it shows."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """As an operator would say it."""
    kind: CauseKind
    tag: str | None = None
    """The tag of the instrument or machine; none for the process."""
    shows: Annotated[tuple[str, ...], Field(min_length=1)]
    """Checks that it sets off: `tag/limit-h`, `residual/name`, `no-data`. A residual
    may end in + or -: only above or below what is expected."""
    may: tuple[str, ...] = ()
    """Checks that it sets off now and then: they say nothing either way."""
    advice: str = ""
    """What to look at first."""
