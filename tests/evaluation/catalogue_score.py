"""What the monitor's alarms over the catalogue of faults are worth. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp
from statistics import median
from typing import TYPE_CHECKING

from tests.evaluation.simulated_batches import SILENT_BY_RIGHT
from tests.evaluation.watched_batches import AFTER_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.evaluation.plain_alarms import Plain
    from tests.evaluation.simulated_batches import Truth

    Near = Sequence[tuple[int, str]]

URGENT = 2
"""Alarms of this priority or a more urgent one count: those that people get."""
US_PER_H = 3_600_000_000
LATEST_H = 24.0
"""Where the plain alarm set is silent, a fault is to be found within this."""
CLASSES = ("sensor", "actuator", "process", "communication")
TOP = 3
CONFIDENCE = 0.95
NEAR_US = 3_600_000_000
"""The same alarm so near, before or after, in the batch without the fault, is by
chance."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an urgent alarm says."""

    time: int
    """us UTC."""
    check: str
    verdict: str | None
    """Class of the cause, if the alarm names one."""
    ranked: tuple[str, ...]
    """Tags that it blames, first the strongest."""
    text: str
    of_check: tuple[str, ...] = ()
    """Tags that its check looks at; none: the whole vessel."""

    @property
    def tags(self) -> set[str]:
        """Return the tags that it is about."""
        return {*self.ranked[:TOP], *self.of_check}


@dataclass(frozen=True, slots=True)
class Alarms:
    """What was said of the same batch without the fault: time and name, in order."""

    said: tuple[tuple[int, str], ...] = ()
    plain: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One batch: what was true, what we said and when the plain alarm set spoke."""

    seed: int
    truth: Truth | None
    said: tuple[Said, ...]
    """Urgent alarms of the whole batch."""
    others: int
    """Alarms of lower priority."""
    plain: tuple[Plain, ...]
    cpu_s: float
    readings: int
    without: Alarms = Alarms()

    @property
    def first(self) -> Said | None:
        """Return the first urgent alarm that may be about the fault."""
        mine = [one for one in self.said if self._about(one.time)]
        return mine[0] if mine else None

    @property
    def plain_first(self) -> int | None:
        """Return when the plain alarm set first speaks of the fault."""
        mine = [one.time for one in self.plain if self._about(one.time)]
        return mine[0] if mine else None

    def _about(self, time: int) -> bool:
        truth = self.truth
        return truth is not None and truth.onset <= time <= truth.end + AFTER_US

    @property
    def is_scored(self) -> bool:
        """Whether there is a fault that can be seen."""
        return self.truth is not None and self.truth.first_detectable is not None

    @property
    def delay_h(self) -> float | None:
        """Return hours from first detectable to our first alarm."""
        return None if self.first is None else self._since(self.first.time)

    @property
    def plain_delay_h(self) -> float | None:
        """Return hours from first detectable to the plain alarm set's first alarm."""
        return None if self.plain_first is None else self._since(self.plain_first)

    def _since(self, time: int) -> float | None:
        truth = self.truth
        if truth is None or truth.first_detectable is None:
            return None
        return (time - truth.first_detectable) / US_PER_H


@dataclass(frozen=True, slots=True)
class Scores:
    """The row of the simulated plant."""

    scored: int
    detected: int
    plain_detected: int
    both: tuple[float, float] | None
    """Median delays, hours, ours and the plain set's, where both speak."""
    alone: int
    """Faults where the plain alarm set never speaks, and..."""
    alone_soon: int
    """...those of them that we find within a day."""
    macro_f1: float
    f1: dict[str, float]
    named: int
    """Detected faults with a target tag..."""
    in_top: int
    """...whose target is among the first three that the alarm names."""
    right_to_be_silent: int
    silent: int
    """Of those, without an alarm."""


def caused(one: Outcome) -> Outcome:
    """Return the outcome with those alarms only that tell of its fault.

    Of both contenders an alarm counts if it is about a tag in which the fault shows,
    and the same batch without the fault does not have the same alarm within the hour.
    A fault that shows in no tag has no first condition.
    """
    truth = one.truth
    if truth is None:
        return one
    shows = {*truth.signature, *([truth.target] if truth.target else [])}

    def tells(time: int, name: str, tags: set[str], by_chance: Near) -> bool:
        there = any(abs(time - at) <= NEAR_US for at, of in by_chance if of == name)
        return not there and (not truth.signature or bool(tags & shows))

    return replace(
        one,
        said=tuple(
            said
            for said in one.said
            if tells(said.time, said.check, said.tags, one.without.said)
        ),
        plain=tuple(
            plain
            for plain in one.plain
            if tells(
                plain.time,
                plain.name,
                set(plain.tags),
                one.without.plain,
            )
        ),
    )


def scores(outcomes: Sequence[Outcome]) -> Scores:
    """Return the scores of batches with faults; those without are left out."""
    scored = [o for o in outcomes if o.is_scored]
    found = [o for o in scored if o.first is not None]
    pairs = [
        (o.delay_h, o.plain_delay_h)
        for o in found
        if o.delay_h is not None and o.plain_delay_h is not None
    ]
    alone = [o for o in scored if o.plain_first is None]
    named = [o for o in found if o.truth and o.truth.target]
    silent = [o for o in outcomes if o.truth and o.truth.fault in SILENT_BY_RIGHT]
    f1 = _f1(scored)
    return Scores(
        scored=len(scored),
        detected=len(found),
        plain_detected=sum(o.plain_first is not None for o in scored),
        both=(median(a for a, _ in pairs), median(b for _, b in pairs))
        if pairs
        else None,
        alone=len(alone),
        alone_soon=sum(o.delay_h is not None and o.delay_h <= LATEST_H for o in alone),
        macro_f1=sum(f1.values()) / len(f1) if f1 else 0.0,
        f1=f1,
        named=len(named),
        in_top=sum(_in_top(o) for o in named),
        right_to_be_silent=len(silent),
        silent=sum(o.first is None for o in silent),
    )


def _in_top(one: Outcome) -> bool:
    if one.first is None or one.truth is None:
        return False
    return one.truth.target in one.first.ranked[:TOP]


def _f1(scored: Sequence[Outcome]) -> dict[str, float]:
    """Return F1 by class; a fault that is not found is missed by its class."""
    pairs = [
        (str(o.truth.kind), o.first.verdict if o.first else None)
        for o in scored
        if o.truth is not None and o.truth.kind in CLASSES
    ]
    found = {}
    for name in {true for true, _ in pairs}:
        right = sum(true == said == name for true, said in pairs)
        wrong = sum(said == name != true for true, said in pairs)
        missed = sum(true == name != said for true, said in pairs)
        found[name] = 2.0 * right / (2.0 * right + wrong + missed)
    return {name: found[name] for name in CLASSES if name in found}


def most_expected(count: int, confidence: float = CONFIDENCE) -> float:
    """Return the upper bound of a Poisson mean of which `count` events were seen.

    >>> round(most_expected(0), 2), round(most_expected(10), 2)
    (3.0, 16.96)
    """
    low, high = 0.0, 10.0 + 3.0 * count
    for _ in range(60):
        middle = 0.5 * (low + high)
        term = total = exp(-middle)
        for n in range(1, count + 1):
            term *= middle / n
            total += term
        low, high = (middle, high) if total > 1.0 - confidence else (low, middle)
    return 0.5 * (low + high)
