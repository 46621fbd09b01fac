"""The simulated plant: vessels, recipes, loops and instruments in step. Pure.

`advance` goes to an instant and leaves what the instruments show there. The same seed,
start and instants give the same readings, bit for bit, also across a saved state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.bioprocess import cho
from shared.bioprocess.cho import Parameters
from simulators.faults.catalogue import Catalogue
from simulators.faults.injections import Injections
from simulators.faults.twins import Twins
from simulators.instruments import Instruments
from simulators.measured import measured
from simulators.processes import vessel
from simulators.processes.design import Design
from simulators.processes.loops import Loops
from simulators.processes.vessel import Actuators, State
from simulators.recipes import SPREAD, US_PER_H, Batch, Phase, Recipe, Setpoints
from simulators.tags import TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulators.faults.effects import Effects

    Vector = NDArray[np.float64]

FOAM_PER_H = 0.2
"""Foam alarms per hour at 20e9 cells/L and full gas flow."""
FOAM_US = 30_000_000
"""How long foam stays at the probe."""
STIRRED_FROM_L = 600.0
"""Volume that covers the impeller."""
FAST_US = 120_000_000
"""Step of `fast_forward`: the loops get coarse but stay stable."""
_GOLDEN = 0.6180339887498949


NO_FAULTS = Catalogue(faults={})


class StateUnusable(ValueError):  # noqa: N818
    """A saved state does not fit this plant; the message says what differs."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a plant is made of; equal layouts give equal plants."""

    vessels: tuple[str, ...]
    seed: int
    design: Design = field(default_factory=Design)
    recipe: Recipe = field(default_factory=Recipe)

    def age_h(self, index: int) -> float:
        """Return the culture hours of a vessel when the plant starts.

        The first three are chosen so that three days show every phase.
        """
        chosen = (52.0, 156.0, 303.0)
        if index < len(chosen):
            return chosen[index]
        return (index * _GOLDEN % 1.0) * self.recipe.harvest_from_h


class Plant:
    """Vessels with their loops, at one instant; see the module."""

    def __init__(
        self, layout: Layout, start: int, injections: Injections | None = None
    ) -> None:
        """Make a plant whose vessels reach their ages at `start`, us UTC.

        It stands before the first of their batches; see `begin`. `injections` are its
        faults; default: it never has any.
        """
        self.layout = layout
        self._count = len(layout.vessels)
        recipe = layout.recipe
        starts = [
            start - round((layout.age_h(i) + recipe.before_culture_h) * US_PER_H)
            for i in range(self._count)
        ]
        order = sorted(range(self._count), key=lambda i: (starts[i], i))
        self._next_number = self._count + 1
        self._batches = [
            Batch(number=order.index(i) + 1, started=starts[i])
            for i in range(self._count)
        ]
        self._phases = [Phase.CLEAN] * self._count
        self.now = min(starts)
        self._state = State.empty(self._count, layout.design)
        self._varied = {name: np.ones(self._count) for name in SPREAD}
        self._inoculum = np.ones(self._count)
        self._foam_until = np.zeros(self._count, np.int64)
        self._random = np.random.Generator(np.random.PCG64([layout.seed, 1]))
        self._instruments = Instruments(TAGS, self._count, layout.seed)
        self._loops = Loops(self._count, layout.design)
        self.values = np.zeros((self._count, len(TAGS)))
        """What the instruments show now: (vessels, tags of simulators.tags)."""
        self._parameters = self._kinetics()
        self.injections = injections or Injections(NO_FAULTS, layout.vessels)
        self.effects: Effects | None = None
        """Of the faults at work now; None: there are none."""
        self._withheld_l = np.zeros(self._count)
        """Nutrient feed that the pump counted and a clog held back, this batch."""
        self._twins = Twins()

    @property
    def state(self) -> State:
        """Return the truth behind the instruments."""
        return self._state

    def phase(self, index: int) -> Phase:
        """Return what a vessel is doing."""
        return self._phases[index]

    def context(self, index: int) -> tuple[str, str, str, str]:
        """Return BatchId, Phase, Product and Client of a vessel."""
        phase, batch = self._phases[index], self._batches[index]
        if phase is Phase.CLEAN:
            return "", str(phase), "", ""
        return batch.id, str(phase), batch.product, batch.client

    def fast_forward(self, to: int) -> None:
        """Go to `to` in steps of two minutes, us UTC."""
        while self.now < to:
            self.advance(min(self.now + FAST_US, to))

    def advance(self, to: int) -> None:
        """Go to `to`, us UTC, in one step.

        Raises:
            ValueError: `to` is not after `now`.
        """
        if to <= self.now:
            raise ValueError(f"advance to {to}: expected a time after {self.now}")
        seconds = (to - self.now) / 1e6
        if self.injections.idle:
            self.effects = None
        else:
            self._twins.begin(self, self.injections.beginning(to))
            self.effects = self.injections.effects(self.now, to)
        setpoints = [self._follow_recipe(i, to) for i in range(self._count)]
        told = self._loops.act(
            setpoints,
            self.values,
            stirred=self._state.volume > STIRRED_FROM_L,
            glucose_mlpm=self._bolus(seconds),
            seconds=seconds,
        )
        actuators = told if self.effects is None else self.effects.acting(told)
        if actuators is not told:
            held_back = told.feed_mlpm - actuators.feed_mlpm
            self._withheld_l += held_back * seconds / 60_000.0
        self._state = vessel.advance(
            self._state, actuators, self._parameters, self.layout.design, seconds
        )
        for index in range(self._count):
            self._transfer(index, to)
        self._foam(actuators, to, seconds)
        truth = measured(
            self._state,
            setpoints,
            told,
            actuators,
            outputs=self._loops.outputs,
            withheld_l=self._withheld_l,
            foam=self.now < self._foam_until,
            design=self.layout.design,
        )
        self.values = self._shown(truth, seconds)
        self.now = to
        self._twins.follow(self, to)

    def _shown(self, truth: Vector, seconds: float) -> Vector:
        effects = self.effects
        if effects is None:
            return self._instruments.read(truth, seconds)
        false = truth * effects.gain + effects.offset
        shown = self._instruments.read(false, seconds, effects.lag)
        return np.where(effects.held, self.values, shown)

    def without(self, identifier: str) -> Plant:
        """Return this plant as it is, but without one of its faults."""
        injections = Injections(self.injections.catalogue, self.layout.vessels)
        twin = Plant(self.layout, self.now, injections)
        body = self.to_json()
        body["twins"] = {}
        faults = body["faults"]
        faults["all"] = [one for one in faults["all"] if one["id"] != identifier]
        twin.restore(body)
        twin._twins = Twins(most=0)
        return twin

    def _hours(self, index: int, at: int) -> float:
        return (at - self._batches[index].started) / US_PER_H

    def _follow_recipe(self, index: int, to: int) -> Setpoints:
        recipe = self.layout.recipe
        hours = self._hours(index, to)
        if hours >= recipe.cycle_h:
            started = self._batches[index].started + round(recipe.cycle_h * US_PER_H)
            self._batches[index] = Batch(number=self._next_number, started=started)
            self._next_number += 1
            hours = self._hours(index, to)
        if hours < 0.0:
            return recipe.setpoints(recipe.cycle_h)
        phase = recipe.phase(hours)
        if phase is not self._phases[index]:
            self._phases[index] = phase
            self._enter(index, phase)
        self._daily_assay(index, hours - recipe.before_culture_h)
        return recipe.setpoints(hours)

    def _enter(self, index: int, phase: Phase) -> None:
        state, recipe = self._state, self.layout.recipe
        if phase is Phase.PREPARE:
            factors = self._batches[index].factors(self.layout.seed)
            self._inoculum[index] = factors.pop("inoculum")
            for name, factor in factors.items():
                self._varied[name][index] = factor
            self._parameters = self._kinetics()
            for total in (state.feed_l, state.base_l, state.glucose_l):
                total[index] = 0.0
            self._withheld_l[index] = 0.0
            self.injections.new_batch(index)
        elif phase is Phase.GROWTH:
            viable = recipe.viable * float(self._inoculum[index])
            state.culture[:, [index]] = cho.inoculated(viable, recipe.start_l)
        elif phase is Phase.CLEAN:
            state.culture[:, [index]] = cho.inoculated(0.0, recipe.rest_l)
            state.carbon[index] = self.layout.design.medium_carbon
            state.alkalinity[index] = self.layout.design.medium_alkalinity
            state.antifoam[index] = 0.0

    def _kinetics(self) -> Parameters:
        plain = Parameters()
        return Parameters(
            **{name: getattr(plain, name) * f for name, f in self._varied.items()}
        )

    def _daily_assay(self, index: int, culture_h: float) -> None:
        """Give glucose when the daily assay finds too little."""
        recipe, batch = self.layout.recipe, self._batches[index]
        due = int((culture_h - recipe.feed_from_h) // 24.0) + 1
        if culture_h >= recipe.harvest_from_h or due <= batch.marks:
            return
        batch.marks = due
        culture = self._state.culture[:, [index]]
        if culture[cho.State.GLUCOSE, 0] < recipe.bolus_below:
            stock = self.layout.design.glucose_stock
            batch.bolus_l = float(cho.bolus_litres(culture, recipe.bolus_to, stock)[0])

    def _bolus(self, seconds: float) -> Vector:
        flow = np.zeros(self._count)
        for index, batch in enumerate(self._batches):
            if batch.bolus_l > 0.0:
                litres = min(
                    batch.bolus_l, self.layout.design.bolus_mlpm * seconds / 60_000.0
                )
                batch.bolus_l -= litres
                flow[index] = litres * 60_000.0 / seconds
        return flow

    def _transfer(self, index: int, to: int) -> None:
        """Move what comes or goes by transfer lines: medium, inoculum, harvest."""
        recipe, culture = self.layout.recipe, self._state.culture
        hours = self._hours(index, to)
        volume = float(culture[cho.State.VOLUME, index])
        if self._phases[index] is Phase.PREPARE and hours < recipe.fill_h:
            done = hours / recipe.fill_h
            filled = recipe.rest_l + done * (recipe.medium_l - recipe.rest_l)
            self._mix_in_ambient(index, max(filled - volume, 0.0))
        elif self._phases[index] is Phase.PREPARE:
            self._mix_in_ambient(index, max(recipe.medium_l - volume, 0.0))
        elif self._phases[index] is Phase.INOCULATE:
            done = (hours - recipe.prepare_h) / recipe.inoculate_h
            filled = recipe.medium_l + done * (recipe.start_l - recipe.medium_l)
            viable = recipe.viable * self._inoculum[index] * recipe.start_l * done
            culture[:, [index]] = cho.inoculated(viable / filled, filled)
        elif self._phases[index] is Phase.HARVEST:
            self._drain(index, hours, hours - (to - self.now) / US_PER_H)

    def _drain(self, index: int, hours: float, before: float) -> None:
        """Empty the vessel evenly over the last three quarters of Harvest."""
        recipe, culture = self.layout.recipe, self._state.culture
        end = recipe.cycle_h - recipe.clean_h
        if hours > end - 0.75 * recipe.harvest_h:
            above = culture[cho.State.VOLUME, index] - recipe.rest_l
            left = above * (end - hours) / (end - before)
            culture[cho.State.VOLUME, index] = recipe.rest_l + max(left, 0.0)

    def _mix_in_ambient(self, index: int, litres: float) -> None:
        state = self._state
        volume = float(state.volume[index]) + litres
        share = litres / volume
        ambient = self.layout.design.ambient_degc
        state.temperature[index] += share * (ambient - state.temperature[index])
        state.culture[:, [index]] = cho.inoculated(0.0, volume)

    def _foam(self, by: Actuators, to: int, seconds: float) -> None:
        """Let foam rise by chance; each time a shot of antifoam follows."""
        design = self.layout.design
        gas = (by.air_lpm + by.oxygen_lpm) / (
            design.air_high_lpm + design.oxygen_high_lpm
        )
        per_h = FOAM_PER_H * gas * self._state.viable / 20.0
        chance = 1.0 - np.exp(-per_h * seconds / 3600.0)
        rises = self._random.random(self._count) < chance
        self._foam_until[rises] = to + FOAM_US
        self._state.antifoam[rises] = 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the exact state, to be restored into a plant of the same layout."""
        return {
            "vessels": list(self.layout.vessels),
            "seed": self.layout.seed,
            "now": self.now,
            "batches": [batch.to_json() for batch in self._batches],
            "next_number": self._next_number,
            "phases": [str(phase) for phase in self._phases],
            "state": self._state.to_json(),
            "varied": {name: f.tolist() for name, f in self._varied.items()},
            "inoculum": self._inoculum.tolist(),
            "foam_until": self._foam_until.tolist(),
            "random": self._random.bit_generator.state,
            "instruments": self._instruments.to_json(),
            "loops": self._loops.to_json(),
            "values": self.values.tolist(),
            "withheld_l": self._withheld_l.tolist(),
            "faults": self.injections.to_json(),
            "twins": self._twins.to_json(),
        }

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw.

        Raises:
            StateUnusable: it was saved with other vessels or another seed.
        """
        layout = self.layout
        for name, wanted in (("vessels", list(layout.vessels)), ("seed", layout.seed)):
            if body.get(name) != wanted:
                raise StateUnusable(
                    f"{name} of the saved plant: expected {wanted}, "
                    f"found {body.get(name)}"
                )
        self.now = int(body["now"])
        self._batches = [Batch.from_json(batch) for batch in body["batches"]]
        self._next_number = int(body["next_number"])
        self._phases = [Phase(phase) for phase in body["phases"]]
        self._state = State.from_json(body["state"])
        self._varied = {n: np.array(f, float) for n, f in body["varied"].items()}
        self._inoculum = np.array(body["inoculum"], float)
        self._foam_until = np.array(body["foam_until"], np.int64)
        self._random.bit_generator.state = body["random"]
        self._instruments.restore(body["instruments"])
        self._loops.restore(body["loops"])
        self.values = np.array(body["values"], float)
        self._parameters = self._kinetics()
        if "faults" in body:
            self._withheld_l = np.array(body["withheld_l"], float)
            self.injections.restore(body["faults"])
            self._twins.restore(self, body["twins"])
            if not self.injections.idle:
                self.effects = self.injections.effects(self.now, self.now)


def begin(layout: Layout, start: int, injections: Injections | None = None) -> Plant:
    """Return the plant as it is at `start`, us UTC: each vessel amid its batch.

    The scenario's delays from the plant's start count from then.
    """
    plant = Plant(layout, start, injections)
    plant.fast_forward(start)
    plant.injections.starts(start)
    return plant
