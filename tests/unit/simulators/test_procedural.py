"""The states of a batch: what they allow, and what hold and abort do to a vessel."""

from __future__ import annotations

import json

import pytest

from simulators.plant import Layout, Plant
from simulators.procedural import Command, CommandRefused, State, allowed, follows
from simulators.recipes import US_PER_H, NameRefused, Phase, Recipe
from simulators.tags import COLUMN

START = 1_795_000_000_000_000
MINUTE = 60_000_000
SHORT = Recipe(
    prepare_h=4.0,
    feed_from_h=4.0,
    shift_from_h=10.0,
    production_from_h=11.0,
    harvest_from_h=20.0,
    harvest_h=2.0,
    clean_h=2.0,
)


class OneFreshVessel(Layout):
    def age_h(self, index: int) -> float:
        del index
        return -self.recipe.before_culture_h


def fed_plant() -> Plant:
    """Return a vessel an hour into its feed."""
    plant = Plant(OneFreshVessel(("BR101",), seed=7, recipe=SHORT), START)
    plant.fast_forward(START + 10 * US_PER_H)
    return plant


def shown(plant: Plant, tag: str) -> float:
    return float(plant.values[0, COLUMN[tag]])


@pytest.mark.parametrize("state", State)
def test_every_state_takes_only_its_commands(state: State) -> None:
    for command in Command:
        if command in allowed(state):
            assert follows(state, command) in State
        else:
            with pytest.raises(CommandRefused, match=f"{command} while {state}"):
                follows(state, command)


def test_a_batch_that_is_left_alone_runs_to_its_end() -> None:
    state = State.IDLE
    for command in (Command.START, Command.FINISH, Command.RESET):
        state = follows(state, command)
    assert state is State.IDLE


def test_a_plant_starts_and_completes_its_batches_itself() -> None:
    plant = Plant(OneFreshVessel(("BR101",), seed=7, recipe=SHORT), START)
    seen: list[State] = []
    while plant.now < START + 32 * US_PER_H:
        plant.advance(plant.now + 5 * MINUTE)
        if not seen or seen[-1] is not plant.procedure(0):
            seen.append(plant.procedure(0))
    assert seen == [State.RUNNING, State.COMPLETE, State.IDLE, State.RUNNING]


def test_a_hold_stands_the_feed_and_a_restart_gives_it_back() -> None:
    plant = fed_plant()
    usual = shown(plant, "FIC-121.SP")
    assert usual > 0.0
    plant.command("BR101", Command.HOLD)
    plant.fast_forward(plant.now + 30 * MINUTE)
    assert plant.procedure(0) is State.HELD
    assert shown(plant, "FIC-121.SP") == 0.0
    assert shown(plant, "AIC-102.MODE") == 1.0
    plant.command("BR101", Command.RESTART)
    plant.fast_forward(plant.now + 10 * MINUTE)
    assert plant.procedure(0) is State.RUNNING
    assert shown(plant, "FIC-121.SP") == usual


def test_phases_that_become_due_during_a_hold_begin_at_the_restart() -> None:
    plant = fed_plant()
    plant.command("BR101", Command.HOLD)
    plant.fast_forward(START + 16 * US_PER_H)
    assert plant.phase(0) is Phase.FEED
    plant.command("BR101", Command.RESTART)
    plant.advance(plant.now + MINUTE)
    assert plant.phase(0) is Phase.PRODUCTION


def test_an_abort_empties_the_vessel_and_the_next_batch_follows() -> None:
    plant = fed_plant()
    first = plant.context(0)[0]
    plant.command("BR101", Command.ABORT)
    plant.advance(plant.now + MINUTE)
    assert plant.procedure(0) is State.ABORTING
    assert plant.phase(0) is Phase.HARVEST
    plant.fast_forward(plant.now + 115 * MINUTE)
    assert plant.context(0) == (first, "Harvest", *plant.context(0)[2:4], "Aborted")
    plant.fast_forward(plant.now + 5 * MINUTE)
    assert plant.phase(0) is Phase.CLEAN
    assert shown(plant, "WIT-101.PV") < 100.0
    plant.fast_forward(plant.now + 3 * US_PER_H)
    assert plant.procedure(0) is State.RUNNING
    assert plant.context(0)[0] != first


def test_an_idle_vessel_is_started_by_hand_under_a_name_of_its_own() -> None:
    plant = fed_plant()
    with pytest.raises(CommandRefused, match="Start while Running"):
        plant.command("BR101", Command.START, "MAB-1")
    plant.command("BR101", Command.ABORT)
    plant.fast_forward(plant.now + 2 * US_PER_H + MINUTE)
    assert plant.procedure(0) is State.IDLE
    for wrong in ("no name", "x" * 65, plant.batch(0)):
        with pytest.raises(NameRefused, match="expected"):
            plant.command("BR101", Command.START, wrong)
    plant.command("BR101", Command.START, "MAB-1")
    plant.advance(plant.now + MINUTE)
    assert plant.context(0)[:2] == ("MAB-1", "Prepare")
    assert plant.context(0)[4] == "Running"
    plant.fast_forward(plant.now + 5 * US_PER_H)
    assert plant.phase(0) is Phase.GROWTH
    other = Plant(OneFreshVessel(("BR101",), seed=7, recipe=SHORT), START)
    other.restore(json.loads(json.dumps(plant.to_json())))
    assert other.batch(0) == "MAB-1"


def test_what_the_state_does_not_allow_is_refused_and_changes_nothing() -> None:
    plant = fed_plant()
    with pytest.raises(CommandRefused, match=r"Restart while Running: expected Hold"):
        plant.command("BR101", Command.RESTART)
    with pytest.raises(CommandRefused, match="expected one of Start, Hold"):
        plant.command("BR101", Command.FINISH)
    assert plant.procedure(0) is State.RUNNING


def test_a_hold_outlasts_a_saved_state() -> None:
    plant = fed_plant()
    plant.command("BR101", Command.HOLD)
    plant.advance(plant.now + MINUTE)
    other = Plant(OneFreshVessel(("BR101",), seed=7, recipe=SHORT), START)
    other.restore(json.loads(json.dumps(plant.to_json())))
    for one in (plant, other):
        one.fast_forward(one.now + 10 * MINUTE)
    assert other.procedure(0) is State.HELD
    assert other.values.tolist() == plant.values.tolist()
