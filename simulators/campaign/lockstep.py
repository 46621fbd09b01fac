"""Vessels of one group simulated together, in chunks of rows. Pure.

The only place of this room that knows the simulated plant. Times count from the start
of the batches, us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simulators.campaign.plan import VESSELS, vessel_name
from simulators.faults.injections import Injections
from simulators.faults.twins import SIGMAS
from simulators.plant import Layout, Plant
from simulators.publication import BAD_NO_COMMUNICATION
from simulators.recipes import Batch, Phase
from simulators.tags import TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from simulators.campaign.interventions import Intervention
    from simulators.campaign.plan import Campaign
    from simulators.faults.catalogue import Catalogue
    from simulators.faults.injections import Injection
    from simulators.faults.scenario import Scenario
    from simulators.laboratory import Result
    from simulators.organisms import Organism

    Array = NDArray[np.float64]

ROWS = 2_880
"""Rows of a chunk: a day at 30 s."""
LONGEST_STEP = 60_000_000
"""us; longer ones would make the control loops coarse."""
START = 1_767_225_600_000_000
"""Time at which the plant's batches begin; moved to each batch's own afterwards."""
AROUND = (
    ("temperature", "Cel"),
    ("ph", "[pH]"),
    ("oxygen", "%"),
    ("carbon_dioxide", "mm[Hg]"),
    ("bacteria", "g/L"),
)
"""What is true of the broth besides the culture."""
_BAD = 0x80000000


def truth_columns(organism: Organism) -> tuple[tuple[str, str], ...]:
    """Return name and UCUM unit of each column of the truth; the culture first."""
    culture = ((q.name, q.unit) for q in organism.process.quantities)
    return (*culture, *AROUND)


class _FreshVessels(Layout):
    """A plant whose vessels all begin a batch when it starts."""

    def age_h(self, index: int) -> float:
        del index
        return -self.recipe.before_culture_h


@dataclass(slots=True)
class Chunk:
    """Some rows of all vessels of a group."""

    times: NDArray[np.int64]
    """us since the start of the batches, shape (k,)."""
    values: Array
    """What instruments showed, shape (k, vessels, tags); NaN where it is Bad."""
    phases: list[list[str]]
    """By row and vessel."""
    running: NDArray[np.bool_]
    """Whether the batch was in its vessel, shape (k, vessels)."""
    statuses: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Row, vessel, column and StatusCode of what was published and is not Good."""
    skew: dict[tuple[int, int], int] = field(default_factory=dict)
    """us by which a vessel's clock was wrong, by row and vessel."""
    truth_times: list[int] = field(default_factory=list)
    truth: list[Array] = field(default_factory=list)
    """At `truth_times`, each of shape (vessels, truth_columns)."""


class Lockstep:
    """One group of batches; `chunks` simulates it."""

    def __init__(
        self,
        campaign: Campaign,
        group: int,
        catalogue: Catalogue,
        scenario: Scenario,
        interventions: Sequence[Sequence[Intervention]],
    ) -> None:
        """Put fresh batches into the vessels.

        Args:
            campaign: to which they belong.
            group: which of its groups.
            catalogue: of the faults.
            scenario: faults of the group's vessels, delays from the batches' start.
            interventions: of operators, by vessel.
        """
        names = tuple(vessel_name(place) for place in range(VESSELS))
        self._campaign, organism = campaign, campaign.organism
        self._layout = _FreshVessels(
            names,
            seed=_group_seed(campaign.seed, group),
            recipe=campaign.recipe,
            process=organism.process,
            design=organism.design,
            tags=organism.tags,
        )
        injections = Injections(catalogue, names, scenario, campaign.process)
        planned = Plant(self._layout, START, injections)
        self._plant = planned.without("")  # its own twins are not needed, see below
        self._plant.injections.starts(START)
        self.faults: list[Injection] = self._plant.injections.news()
        """All faults; complete once `chunks` is through."""
        self.samples: list[Result] = []
        """What the laboratory said; complete once `chunks` is through."""
        self._clean: Plant | None = None
        self._told = [False] * VESSELS
        self._running = np.ones(VESSELS, bool)
        self._to_do = sorted(
            ((one.time, place, one) for place, all_ in enumerate(interventions)
             for one in all_),
            key=lambda row: row[:2], reverse=True,
        )  # fmt: skip

    def factors(self, place: int) -> dict[str, float]:
        """Return how this batch differs: factors on constants, and `inoculum`."""
        batch = Batch(number=place + 1, started=START)
        return batch.factors(self._layout.seed, self._layout.process.spread)

    @property
    def injections(self) -> Injections:
        """Return what describes the faults."""
        return self._plant.injections

    def chunks(self) -> Iterator[Chunk]:
        """Simulate until Harvest ends; yield all rows before that in order."""
        step = self._campaign.step
        rows = (self._campaign.length_us - 1) // step
        for first in range(0, rows, ROWS):
            count = min(ROWS, rows - first)
            times = (np.arange(first, first + count) + 1) * step
            values = np.empty((count, VESSELS, len(TAGS)))
            running = np.empty((count, VESSELS), bool)
            chunk = Chunk(times.astype(np.int64), values, [], running)
            for row in range(count):
                self._row(chunk, row)
            self._plant.injections.news()
            last = first + count == rows
            until = 2 * self._plant.now if last else self._plant.now
            self.samples += self._plant.laboratory.answers(until)
            yield chunk

    def _row(self, chunk: Chunk, row: int) -> None:
        elapsed = int(chunk.times[row])
        self._advance(START + elapsed)
        plant = self._plant
        chunk.values[row] = plant.values
        chunk.phases.append([str(plant.phase(v)) for v in range(VESSELS)])
        for place, phase in enumerate(chunk.phases[row]):
            self._running[place] &= phase != Phase.CLEAN
        chunk.running[row] = self._running
        if plant.effects is not None:
            self._note_statuses(chunk, row)
        if elapsed % self._campaign.truth_step == 0:
            chunk.truth_times.append(elapsed)
            chunk.truth.append(_truth(plant))

    def _advance(self, to: int) -> None:
        plant = self._plant
        while plant.now < to:
            self._intervene()
            until = min(plant.now + LONGEST_STEP, to)
            open_ones = [f for f in self.faults if self._undecided(f, until)]
            if not open_ones:
                self._clean = None
            elif self._clean is None:
                self._clean = _without_faults(self._layout, plant)
            plant.advance(until)
            if self._clean is not None:
                self._clean.advance(until)
                self._compare(self._clean, open_ones, until)

    def _intervene(self) -> None:
        """Do what operators do by now, also to the plant without faults."""
        plants = [p for p in (self._plant, self._clean) if p is not None]
        while self._to_do and START + self._to_do[-1][0] <= self._plant.now:
            _, place, one = self._to_do.pop()
            name = vessel_name(place)
            for plant in plants:
                if one.command is not None:
                    plant.command(name, one.command)
                elif one.tag is not None and one.value is not None:
                    plant.operate(f"{name}.{one.tag}", one.value)

    def _undecided(self, one: Injection, until: int) -> bool:
        """Whether a fault is at work by then whose first sign is still awaited."""
        kind = self._plant.injections.fault(one)
        if kind.unseen is not None or one.first_detectable is not None or one.over:
            return False
        return one.onset is not None and one.onset <= until

    def _compare(self, clean: Plant, ones: list[Injection], now: int) -> None:
        """Note which faults can be seen now: no vessel has more than one."""
        injections, organism = self._plant.injections, self._campaign.organism
        for one in ones:
            off = np.abs(self._plant.values[one.vessel] - clean.values[one.vessel])
            signs = organism.scatter(injections.catalogue, one.fault)
            if any(off[column] > SIGMAS * sigma for column, sigma in signs):
                injections.detectable(one.id, now)

    def _note_statuses(self, chunk: Chunk, row: int) -> None:
        effects = self._plant.effects
        if effects is None:
            return
        for vessel in range(VESSELS):
            silent = bool(effects.silent[vessel])
            codes = effects.status[vessel]
            if silent:
                tell = bool(effects.announced[vessel]) and not self._told[vessel]
                codes = np.full(len(TAGS), BAD_NO_COMMUNICATION if tell else 0)
                chunk.values[row, vessel] = np.nan
            self._told[vessel] = silent
            if effects.skew_us[vessel]:
                chunk.skew[row, vessel] = int(effects.skew_us[vessel])
            for column in np.flatnonzero(codes):
                code = int(codes[column])
                chunk.statuses.append((row, vessel, int(column), code))
                if code & _BAD:
                    chunk.values[row, vessel, column] = np.nan


def _without_faults(layout: Layout, plant: Plant) -> Plant:
    """Return the plant as it is, but free of faults from now on."""
    clean = Plant(layout, plant.now).without("")
    body = plant.to_json()
    body["faults"]["all"] = []
    clean.restore(body)
    return clean


def _truth(plant: Plant) -> Array:
    state = plant.state
    rows = [
        *state.culture,
        state.temperature,
        state.ph,
        state.oxygen_percent,
        state.carbon_dioxide_mmhg,
        state.bacteria,
    ]
    return np.stack(rows, axis=1)


def _group_seed(seed: int, group: int) -> int:
    """Return the seed of a group's plant, so that no two groups are alike."""
    return int(np.random.SeedSequence([seed, 21, group]).generate_state(1)[0] >> 1)
