"""What operators write: it counts, propagates through the loops, and is bounded."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simulators.feeding import Feeding, Strategy
from simulators.operators import WriteRefused
from simulators.plant import Layout, Plant, begin
from simulators.recipes import US_PER_H, Recipe
from simulators.tags import COLUMN

START = 1_795_000_000_000_000
STEP_US = 10_000_000


class Growing(Layout):
    def age_h(self, index: int) -> float:
        return 90.0 + index


@pytest.fixture(scope="module")
def saved() -> dict[str, object]:
    return begin(Growing(("BR101", "BR102"), 3), START).to_json()


@pytest.fixture
def plant(saved: dict[str, object]) -> Plant:
    made = Plant(Growing(("BR101", "BR102"), 3), START)
    made.restore(json.loads(json.dumps(saved)))
    return made


def shown(plant: Plant, tag: str, hours: float) -> np.ndarray:
    rows = []
    end = plant.now + round(hours * US_PER_H)
    while plant.now < end:
        plant.advance(plant.now + STEP_US)
        rows.append(plant.values[:, COLUMN[tag]].copy())
    return np.array(rows)


def test_a_written_setpoint_is_reached_in_its_vessel_only(plant: Plant) -> None:
    plant.operate("BR101.TIC-101.SP", 36.0)
    reading = shown(plant, "TIC-101.PV", 2.0)[-90:].mean(axis=0)
    assert reading == pytest.approx([36.0, 37.0], abs=0.1)
    assert plant.values[:, COLUMN["TIC-101.SP"]].tolist() == [36.0, 37.0]


def test_the_recipe_takes_a_setpoint_back_when_it_changes_it(plant: Plant) -> None:
    plant.operate("BR101.TIC-101.SP", 36.0)
    plant.fast_forward(START + 31 * US_PER_H)
    assert plant.values[0, COLUMN["TIC-101.SP"]] == 33.0


def test_a_loop_in_manual_holds_and_comes_back_without_a_bump(plant: Plant) -> None:
    output = COLUMN["TIC-101.OUT"]
    before = float(plant.values[0, output])
    plant.operate("BR101.TIC-101.MODE", 0)
    held = shown(plant, "TIC-101.OUT", 0.2)
    assert np.ptp(held[:, 0]) == 0.0
    assert held[0, 0] == pytest.approx(before, abs=0.01)
    plant.operate("BR101.TIC-101.OUT", before + 5.0)
    assert shown(plant, "TIC-101.OUT", 0.1)[-1, 0] == pytest.approx(
        before + 5.0, abs=0.01
    )
    assert plant.values[0, COLUMN["TIC-101.MODE"]] == 0.0
    plant.operate("BR101.TIC-101.MODE", 1)
    first = shown(plant, "TIC-101.OUT", STEP_US / US_PER_H)[0, 0]
    assert first == pytest.approx(before + 5.0, abs=1.5)


@pytest.mark.parametrize(
    ("node", "value", "message"),
    [
        ("BR109.TIC-101.SP", 36.0, "vessel BR109: expected one of BR101, BR102"),
        ("BR101.TIC-101.PV", 36.0, "TIC-101.PV: expected one of TIC-101.SP"),
        ("BR101.TIC-101.SP", 400.0, "TIC-101.SP 400: expected 0 to 60"),
        ("BR101.TIC-101.OUT", 40.0, "expected TIC-101.MODE 0"),
        ("BR101.AIC-102.MODE", 0.5, "expected 0 .manual. or 1"),
    ],
)
def test_what_may_not_be_written_is_refused(
    plant: Plant, node: str, value: float, message: str
) -> None:
    with pytest.raises(WriteRefused, match=message):
        plant.operate(node, value)


def test_an_oxygen_stat_recipe_feeds_by_what_the_probe_shows() -> None:
    recipe = Recipe(feeding=Feeding(Strategy.OXYGEN_STAT, lpd=90.0))
    plant = begin(Growing(("BR101",), 3, recipe=recipe), START)
    plant.operate("BR101.AIC-102.SP", 5.0)
    pulses = shown(plant, "FIC-121.PV", 0.5)
    assert pulses.max() == pytest.approx(62.5, rel=0.05)
    plant.operate("BR101.FIC-121.SP", 0.0)
    assert shown(plant, "FIC-121.PV", 0.1)[-1, 0] < 1.0
