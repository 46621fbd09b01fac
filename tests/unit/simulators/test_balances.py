"""Oxygen, carbon and broth balances of the processes that test_plant does not run."""

from __future__ import annotations

import pytest

from simulators.organisms import organism
from simulators.plant import Plant
from simulators.recipes import US_PER_H
from tests.unit.simulators.walls import Ledger, OneFreshVessel

START = 1_795_000_000_000_000
MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("name", "minutes"), [("ecoli", 2), ("hek293", 6), ("penicillin", 6)]
)
def test_what_goes_in_comes_out_or_stays_within_a_thousandth(
    name: str, minutes: int
) -> None:
    kind = organism(name)
    recipe = kind.recipe
    layout = OneFreshVessel(
        ("BR101",), 7, design=kind.design, recipe=recipe, process=kind.process,
        tags=kind.tags,
    )  # fmt: skip
    plant, over = Plant(layout, START), recipe.harvest_from_h - 0.5
    ledger = Ledger(samples_l=int(over // recipe.sample_every_h) * recipe.sample_l)
    end = START + round((recipe.before_culture_h + over) * US_PER_H)
    while plant.now < end - minutes * MINUTE:
        plant.advance(plant.now + minutes * MINUTE)
        if plant.culture_hours()[0] > 0.5:
            ledger.note(plant)
    for what, (missing, turned_over) in ledger.balance().items():
        assert turned_over > 0.0
        assert abs(missing) < 1e-3 * turned_over, what
