"""Whole simulated batches in lockstep, each with one fault or none, as columns. Pure.

All vessels of a run begin a batch at the same time. They come in families: one batch
without a fault, and the very same batch, with the same chances and the same noise, once
for each of some faults. What differs within a family is the fault, and the first
instant at which it differs by three sigmas is when it could first be seen.
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
from tests.evaluation.same_chances import share_chances

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from simulators.campaign.interventions import Intervention
    from simulators.faults.catalogue import Catalogue
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
    clean: list[int]
    """By vessel: where the same batch is without a fault; of such a batch, itself."""
    statuses: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Row, vessel, tag and StatusCode of what is not Good."""
    samples: list[Result] = field(default_factory=list)
    """What the laboratory found, in order of what is known first."""

    def family(self, clean: int) -> list[int]:
        """Return the vessels with the batch of `clean` and a fault."""
        return [n for n, of in enumerate(self.clean) if of == clean and n != clean]


class _FreshVessels(Layout):
    """A plant whose vessels all begin a batch when it starts."""

    def age_h(self, index: int) -> float:
        del index
        return -self.recipe.before_culture_h


def simulated(
    seed: int,
    families: Sequence[Sequence[str]],
    rows_s: int,
    *,
    hours: float | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Run:
    """Simulate batches from Prepare to the end of Harvest.

    A fault has the catalogue's default size, ramp and length, begins within the window
    that campaigns use, and grows to the other side with every other seed where it has
    two. Operators intervene as in campaigns.

    Args:
        seed: of everything that is random.
        families: each one batch without a fault, and then the same batch with each of
            these faults of the catalogue.
        rows_s: seconds between two rows.
        hours: of culture after which to stop, faults begin before; default: a batch.
        progress: told the share that is done.
    """
    return _Lockstep(seed, families, rows_s, hours).run(progress)


class _Lockstep:
    def __init__(
        self,
        seed: int,
        families: Sequence[Sequence[str]],
        rows_s: int,
        hours: float | None,
    ) -> None:
        faults = [one for family in families for one in (None, *family)]
        kin = [n for n, family in enumerate(families) for _ in (None, *family)]
        self.names = tuple(f"BR{101 + place}" for place in range(len(faults)))
        self.known = catalogues.load()
        self.recipe = recipe = Recipe()
        length = recipe.cycle_h - recipe.clean_h
        if hours is not None:
            length = min(length, recipe.before_culture_h + hours)
        last_onset_h = min(recipe.harvest_from_h - 1.0, 0.7 * (hours or 1e9))
        self.step = rows_s * US_PER_S
        count = round(length * US_PER_H) // self.step - 1
        planned = [
            _planned(self.known, fault, self.names[place], seed, place, last_onset_h)
            for place, fault in enumerate(faults)
            if fault is not None
        ]
        scenario = Scenario(about="catalogue", faults=tuple(planned))
        injections = Injections(self.known, self.names, scenario)
        layout = _FreshVessels(self.names, seed)
        self.plant = Plant(layout, START, injections).without("")
        share_chances(self.plant, kin)
        self.plant.injections.starts(START)
        self.all = {one.vessel: one for one in self.plant.injections.news()}
        self.told = [False] * len(faults)
        self.to_do = _by_hand(seed, families, kin, recipe)
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
            clean=[kin.index(number) for number in kin],
        )
        self._unseen = {
            place: one
            for place, one in self.all.items()
            if self.known.faults[one.fault].unseen is None or one.fault in AT_ONSET
        }

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
                self.plant.advance(min(self.plant.now + LONGEST_STEP_US, time))
                self._compare(self.plant.now)
            self._note(row)
            if row % 2000 == 0:
                progress(row / len(found.times))
        found.samples = self.plant.laboratory.answers(2 * self.plant.now)
        self._samples()
        return found

    def _compare(self, now: int) -> None:
        """Note what can be seen now for the first time."""
        values = self.plant.values
        for place, one in list(self._unseen.items()):
            truth = self.found.truths[place]
            if truth is None or now < truth.onset:
                continue
            if now >= truth.end:
                del self._unseen[place]
                continue
            off = np.abs(values[place] - values[self.found.clean[place]])
            if one.fault in AT_ONSET or any(
                off[column] > SIGMAS * sigma
                for column, sigma in self.known.sigmas(one.fault)
            ):
                truth.first_detectable = now
                del self._unseen[place]

    def _samples(self) -> None:
        """Find the first sample that shows a fault which shows in samples only."""
        by_number = {(one.vessel, one.number): one for one in self.found.samples}
        for one in self.found.samples:
            truth = self.found.truths[one.vessel]
            if truth is None or truth.fault not in IN_SAMPLES:
                continue
            other = by_number[self.found.clean[one.vessel], one.number]
            if truth.first_detectable is None and _shows(one, other, truth.signature):
                truth.first_detectable = one.known

    def _intervene(self) -> None:
        while self.to_do and START + self.to_do[-1][0] <= self.plant.now:
            _, place, one = self.to_do.pop()
            if one.command is not None:
                self.plant.command(self.names[place], one.command)
            elif one.tag is not None and one.value is not None:
                self.plant.operate(f"{self.names[place]}.{one.tag}", one.value)

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
        for place in np.flatnonzero(effects.status.any(axis=1)).tolist():
            if not effects.silent[place]:
                self._coded(row, place, effects.status[place])
        for place in np.flatnonzero(effects.silent).tolist():
            tell = bool(effects.announced[place]) and not self.told[place]
            found.silent[row, place] = not tell
            if tell:
                codes = np.full(len(TAGS), BAD_NO_COMMUNICATION, np.uint32)
                self._coded(row, place, codes)
        self.told = effects.silent.tolist()

    def _coded(self, row: int, place: int, codes: NDArray[np.uint32]) -> None:
        for column in np.flatnonzero(codes).tolist():
            self.found.statuses.append((row, place, column, int(codes[column])))


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
    seed: int, families: Sequence[Sequence[str]], kin: Sequence[int], recipe: Recipe
) -> list[tuple[int, int, Intervention]]:
    """Return what operators do, last first: the same in all vessels of a family."""
    share = mix.load("default", catalogues.load()).interventions
    rows = [
        (one.time, place, one)
        for place, of in enumerate(kin)
        for one in interventions(
            share, recipe, seed=seed, number=of + 1, faulty=bool(families[of])
        )
    ]
    return sorted(rows, key=lambda row: row[:2], reverse=True)


def _shows(one: Result, other: Result, signature: Sequence[str]) -> bool:
    for name in signature:
        tag, at = ASSAYS[ASSAY[name]], ASSAY[name]
        sigma = tag.noise + tag.noise_share * abs(other.values[at])
        if abs(one.values[at] - other.values[at]) > SIGMAS * sigma:
            return True
    return False
