"""Batches, phases and manual work in the vessels: what a recipe and a crew do. Pure.

Vessels are looked at one by one only when something happens to them: a phase begins, a
sample is due, medium or harvest is in the transfer line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.feeding import flow_mlpm
from simulators.laboratory import Laboratory
from simulators.procedural import COMMANDS, Command, CommandRefused, follows
from simulators.procedural import State as Procedure
from simulators.recipes import (
    ALONE,
    US_PER_H,
    Batch,
    Numbering,
    Phase,
    check_name,
    degc_late,
    next_turn,
)
from simulators.setpoints import FEED, OXYGEN, TEMPERATURE, Setpoints
from simulators.transfers import Transfers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.bioprocess.process import Process
    from simulators.faults.effects import Effects
    from simulators.processes.design import Design
    from simulators.processes.state import State
    from simulators.recipes import Recipe

    Vector = NDArray[np.float64]

Words = tuple[str, str, str, str, str]
"""BatchId, Phase, Product, Client and State of a vessel."""
_NEVER = 2**62
"""us UTC at which nothing is due."""
_MOVING = {Phase.PREPARE, Phase.INOCULATE, Phase.HARVEST}
"""Phases in which a transfer line is open."""


class Operations:
    """What happens to the vessels by recipe; keeps batches, phases and setpoints."""

    def __init__(
        self,
        process: Process,
        design: Design,
        recipe: Recipe,
        *,
        seed: int,
        starts: Sequence[int],
        numbering: Numbering = ALONE,
    ) -> None:
        """Plan one batch per vessel.

        Args:
            process: in the vessels.
            design: of the vessels.
            recipe: of all batches.
            seed: of the plant.
            starts: of the first batch of each vessel, us UTC.
            numbering: of the batches.
        """
        self._process, self._design, self._recipe = process, design, recipe
        self._seed, self._turns = seed, recipe.turns()
        self._lines = Transfers(process, design, recipe)
        count = len(starts)
        order = sorted(range(count), key=lambda i: (starts[i], i))
        number = {vessel: numbering.at(n) for n, vessel in enumerate(order)}
        self._numbers_apart = numbering.every
        self._next_number = numbering.at(count)
        kind = process.name.upper()
        self.batches = [Batch(number[i], starts[i], kind) for i in range(count)]
        self.phases = [Phase.CLEAN] * count
        self.states = [Procedure.IDLE] * count
        """Of the batches' procedures."""
        self._words: list[tuple[tuple[int, Phase, Procedure], Words] | None]
        self._words = [None] * count
        self.setpoints = Setpoints.idle(count, recipe.setpoints(recipe.cycle_h))
        self.factors = {name: np.ones(count) for name in process.spread}
        """On the kinetic constants, by name; of the batches in the vessels."""
        self.laboratory = Laboratory(seed)
        self.bolus_l = np.zeros(count)
        """Glucose stock still to be pumped."""
        self._inoculum = np.ones(count)
        self._started = np.array(starts, np.int64)
        self._next = np.array(starts, np.int64)
        """When a vessel has to be looked at again."""
        self._open = np.zeros(count, bool)
        """Vessels with an open transfer line."""
        names = [quantity.name for quantity in process.quantities]
        self._glucose = names.index("glucose") if "glucose" in names else None

    def culture_hours(self, at: int) -> Vector:
        """Return the hours since inoculation, negative before, shape (n,)."""
        hours: Vector = (at - self._started) / US_PER_H - self._recipe.before_culture_h
        return hours

    def context(self, index: int) -> Words:
        """Return BatchId, Phase, Product, Client and State of a vessel.

        The same tuple as before while nothing has changed.
        """
        phase, state = self.phases[index], self.states[index]
        batch = self.batches[index]
        now = (batch.number, phase, state)
        known = self._words[index]
        if known is not None and known[0] == now:
            return known[1]
        words: Words = ("", str(phase), "", "", str(state))
        if phase is not Phase.CLEAN:
            words = (batch.id, str(phase), batch.product, batch.client, str(state))
        self._words[index] = (now, words)
        return words

    def follow(
        self, state: State, to: int, fresh: Callable[[int], None], assays: Vector | None
    ) -> None:
        """Do what is due by `to`: new batches, phases, samples, boluses.

        Args:
            state: of the vessels; changed.
            to: us UTC.
            fresh: told of a vessel that gets calibrated instruments for a new batch.
            assays: factors on what the laboratory says, (vessels, assays).
        """
        for index in np.flatnonzero(self._next <= to).tolist():
            mistaken = None if assays is None else assays[index].tolist()
            self._turn(state, index, to, fresh, mistaken)

    def _turn(
        self,
        state: State,
        index: int,
        to: int,
        fresh: Callable[[int], None],
        mistaken: list[float] | None,
    ) -> None:
        recipe = self._recipe
        hours = (to - self.batches[index].started) / US_PER_H
        if hours >= recipe.cycle_h:
            started = self.batches[index].started + round(recipe.cycle_h * US_PER_H)
            self._next_batch(index, started)
            hours = (to - started) / US_PER_H
        phase = recipe.phase(hours)
        if phase is not self.phases[index]:
            self._goes_on(index, phase)
            self.phases[index] = phase
            self._open[index] = phase in _MOVING
            self._enter(state, index, phase, fresh)
        if hours >= recipe.closed_h:
            self._closes(index)
        self._sample(state, index, to, hours - recipe.before_culture_h, mistaken)
        self.setpoints.follow(index, recipe.setpoints(hours))
        following = next_turn(self._turns, hours) * US_PER_H
        self._next[index] = self.batches[index].started + int(np.ceil(following))

    def _next_batch(self, index: int, started: int, name: str = "") -> None:
        kind, number = self.batches[index].kind, self._next_number
        self.batches[index] = Batch(number, started, kind, name=name)
        self._next_number += self._numbers_apart
        self._started[index] = started

    def _enter(
        self, state: State, index: int, phase: Phase, fresh: Callable[[int], None]
    ) -> None:
        recipe = self._recipe
        if phase is Phase.PREPARE:
            factors = self.batches[index].factors(self._seed, self._process.spread)
            self._inoculum[index] = factors.pop("inoculum")
            for name, factor in factors.items():
                self.factors[name][index] = factor
            state.delivered_l[:, index] = state.counted_l[:, index] = 0.0
            state.evaporated_l[index] = 0.0
            fresh(index)
        elif phase is Phase.GROWTH:
            viable = recipe.viable * float(self._inoculum[index])
            self._lines.fill(state, index, viable, recipe.start_l)
        elif phase is Phase.CLEAN:
            self._lines.fill(state, index, 0.0, recipe.rest_l)
            state.carbon[index] = self._design.medium_carbon
            state.alkalinity[index] = self._design.medium_alkalinity
            state.antifoam[index] = state.bacteria[index] = 0.0
            self.bolus_l[index] = 0.0

    def _sample(
        self,
        state: State,
        index: int,
        to: int,
        culture_h: float,
        mistaken: list[float] | None,
    ) -> None:
        """Draw the daily sample; give glucose when it holds too little."""
        recipe, batch = self._recipe, self.batches[index]
        due = int(culture_h // recipe.sample_every_h) + 1 if culture_h >= 0.0 else 0
        last = int(recipe.harvest_from_h // recipe.sample_every_h) + 1
        if due <= batch.samples or due > last:
            return
        batch.samples = due
        self.laboratory.take(
            self._process,
            state,
            index,
            batch=(batch.id, batch.number),
            number=due,
            time=to,
            mistaken=mistaken,
        )
        self.withdraw(state, index, recipe.sample_l)
        if self._glucose is None or not (
            recipe.feed_from_h <= culture_h < recipe.harvest_from_h
        ):
            return
        if state.culture[self._glucose, index] < recipe.bolus_below:
            self.bolus_l[index] = self._bolus_litres(state, index, recipe.bolus_to)

    def _bolus_litres(self, state: State, index: int, target: float) -> float:
        stock = self._process.liquids["glucose"][self._glucose or 0]
        missing = max(target - float(state.culture[self._glucose or 0, index]), 0.0)
        return float(state.volume[index]) * missing / (stock - target)

    def dose(self, state: State, index: int, boluses: float) -> None:
        """Give glucose at once: as much as so many usual boluses bring."""
        if self._glucose is not None:
            recipe = self._recipe
            usual = recipe.bolus_to - recipe.bolus_below
            stock = self._process.liquids["glucose"][self._glucose]
            litres = float(state.volume[index]) * usual / (stock - recipe.bolus_to)
            self.bolus_l[index] += boluses * litres

    def withdraw(self, state: State, index: int, litres: float) -> None:
        """Take broth out of a vessel."""
        left = max(float(state.volume[index]) - litres, 1.0)
        state.culture[self._process.volume_row, index] = left
        state.volume[index] = left

    def feed_mlpm(self, wanted: Vector, shown_oxygen: Vector, to: int) -> Vector:
        """Return the feed setpoint that counts; moves it where the strategy says so."""
        feeding = self._recipe.feeding
        if feeding.steady:
            row: Vector = wanted[FEED]
            return row
        fed_h = self.culture_hours(to) - self._recipe.feed_from_h
        flow = flow_mlpm(feeding, fed_h, shown_oxygen, wanted[OXYGEN])
        flow = np.where(self.setpoints.recipe[FEED] > 0.0, flow, 0.0)
        written = self.setpoints.written[FEED]
        return np.where(np.isnan(written), flow, written)

    def shifted(self, effects: Effects | None, at: int) -> Vector | None:
        """Return what faults add to the recipe's setpoints, shape (4, n); us UTC."""
        if effects is None or not effects.late_h.any():
            return None if effects is None else effects.setpoints
        shift = effects.setpoints.copy()
        for index in np.flatnonzero(effects.late_h).tolist():
            hours = (at - self.batches[index].started) / US_PER_H
            late_h = float(effects.late_h[index])
            shift[TEMPERATURE, index] += degc_late(self._recipe, hours, late_h)
        return shift

    def bolus_mlpm(self, seconds: float) -> Vector:
        """Return the flow of the glucose pump in this step; it then counts as given."""
        if not self.bolus_l.any():
            return np.zeros_like(self.bolus_l)
        most = self._design.bolus_mlpm * seconds / 60_000.0
        stands = [state is Procedure.HELD for state in self.states]
        litres = np.where(stands, 0.0, np.minimum(self.bolus_l, most))
        self.bolus_l = self.bolus_l - litres
        flow: Vector = litres * 60_000.0 / seconds
        return flow

    def transfer(self, state: State, now: int, to: int) -> None:
        """Move what comes or goes by transfer lines: medium, inoculum, harvest."""
        for index in np.flatnonzero(self._open).tolist():
            started = self.batches[index].started
            before, hours = (now - started) / US_PER_H, (to - started) / US_PER_H
            phase = self.phases[index]
            if phase is Phase.PREPARE:
                self._lines.medium(state, index, hours)
            elif phase is Phase.INOCULATE:
                factor = float(self._inoculum[index])
                self._lines.inoculate(state, index, hours, factor)
            else:
                self._lines.drain(state, index, hours, before)

    def _goes_on(self, index: int, phase: Phase) -> None:
        """Let the procedure's state follow the recipe's phase."""
        state = self.states[index]
        if phase is Phase.CLEAN and state is not Procedure.IDLE:
            self._closes(index)
            self.states[index] = follows(self.states[index], Command.RESET)
        elif state is Procedure.IDLE and phase is not Phase.CLEAN:
            self.states[index] = follows(state, Command.START)

    def _closes(self, index: int) -> None:
        """End the procedure of an emptied vessel: its batch is Complete or Aborted."""
        state = self.states[index]
        if state in {Procedure.RUNNING, Procedure.ABORTING}:
            self.states[index] = follows(state, Command.FINISH)

    def command(self, index: int, command: Command, now: int, name: str = "") -> None:
        """Start, hold, restart or abort the batch of a vessel, us UTC.

        Args:
            index: of the vessel.
            command: see `procedural`.
            now: us UTC.
            name: of the batch that starts; default: by its number.

        Raises:
            CommandRefused: its state does not allow it.
            NameRefused: the batch cannot have this name.
        """
        if command not in COMMANDS:
            expected = ", ".join(COMMANDS)
            raise CommandRefused(f"{command}: expected one of {expected}")
        state = follows(self.states[index], command)
        if command is Command.START:
            check_name(name, (batch.id for batch in self.batches))
            self._next_batch(index, now, name)
        self.states[index] = state
        written = self.setpoints.written[FEED]
        written[index] = 0.0 if command is Command.HOLD else np.nan
        self._next[index] = _NEVER if command is Command.HOLD else now
        if command is Command.ABORT:
            recipe = self._recipe
            hours = recipe.before_culture_h + recipe.harvest_from_h
            started = now - round(hours * US_PER_H)
            self.batches[index].year = self.batches[index].named_in
            self.batches[index].started = started
            self._started[index] = started
            self.bolus_l[index] = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        return {
            "batches": [batch.to_json() for batch in self.batches],
            "next_number": self._next_number,
            "phases": [str(phase) for phase in self.phases],
            "states": [str(state) for state in self.states],
            "setpoints": self.setpoints.to_json(),
            "factors": {name: f.tolist() for name, f in self.factors.items()},
            "laboratory": self.laboratory.to_json(),
            "bolus_l": self.bolus_l.tolist(),
            "inoculum": self._inoculum.tolist(),
            "next": self._next.tolist(),
        }

    def restore(self, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw."""
        self.batches = [Batch.from_json(batch) for batch in body["batches"]]
        self._next_number = int(body["next_number"])
        self.phases = [Phase(phase) for phase in body["phases"]]
        self.states = [Procedure(state) for state in body["states"]]
        self.setpoints.restore(body["setpoints"])
        self.factors = {n: np.array(f, float) for n, f in body["factors"].items()}
        self.laboratory.restore(body["laboratory"])
        self.bolus_l = np.array(body["bolus_l"], float)
        self._inoculum = np.array(body["inoculum"], float)
        self._started = np.array([b.started for b in self.batches], np.int64)
        self._next = np.array(body["next"], np.int64)
        self._open = np.array([phase in _MOVING for phase in self.phases])
