"""What operators do: drawn once for ever, within the culture, and it is on record."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from simulators.campaign import mix
from simulators.campaign.interventions import Intervention, interventions
from simulators.campaign.mix import Share
from simulators.campaign.plan import Campaign
from simulators.campaign.produce import produce
from simulators.procedural import Command
from simulators.recipes import US_PER_H, Recipe

ALL = Share(setpoint=1.0, hold=1.0, abort=1.0)
RECIPE = Recipe()


def drawn(
    number: int, share: Share = ALL, *, faulty: bool = False, seed: int = 1
) -> list[Intervention]:
    return interventions(share, RECIPE, seed=seed, number=number, faulty=faulty)


def test_a_draw_depends_on_seed_and_number_only() -> None:
    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert drawn(3) != drawn(3, seed=2)


def test_nothing_is_done_where_nothing_is_asked_for() -> None:
    assert all(drawn(n, Share()) == [] for n in range(1, 50))


def test_everything_is_done_within_the_culture_in_order() -> None:
    first = RECIPE.before_culture_h * US_PER_H
    last = first + RECIPE.harvest_from_h * US_PER_H
    for number in range(1, 100):
        times = [one.time for one in drawn(number, faulty=True)]
        assert times == sorted(times)
        assert all(first < time < last for time in times)


def test_a_hold_ends_with_a_restart_and_nothing_follows_an_abort() -> None:
    for number in range(1, 100):
        commands = [one.command for one in drawn(number, faulty=True) if one.command]
        assert commands == [Command.HOLD, Command.RESTART]
        assert drawn(number)[-1].command is Command.ABORT


def test_a_setpoint_goes_back_to_what_the_recipe_wants() -> None:
    for number in range(1, 50):
        written = [one for one in drawn(number, Share(setpoint=1.0)) if one.tag]
        away, back = written
        assert away.tag == back.tag
        target = RECIPE.setpoints(back.time / US_PER_H)
        usual = (target.temperature_degc, target.ph, target.oxygen_percent)
        assert back.value in usual
        assert away.value != back.value


def test_a_batch_with_a_fault_is_never_aborted() -> None:
    for number in range(1, 50):
        assert Command.ABORT not in {one.command for one in drawn(number, faulty=True)}


def test_records_say_what_operators_did_and_an_aborted_batch_ends_early(
    tmp_path: Path,
) -> None:
    short = Recipe(
        prepare_h=4.0, feed_from_h=6.0, shift_from_h=12.0, production_from_h=13.0,
        harvest_from_h=24.0, harvest_h=2.0, clean_h=2.0,
    )  # fmt: skip
    wanted = Campaign(
        batches=2,
        seed=1,
        mix=mix.NONE.model_copy(update={"interventions": ALL}),
        faults="mine",
        step=300_000_000,
        shortened=short,
    )
    body = produce(wanted, tmp_path, processes=1, plots=False, progress=lambda _: None)
    for batch in body["batches"]:
        record = json.loads((tmp_path / f"records/{batch['batch']}.json").read_text())
        assert batch["state"] == record["state"] == "Aborted"
        events = {(one["kind"], one["what"]) for one in record["events"]}
        assert ("Command", "Abort") in events
        table = pq.read_table(tmp_path / "readings" / f"{batch['batch']}.parquet")
        assert table.num_rows < 31 * 12
        phases = table["Phase"].to_pylist()
        assert phases[-1] == "Harvest"
        assert "Clean" not in phases
        states = [
            phase["state"]
            for operation in record["procedure"]["operations"]
            for phase in operation["phases"]
        ]
        assert states[-2] == "Aborted"
        truth = pq.read_table(tmp_path / "truth" / f"{batch['batch']}.parquet")
        assert truth.num_rows == table.num_rows
