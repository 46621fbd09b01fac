"""The catalogue of faults, `simulators/faults.yaml`: effects, ranges, signatures."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from simulators.faults.acts import Effect
from simulators.faults.located import Part, parse
from simulators.tags import ASSAY, COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator

_US = timedelta(microseconds=1)


class Magnitude(Part):
    """How large a fault may be."""

    meaning: str
    unit: str
    low: float
    high: float
    default: float
    signed: bool = False
    most_per_day: float | None = None
    """Fastest growth over a ramp."""

    def allows(self, value: float) -> bool:
        """Whether `value` is within the range."""
        return self.low <= (abs(value) if self.signed else value) <= self.high

    @property
    def expected(self) -> str:
        """Return the range in words."""
        sign = "+-" if self.signed else ""
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{sign}{self.low:g} to {sign}{self.high:g}{unit}"


class Span(Part):
    """How long something may last."""

    low: timedelta
    high: timedelta
    default: timedelta

    def allows(self, value: timedelta) -> bool:
        """Whether `value` is within the range."""
        return self.low <= value <= self.high

    @property
    def expected(self) -> str:
        """Return the range in words."""
        return f"{self.low} to {self.high}"


Class = Literal["sensor", "actuator", "process", "communication", "human"]
Direction = Literal["rises", "falls", "moves", "stands", "jumps", "status"]
"""How a tag shows a fault: either way for `moves`, without scatter for `stands`,
by single values for `jumps`, by its StatusCode for `status`."""


class Fault(Part):
    """One kind of fault."""

    name: str
    kind: Annotated[Class, Field(alias="class")]
    effects: tuple[Effect, ...]
    magnitude: Magnitude
    ramp: Span
    duration: Span
    signature: dict[str, Direction]
    """Tags in which it shows, and how."""
    what: str
    """What moves, in words."""
    process: str | None = None
    """Only in vessels that run this process; default: in all."""
    alarm_within: timedelta | None = None
    """None: it must not raise an alarm."""
    unseen: str | None = None

    @model_validator(mode="after")
    def _knows_its_tags(self) -> Self:
        unknown = sorted(set(self.signature) - set(COLUMN) - set(ASSAY))
        if unknown:
            raise ValueError(f"signature {unknown}: expected tags of simulators.tags")
        return self

    @property
    def target(self) -> str | None:
        """Return the tag it acts on; None: the whole vessel."""
        return self.effects[0].tag

    def misfits(
        self,
        magnitude: float | None,
        ramp: timedelta | None,
        duration: timedelta | None,
    ) -> Iterator[tuple[str, str]]:
        """Yield field and message of what is outside its range; None is never."""
        if magnitude is not None and not self.magnitude.allows(magnitude):
            yield "magnitude", f"{magnitude:g}: expected {self.magnitude.expected}"
        if ramp is not None and not self.ramp.allows(ramp):
            yield "ramp", f"{ramp}: expected {self.ramp.expected}"
        if duration is not None and not self.duration.allows(duration):
            yield "duration", f"{duration}: expected {self.duration.expected}"
        if ramp is not None and ramp < self._shortest_ramp(magnitude):
            shortest = self._shortest_ramp(magnitude)
            yield "ramp", f"{ramp}: expected at least {shortest} for this magnitude"

    def ramp_of(self, magnitude: float) -> timedelta:
        """Return the ramp of a fault for which none is given."""
        return max(self.ramp.default, self._shortest_ramp(magnitude))

    def _shortest_ramp(self, magnitude: float | None) -> timedelta:
        size = self.magnitude.default if magnitude is None else magnitude
        if self.magnitude.most_per_day is None:
            return timedelta(0)
        return timedelta(days=round(abs(size) / self.magnitude.most_per_day, 6))


class Catalogue(Part):
    """All kinds of faults, by identifier such as S01."""

    scatter: dict[str, float] = Field(default_factory=dict)
    """Standard deviation of the fault-free scatter, by tag."""
    faults: dict[str, Fault]

    @model_validator(mode="after")
    def _has_scatter(self) -> Self:
        shown = {tag for f in self.faults.values() for tag in f.signature}
        missing = sorted((shown & set(COLUMN)) - set(self.scatter))
        if missing:
            raise ValueError(f"scatter: expected also of {', '.join(missing)}")
        return self

    def sigmas(self, fault: str) -> Iterator[tuple[int, float]]:
        """Yield column and scatter of the tags in which a fault shows as a value."""
        for tag, direction in self.faults[fault].signature.items():
            if tag in COLUMN and direction not in {"status", "stands"}:
                yield COLUMN[tag], self.scatter[tag]


def us(span: timedelta) -> int:
    """Return microseconds."""
    return span // _US


def load() -> Catalogue:
    """Return the catalogue that comes with the simulator.

    Raises:
        FileInvalid: it was changed into something that does not fit.
    """
    path = files("simulators") / "faults.yaml"
    return parse(path.read_text(encoding="utf-8"), "faults.yaml", Catalogue)
