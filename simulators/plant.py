"""The simulated plant: vessels, recipes, loops and instruments in step. Pure.

`advance` goes to an instant and leaves what the instruments show there. The same seed,
start and instants give the same readings, bit for bit, also across a saved state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.bioprocess.cho_process import ChoProcess
from simulators.faults.acts import Act
from simulators.faults.catalogue import Catalogue
from simulators.faults.injections import Injections
from simulators.faults.twins import Twins
from simulators.foam import Foam
from simulators.instruments import Instruments
from simulators.measured import measured, with_raw_signals
from simulators.operations import Operations
from simulators.operators import Operators, WriteRefused
from simulators.processes import contamination
from simulators.processes.design import ANTIFOAM, FEED, GLUCOSE, Design
from simulators.processes.loops import Loops
from simulators.processes.state import State
from simulators.processes.vessel import Reactor
from simulators.recipes import ALONE, US_PER_H, Numbering, Phase, Recipe
from simulators.setpoints import FEED as FEED_SETPOINT
from simulators.tags import COLUMN, TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.bioprocess.process import Process
    from simulators.faults.effects import Effects
    from simulators.faults.injections import Injection
    from simulators.laboratory import Laboratory
    from simulators.operations import Words
    from simulators.procedural import Command
    from simulators.procedural import State as Procedure
    from simulators.processes.state import Actuators, Crossing
    from simulators.tags import Tag

    Vector = NDArray[np.float64]

STIRRED_FROM_SHARE = 0.4
"""Share of the start volume that covers the impeller."""
FAST_US = 120_000_000
"""Step of `fast_forward`: the loops get coarse but stay stable."""
COARSE_US = 600_000_000
"""Step of `begin`, up to SETTLED_US before the start."""
SETTLED_US = 24 * US_PER_H
_GOLDEN = 0.6180339887498949
_OXYGEN, _FOAM = COLUMN["AIC-102.PV"], COLUMN["LSH-101.PV"]


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
    process: Process = field(default_factory=ChoProcess)
    tags: tuple[Tag, ...] = TAGS
    """The columns of simulators.tags, with the spans of this plant's instruments."""
    numbering: Numbering = ALONE
    """Of its batches; plants that share a site differ in it."""

    def age_h(self, index: int) -> float:
        """Return the culture hours of a vessel when the plant starts.

        The first three are chosen so that three days show every phase.
        """
        chosen = (52.0, 156.0, 303.0)
        place = self.numbering.at(index) - 1
        if place < len(chosen):
            return chosen[place] % self.recipe.harvest_from_h
        return (place * _GOLDEN % 1.0) * self.recipe.harvest_from_h


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
        count = len(layout.vessels)
        recipe, design, process = layout.recipe, layout.design, layout.process
        starts = [
            start - round((layout.age_h(i) + recipe.before_culture_h) * US_PER_H)
            for i in range(count)
        ]
        self.now = min(starts)
        self._operations = Operations(
            process,
            design,
            recipe,
            seed=layout.seed,
            starts=starts,
            numbering=layout.numbering,
        )
        self._reactor = Reactor(process, design)
        self._state = State.empty(count, process, design, recipe.rest_l)
        self._foam = Foam(count, design, layout.seed)
        self._instruments = Instruments(layout.tags, count, layout.seed)
        self._loops = Loops(count, design)
        self.values = np.zeros((count, len(TAGS)))
        """What the instruments show now: (vessels, tags of simulators.tags)."""
        self.injections = injections or Injections(NO_FAULTS, layout.vessels)
        self.effects: Effects | None = None
        """Of the faults at work now; None: there are none."""
        self.crossing: Crossing | None = None
        """What crossed the walls of the vessels in the last step; for balances."""
        self.operators = Operators(self._operations.setpoints, self._loops.outputs)
        """Where operators' setpoints, modes and outputs come in."""
        self._twins = Twins()

    @property
    def state(self) -> State:
        """Return the truth behind the instruments."""
        return self._state

    @property
    def laboratory(self) -> Laboratory:
        """Return where daily samples are assayed."""
        return self._operations.laboratory

    def phase(self, index: int) -> Phase:
        """Return what a vessel is doing."""
        return self._operations.phases[index]

    def context(self, index: int) -> Words:
        """Return BatchId, Phase, Product, Client and State of a vessel."""
        return self._operations.context(index)

    def batch(self, index: int) -> str:
        """Return the name of a vessel's batch; while it is Idle of the last one."""
        return self._operations.batches[index].id

    def procedure(self, index: int) -> Procedure:
        """Return the state of a vessel's procedure."""
        return self._operations.states[index]

    def command(self, vessel: str, command: Command, name: str = "") -> None:
        """Start, hold, restart or abort the batch of a vessel, now.

        Raises:
            CommandRefused: the state of its procedure does not allow it.
            NameRefused: the batch that is to start cannot have this name.
        """
        index = self.layout.vessels.index(vessel)
        self._operations.command(index, command, self.now, name)
        self._twins.command(vessel, command, name)

    def culture_hours(self) -> Vector:
        """Return the hours since inoculation now, negative before, shape (n,)."""
        return self._operations.culture_hours(self.now)

    def fast_forward(self, to: int, step: int = FAST_US) -> None:
        """Go to `to` in steps of two minutes, us UTC."""
        while self.now < to:
            self.advance(min(self.now + step, to))

    def advance(self, to: int) -> None:
        """Go to `to`, us UTC, in one step.

        Raises:
            ValueError: `to` is not after `now`.
        """
        if to <= self.now:
            raise ValueError(f"advance to {to}: expected a time after {self.now}")
        seconds = (to - self.now) / 1e6
        self._begin_faults(to)
        operations, effects = self._operations, self.effects
        operations.follow(
            self._state,
            to,
            self.injections.new_batch,
            None if effects is None else effects.assays,
        )
        told, wanted = self._told(to, seconds)
        acting = told if effects is None else effects.acting(told)
        factors = operations.factors
        self._state, self.crossing = self._reactor.advance(
            self._state,
            acting,
            factors if effects is None else effects.on_kinetics(factors),
            operations.culture_hours(self.now),
            seconds,
        )
        self._state.counted_l += told.liquids_mlpm * (seconds / 60_000.0)
        operations.transfer(self._state, self.now, to)
        self._foam.rise(acting, self._state.viable, to, seconds)
        truth = measured(
            self._state,
            operations.setpoints,
            wanted,
            told,
            acting,
            bias_lpm=0.0 if effects is None else effects.bias_lpm,
            outputs=self._loops.outputs,
            foam=self._foam.at_probe(self.now),
            process=self.layout.process,
            design=self.layout.design,
        )
        self.values = self._shown(truth, seconds, to)
        self.now = to
        self._twins.follow(self, to)

    def _told(self, to: int, seconds: float) -> tuple[Actuators, Vector]:
        """Return what the machines are told in this step, and the setpoints."""
        operations = self._operations
        shift = operations.shifted(self.effects, to)
        wanted = operations.setpoints.now(shift)
        wanted[FEED_SETPOINT] = operations.feed_mlpm(
            wanted, self.values[:, _OXYGEN], to
        )
        covered = STIRRED_FROM_SHARE * self.layout.recipe.start_l
        told = self._loops.act(
            operations.setpoints,
            wanted,
            self.values,
            self._state.volume > covered,
            seconds,
        )
        pumps = told.liquids_mlpm
        pumps[FEED] = wanted[FEED_SETPOINT]
        pumps[GLUCOSE] = operations.bolus_mlpm(seconds)
        pumps[ANTIFOAM] = self._foam.dose_mlpm(self.values[:, _FOAM] > 0.5, to, seconds)
        return told, wanted

    def _begin_faults(self, to: int) -> None:
        if self.injections.idle:
            self.effects = None
            return
        beginning = self.injections.beginning(to)
        self._twins.begin(self, beginning)
        self._strike(beginning)
        self.effects = self.injections.effects(self.now, to)

    def _strike(self, beginning: list[Injection]) -> None:
        """Do what faults do at once to what is in the vessels."""
        state = self._state
        for vessel, effect, size in self.injections.struck(beginning):
            if effect.act is Act.DOSE:
                self._operations.dose(state, vessel, size)
            elif effect.act is Act.CONTAMINATE:
                state.bacteria[vessel] += contamination.SEED_G_PER_L
                state.bacteria_per_h[vessel] = size
            elif effect.act is Act.CELLS:
                dead = size * state.culture[0, vessel]
                state.culture[0, vessel] -= dead
                state.culture[1, vessel] += dead

    def _shown(self, truth: Vector, seconds: float, to: int) -> Vector:
        effects = self.effects
        if effects is None:
            return self._instruments.read(with_raw_signals(truth), seconds, to)
        false = with_raw_signals(truth * effects.gain + effects.offset)
        shown = self._instruments.read(
            false + effects.correction,
            seconds,
            to,
            slower=effects.lag,
            noisier=effects.noise,
        )
        shown = np.where(np.isnan(effects.reads), shown, effects.reads)
        return np.where(effects.held, self.values, shown * effects.scale)

    def without(self, identifier: str) -> Plant:
        """Return this plant as it is, but without one of its faults."""
        injections = Injections(
            self.injections.catalogue,
            self.layout.vessels,
            process=self.layout.process.name,
        )
        twin = Plant(self.layout, self.now, injections)
        body = self.to_json()
        body["twins"] = {}
        faults = body["faults"]
        faults["all"] = [one for one in faults["all"] if one["id"] != identifier]
        twin.restore(body)
        twin._twins = Twins(most=0)
        return twin

    def operate(self, node: str, value: float) -> None:
        """Write a setpoint, mode or output, such as BR101.TIC-101.SP.

        Raises:
            WriteRefused: it cannot be written, or not with this value.
        """
        vessel, _, tag = node.partition(".")
        if vessel not in self.layout.vessels:
            known = ", ".join(self.layout.vessels[:20])
            raise WriteRefused(f"vessel {vessel}: expected one of {known}")
        self.operators.write(self.layout.vessels.index(vessel), tag, value)

    def operate_as(self, other: Plant) -> None:
        """Take over what operators wrote in another plant of the same layout."""
        mine, theirs = self._operations.setpoints, other._operations.setpoints
        mine.written = theirs.written.copy()
        mine.manual, mine.held = theirs.manual.copy(), theirs.held.copy()

    def to_json(self) -> dict[str, Any]:
        """Return the exact state, to be restored into a plant of the same layout."""
        return {
            "vessels": list(self.layout.vessels),
            "seed": self.layout.seed,
            "process": self.layout.process.name,
            "now": self.now,
            "operations": self._operations.to_json(),
            "state": self._state.to_json(),
            "foam": self._foam.to_json(),
            "instruments": self._instruments.to_json(),
            "loops": self._loops.to_json(),
            "values": self.values.tolist(),
            "faults": self.injections.to_json(),
            "twins": self._twins.to_json(),
        }

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw.

        Raises:
            StateUnusable: it was saved with other vessels or another seed.
        """
        layout = self.layout
        saved = {"process": "cho", **body}
        for name, wanted in (
            ("vessels", list(layout.vessels)),
            ("seed", layout.seed),
            ("process", layout.process.name),
        ):
            if saved.get(name) != wanted:
                raise StateUnusable(
                    f"{name} of the saved plant: expected {wanted}, "
                    f"found {saved.get(name)}"
                )
        self.now = int(body["now"])
        self._operations.restore(body["operations"])
        self._state = State.from_json(body["state"])
        self._foam.restore(body["foam"])
        self._instruments.restore(body["instruments"])
        self._loops.restore(body["loops"])
        self.operators = Operators(self._operations.setpoints, self._loops.outputs)
        self.values = np.array(body["values"], float)
        if "faults" in body:
            self.injections.restore(body["faults"])
            self._twins.restore(self, body["twins"])
            if not self.injections.idle:
                self.effects = self.injections.effects(self.now, self.now)


def begin(layout: Layout, start: int, injections: Injections | None = None) -> Plant:
    """Return the plant as it is at `start`, us UTC: each vessel amid its batch.

    All but the last day is gone through in coarse steps. The scenario's delays from the
    plant's start count from then.
    """
    plant = Plant(layout, start, injections)
    plant.fast_forward(start - SETTLED_US, COARSE_US)
    plant.fast_forward(start)
    plant.injections.starts(start)
    return plant
