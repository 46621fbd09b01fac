"""Whole simulated batches in lockstep, each with one fault or none, as columns. Pure.

All vessels of a run begin a batch at the same time. The same plant without faults goes
beside them with the same noise: what differs is the fault, and the first instant at
which it differs by three sigmas is when it could first be seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from simulators.campaign import mix
from simulators.campaign.interventions import interventions
from simulators.faults import catalogue as catalogues
from simulators.faults.injections import Injections
from simulators.faults.scenario import Planned, Scenario
from simulators.faults.twins import SIGMAS
from simulators.plant import Layout, Plant
from simulators.publication import BAD_NO_COMMUNICATION
from simulators.recipes import US_PER_H, Recipe
from simulators.tags import ASSAY, ASSAYS, TAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from simulators.campaign.interventions import Intervention
    from simulators.faults.catalogue import Catalogue
    from simulators.faults.injections import Injection
    from simulators.laboratory import Result

START = 1_767_225_600_000_000
"""Begin of all batches, us UTC; a whole day."""
US_PER_S = 1_000_000
LONGEST_STEP_US = 60_000_000
AT_ONSET = {"S03", "S07", "C01", "C02", "C03"}
"""Faults without a twin's time that show at once: by status, silence or scatter."""
IN_SAMPLES = {"P04", "H01"}
"""Faults that show in samples only."""
SILENT_BY_RIGHT = {"H02"}
"""No faults: an alarm is wrong."""
_STREAM = 77


@dataclass(slots=True)
class Truth:
    """What is true of the one fault of a batch; times us UTC."""

    fault: str
    kind: str
    """Its class: sensor, actuator, process, communication or human."""
    target: str | None
    signature: tuple[str, ...]
    magnitude: float
    onset: int
    end: int
    first_detectable: int | None = None


@dataclass(slots=True)
class Run:
    """Batches of one seed as columns; a row is an instant of all vessels."""

    seed: int
    names: tuple[str, ...]
    times: NDArray[np.int64]
    """us UTC, shape (rows,)."""
    values: NDArray[np.float64]
    """What the instruments show, shape (rows, vessels, tags of simulators.tags)."""
    silent: NDArray[np.bool_]
    """Whether a vessel says nothing, shape (rows, vessels)."""
    skew: NDArray[np.int64]
    """Error of the vessels' clocks, us, shape (rows, vessels)."""
    phases: list[list[tuple[int, str]]]
    """By vessel: row and phase that begins there."""
    truths: list[Truth | None]
    """By vessel; None: no fault."""
    statuses: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Row, vessel, tag and StatusCode of what is not Good."""


class _FreshVessels(Layout):
    """A plant whose vessels all begin a batch when it starts."""

    def age_h(self, index: int) -> float:
        del index
        return -self.recipe.before_culture_h


def simulated(
    seed: int,
    faults: Sequence[str | None],
    rows_s: int,
    *,
    hours: float | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Run:
    """Simulate one batch per entry of `faults`, from Prepare to the end of Harvest.

    A fault has the catalogue's default size, ramp and length, begins within the window
    that campaigns use, and grows to the other side with every other seed where it has
    two. Operators intervene as in campaigns.

    Args:
        seed: of everything that is random.
        faults: identifiers of the catalogue; None: a batch without a fault.
        rows_s: seconds between two rows.
        hours: of culture after which to stop, faults begin before; default: a batch.
        progress: told the share that is done.
    """
    return _Lockstep(seed, faults, rows_s, hours).run(progress)


class _Lockstep:
    def __init__(
        self,
        seed: int,
        faults: Sequence[str | None],
        rows_s: int,
        hours: float | None,
    ) -> None:
        self.names = tuple(f"BR{101 + place}" for place in range(len(faults)))
        self.known = catalogues.load()
        self.recipe = Recipe()
        recipe = self.recipe
        length = recipe.cycle_h - recipe.clean_h
        if hours is not None:
            length = min(length, recipe.before_culture_h + hours)
        last_onset_h = min(recipe.harvest_from_h - 1.0, 0.7 * (hours or 1e9))
        self.step = rows_s * US_PER_S
        count = round(length * US_PER_H) // self.step - 1
        layout = _FreshVessels(self.names, seed)
        planned = [
            _planned(self.known, fault, name, seed, place, last_onset_h)
            for place, (fault, name) in enumerate(zip(faults, self.names, strict=True))
            if fault is not None
        ]
        scenario = Scenario(about="catalogue", faults=tuple(planned))
        injections = Injections(self.known, self.names, scenario)
        self.layout = layout
        self.plant = Plant(layout, START, injections).without("")
        self.plant.injections.starts(START)
        self.all = {one.vessel: one for one in self.plant.injections.news()}
        self.clean: Plant | None = None
        self.told = [False] * len(faults)
        self.to_do = _by_hand(seed, faults, self.recipe)
        shape = (count, len(faults))
        self.found = Run(
            seed=seed,
            names=self.names,
            times=START + (np.arange(count, dtype=np.int64) + 1) * self.step,
            values=np.empty((*shape, len(TAGS))),
            silent=np.zeros(shape, np.bool_),
            skew=np.zeros(shape, np.int64),
            phases=[[] for _ in faults],
            truths=[self._truth(place) for place in range(len(faults))],
        )

    def _truth(self, place: int) -> Truth | None:
        one = self.all.get(place)
        if one is None or one.onset is None or one.end is None:
            return None
        kind = self.known.faults[one.fault]
        return Truth(
            fault=one.fault,
            kind=str(kind.kind),
            target=kind.target,
            signature=tuple(kind.signature),
            magnitude=one.magnitude,
            onset=one.onset,
            end=one.end,
        )

    def run(self, progress: Callable[[float], None]) -> Run:
        found = self.found
        for row, time in enumerate(found.times.tolist()):
            while self.plant.now < time:
                self._intervene()
                self._advance(min(self.plant.now + LONGEST_STEP_US, time))
            self._note(row)
            if row % 2000 == 0:
                progress(row / len(found.times))
        self._samples()
        return found

    def _advance(self, to: int) -> None:
        begins = any(one.onset is not None and one.onset <= to for one in self._open())
        if begins and self.clean is None:
            self.clean = _without_faults(self.layout, self.plant)
        self.plant.advance(to)
        if self.clean is not None:
            self.clean.advance(to)
            self._compare(self.clean, to)

    def _open(self) -> list[Injection]:
        return [one for one in self.all.values() if not one.over]

    def _compare(self, clean: Plant, now: int) -> None:
        for place, one in self.all.items():
            truth = self.found.truths[place]
            if truth is None or truth.first_detectable is not None:
                continue
            if now < truth.onset or now >= truth.end:
                continue
            if self.known.faults[one.fault].unseen is not None:
                if one.fault in AT_ONSET:
                    truth.first_detectable = now
                continue
            off = np.abs(self.plant.values[place] - clean.values[place])
            signs = self.known.sigmas(one.fault)
            if any(off[column] > SIGMAS * sigma for column, sigma in signs):
                truth.first_detectable = now

    def _samples(self) -> None:
        """Find the first sample that shows a fault which shows in samples only."""
        if self.clean is None:
            return
        until = 2 * self.plant.now
        mine = self.plant.laboratory.answers(until)
        others = {
            (one.vessel, one.number): one
            for one in self.clean.laboratory.answers(until)
        }
        for one in mine:
            truth = self.found.truths[one.vessel]
            other = others.get((one.vessel, one.number))
            if truth is None or truth.fault not in IN_SAMPLES or other is None:
                continue
            if truth.first_detectable is None and _shows(one, other, truth.signature):
                truth.first_detectable = one.known

    def _intervene(self) -> None:
        plants = [p for p in (self.plant, self.clean) if p is not None]
        while self.to_do and START + self.to_do[-1][0] <= self.plant.now:
            _, place, one = self.to_do.pop()
            for plant in plants:
                if one.command is not None:
                    plant.command(self.names[place], one.command)
                elif one.tag is not None and one.value is not None:
                    plant.operate(f"{self.names[place]}.{one.tag}", one.value)

    def _note(self, row: int) -> None:
        plant, found = self.plant, self.found
        found.values[row] = plant.values
        for place in range(len(self.names)):
            phase = str(plant.phase(place))
            begun = found.phases[place]
            if not begun or begun[-1][1] != phase:
                begun.append((row, phase))
        effects = plant.effects
        if effects is None:
            return
        found.skew[row] = effects.skew_us
        for place in range(len(self.names)):
            silent = bool(effects.silent[place])
            codes = effects.status[place]
            if silent:
                tell = bool(effects.announced[place]) and not self.told[place]
                codes = np.full(len(TAGS), BAD_NO_COMMUNICATION if tell else 0)
                found.silent[row, place] = not tell
            self.told[place] = silent
            for column in np.flatnonzero(codes).tolist():
                found.statuses.append((row, place, column, int(codes[column])))


def _planned(
    known: Catalogue,
    fault: str,
    vessel: str,
    seed: int,
    place: int,
    last_onset_h: float,
) -> Planned:
    """Return a fault of default size at a time of its window."""
    usual = mix.load("default", known)
    window = usual.windows.get(fault, usual.window)
    random = np.random.Generator(np.random.PCG64([seed, _STREAM, place]))
    until = min(window.until, timedelta(hours=last_onset_h))
    begins = window.since + (until - window.since) * float(random.random())
    size = known.faults[fault].magnitude
    side = -1.0 if size.signed and seed % 2 else 1.0
    return Planned(
        fault=fault,
        vessel=vessel,
        delay=timedelta(hours=Recipe().before_culture_h) + begins,
        magnitude=side * size.default,
    )


def _by_hand(
    seed: int, faults: Sequence[str | None], recipe: Recipe
) -> list[tuple[int, int, Intervention]]:
    """Return what operators do, last first."""
    share = mix.load("default", catalogues.load()).interventions
    rows = [
        (one.time, place, one)
        for place, fault in enumerate(faults)
        for one in interventions(
            share, recipe, seed=seed, number=place + 1, faulty=fault is not None
        )
    ]
    return sorted(rows, key=lambda row: row[:2], reverse=True)


def _without_faults(layout: Layout, plant: Plant) -> Plant:
    clean = Plant(layout, plant.now).without("")
    body = plant.to_json()
    body["faults"]["all"] = []
    clean.restore(body)
    return clean


def _shows(one: Result, other: Result, signature: Sequence[str]) -> bool:
    for name in signature:
        tag, at = ASSAYS[ASSAY[name]], ASSAY[name]
        sigma = tag.noise + tag.noise_share * abs(other.values[at])
        if abs(one.values[at] - other.values[at]) > SIGMAS * sigma:
            return True
    return False
