"""The faults of one plant: planned, at work, over. Pure; part of the plant's state.

Bounded by: MOST faults that are not over. When full: `inject` refuses. Order: of
planning, then of injection. Duplicates: an identifier is given once. On cancel: nothing
is lost that `to_json` has seen.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.domain import FedbatchError
from simulators.faults.acts import AT_ONCE, Act
from simulators.faults.catalogue import Catalogue, us
from simulators.faults.effects import Effects, Moment
from simulators.faults.scenario import After
from simulators.tags import COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.faults.acts import Effect
    from simulators.faults.catalogue import Fault
    from simulators.faults.scenario import Planned, Scenario

MOST = 200
"""Faults of a plant that are planned or at work."""


class InjectionRefused(FedbatchError):  # noqa: N818
    """A fault that this plant cannot have; the message says what was expected."""


@dataclass(slots=True)
class Injection:
    """One fault in one vessel; times in us UTC, spans in us."""

    id: str
    """Unique in the plant, for example `S01-BR102-1`."""
    fault: str
    vessel: int
    """Its place in the layout."""
    source: str
    """`scenario`, or `method` when injected at run time."""
    magnitude: float
    ramp: int
    duration: int
    alarm_within: int | None
    after: str
    delay: int
    onset: int | None = None
    """None: counts from going live, which has not happened."""
    end: int | None = None
    begun: bool = False
    over: bool = False
    first_detectable: int | None = None

    def start(self, onset: int) -> None:
        """Fix when it begins and ends."""
        self.onset, self.end = onset, onset + self.duration

    def at_work(self, time: int) -> bool:
        """Whether it acts at `time`."""
        if self.onset is None or self.end is None:
            return False
        return self.onset <= time < self.end

    def moment(self, time: int) -> Moment:
        """Return where in its life `time` is."""
        since = 0 if self.onset is None else time - self.onset
        key = zlib.crc32(self.id.encode())
        return Moment(key, since / 1e6, max(self.duration / 1e6, 1.0))

    def level(self, time: int) -> float:
        """Return how far the ramp is, 0 to 1."""
        if self.onset is None or self.ramp <= 0:
            return 1.0
        return min((time - self.onset) / self.ramp, 1.0)


class Injections:
    """All faults of one plant; see the module."""

    def __init__(
        self,
        catalogue: Catalogue,
        vessels: Sequence[str],
        scenario: Scenario | None = None,
        process: str = "cho",
    ) -> None:
        """Plan what a scenario that fits the catalogue has for these vessels."""
        self.catalogue, self.vessels = catalogue, tuple(vessels)
        self.process = process
        self.scenario = "" if scenario is None else scenario.sha256
        self.all: list[Injection] = []
        """What is not over, and what was over since `news` was read last."""
        self._given = 0
        self._live: int | None = None
        self._corrections: list[tuple[int, int, float]] = []
        self._news: dict[str, Injection] = {}
        for planned in () if scenario is None else scenario.faults:
            if planned.vessel in self.vessels:
                self._plan(planned)

    def fault(self, injection: Injection) -> Fault:
        """Return what the catalogue says about it."""
        return self.catalogue.faults[injection.fault]

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do, now or later."""
        return not self.all and not self._corrections

    def news(self) -> list[Injection]:
        """Return what has changed since the last call."""
        changed = list(self._news.values())
        self._news.clear()
        self.all = [one for one in self.all if not one.over]
        return changed

    def starts(self, time: int) -> None:
        """Fix the onsets that count from the plant's start, us UTC."""
        self._anchor(After.START, time)

    def goes_live(self, time: int) -> None:
        """Fix the onsets that count from going live; only the first call counts."""
        if self._live is None:
            self._live = time
            self._anchor(After.LIVE, time)

    def inject(
        self,
        vessel: str,
        fault: str,
        magnitude: float | None,
        duration: timedelta | None,
        now: int,
    ) -> Injection:
        """Let a fault begin now; None: the catalogue's default.

        Raises:
            InjectionRefused: vessel, fault, magnitude or duration do not fit, or there
                are too many.
        """
        kind = self._known(vessel, fault)
        wrong = dict(kind.misfits(magnitude, None, duration))
        if wrong:
            raise InjectionRefused("; ".join(f"{f} {m}" for f, m in wrong.items()))
        if len(self.all) >= MOST:
            raise InjectionRefused(f"{len(self.all)} faults: expected below {MOST}")
        index = self.vessels.index(vessel)
        for one in self.all:
            if (one.vessel, one.fault) == (index, fault) and one.at_work(now):
                raise InjectionRefused(
                    f"{one.id} is at work: expected it cleared first"
                )
        made = self._made(fault, vessel, "method", magnitude, None, duration)
        made.start(now)
        self.all.append(made)
        self._news[made.id] = made
        return made

    def clear(self, vessel: str, fault: str, now: int) -> int:
        """End a fault in a vessel, and forget it where it is planned; return how many.

        Raises:
            InjectionRefused: there is no such vessel or fault.
        """
        self._known(vessel, fault)
        index = self.vessels.index(vessel)
        ended = [
            one
            for one in self.all
            if (one.vessel, one.fault) == (index, fault) and not one.over
        ]
        for one in ended:
            one.end = now
            self._finish(one)
        return len(ended)

    def new_batch(self, vessel: int) -> None:
        """Put calibrated instruments into a vessel."""
        self._corrections = [c for c in self._corrections if c[0] != vessel]

    def beginning(self, to: int) -> list[Injection]:
        """Return, once, the faults that begin by `to`."""
        found = [
            one
            for one in self.all
            if not (one.begun or one.over) and one.onset is not None and one.onset <= to
        ]
        for one in found:
            one.begun = True
            self._news[one.id] = one
        return found

    def effects(self, now: int, to: int) -> Effects:
        """Return what is at work in the step from `now` to `to`; end what ends."""
        for one in self.all:
            if one.begun and not one.over and one.end is not None and one.end <= to:
                self._finish(one)
        made = Effects.none(len(self.vessels))
        made.correct(self._corrections)
        for one in self.all:
            for time, machine in ((now, True), (to, False)):
                if one.at_work(time):
                    for effect in self.fault(one).effects:
                        size = one.magnitude * effect.per_magnitude * one.level(time)
                        moment = one.moment(time)
                        made.act(one.vessel, effect, size, moment, machine=machine)
        return made

    def struck(self, beginning: list[Injection]) -> Iterator[tuple[int, Effect, float]]:
        """Yield vessel, effect and size of what happens at once at an onset."""
        for one in beginning:
            for effect in self.fault(one).effects:
                if effect.act in AT_ONCE:
                    yield one.vessel, effect, one.magnitude * effect.per_magnitude

    def detectable(self, identifier: str, time: int) -> None:
        """Note when a fault could first be seen."""
        for one in self.all:
            if one.id == identifier:
                one.first_detectable = time
                self._news[one.id] = one

    def follow(self, other: Injections, *, without: str, now: int) -> None:
        """Take over what was injected, cleared or fixed in `other` since; but one."""
        theirs = {one.id: one for one in other.all if one.id != without}
        for mine in self.all:
            one = theirs.pop(mine.id, None)
            if one is not None:
                mine.onset, mine.end = one.onset, one.end
            elif mine.end is not None:
                mine.end = min(mine.end, now)
        self.all += [replace(one, begun=False) for one in theirs.values()]

    def _finish(self, one: Injection) -> None:
        one.over = True
        self._news[one.id] = one
        for effect in self.fault(one).effects:
            if effect.act is Act.CALIBRATE and effect.tag is not None and one.begun:
                size = one.magnitude * effect.per_magnitude
                self._corrections.append((one.vessel, COLUMN[effect.tag], size))

    def _known(self, vessel: str, fault: str) -> Fault:
        if vessel not in self.vessels:
            known = ", ".join(self.vessels[:20])
            raise InjectionRefused(f"vessel {vessel}: expected one of {known}")
        if fault not in self.catalogue.faults:
            known = ", ".join(sorted(self.catalogue.faults))
            raise InjectionRefused(f"fault {fault}: expected one of {known}")
        only = self.catalogue.faults[fault].process
        if only not in {None, self.process}:
            raise InjectionRefused(
                f"fault {fault}: expected a plant that runs {only}, not {self.process}"
            )
        return self.catalogue.faults[fault]

    def _plan(self, planned: Planned) -> None:
        made = self._made(
            planned.fault, planned.vessel, "scenario", planned.magnitude,
            planned.ramp, planned.duration,
        )  # fmt: skip
        made.after, made.delay = planned.after, us(planned.delay)
        if planned.alarm_within is not None:
            made.alarm_within = us(planned.alarm_within)
        self.all.append(made)

    def _made(
        self,
        fault: str,
        vessel: str,
        source: str,
        magnitude: float | None,
        ramp: timedelta | None,
        duration: timedelta | None,
    ) -> Injection:
        kind = self.catalogue.faults[fault]
        self._given += 1
        limit = kind.alarm_within
        size = kind.magnitude.default if magnitude is None else magnitude
        return Injection(
            id=f"{fault}-{vessel}-{self._given}",
            fault=fault,
            vessel=self.vessels.index(vessel),
            source=source,
            magnitude=size,
            ramp=us(kind.ramp_of(size) if ramp is None else ramp),
            duration=us(kind.duration.default if duration is None else duration),
            alarm_within=None if limit is None else us(limit),
            after=After.START,
            delay=0,
        )

    def _anchor(self, after: After, time: int) -> None:
        for one in self.all:
            if one.after == after and one.onset is None and not one.over:
                one.start(time + one.delay)
                self._news[one.id] = one

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        return {
            "scenario": self.scenario,
            "given": self._given,
            "live": self._live,
            "corrections": [list(c) for c in self._corrections],
            "all": [asdict(one) for one in self.all],
        }

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw, without what was planned here."""
        self._given, self._live = int(body["given"]), body["live"]
        self._corrections = [
            (int(v), int(c), float(s)) for v, c, s in body["corrections"]
        ]
        self.all = [Injection(**one) for one in body["all"]]
        self._news = {one.id: one for one in self.all}
