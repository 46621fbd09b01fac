"""HEK293 and its capsids reproduce the check table and close their balances."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from shared.bioprocess import capsids, hek
from shared.bioprocess.capsids import Cell
from shared.bioprocess.hek import CELL, HekProcess, State
from shared.bioprocess.process import Process
from tests.unit.bioprocess.hek_reference import (
    STEP_H,
    TABLE,
    cells_per_ml,
    transfected_cells,
)
from tests.unit.bioprocess.surrounded import around

HEK: Process = HekProcess()


@pytest.fixture(scope="module")
def transfected() -> dict[int, np.ndarray]:
    return transfected_cells()


@pytest.mark.parametrize("hour", TABLE)
def test_capsids_and_dna_meet_the_check_table(
    transfected: dict[int, np.ndarray], hour: int
) -> None:
    cell, cells = transfected[hour], cells_per_ml(hour)
    full, every = float(capsids.full(cell)[0]), float(capsids.capsids(cell)[0])
    dna = float(capsids.vector_dna(cell)[0])
    for text, value in zip(TABLE[hour][:3], (full, every, dna), strict=True):
        assert value * cells == pytest.approx(float(text), rel=1.5e-3), text
    assert 100.0 * full / every == pytest.approx(float(TABLE[hour][3]), abs=0.006)


def test_the_first_capsids_are_those_of_the_check_table(
    transfected: dict[int, np.ndarray],
) -> None:
    cells = cells_per_ml(12)
    assert float(capsids.full(transfected[12])[0]) * cells == pytest.approx(
        4.671e7, rel=1e-3
    )
    assert float(capsids.capsids(transfected[12])[0]) * cells == pytest.approx(
        1.251e10, rel=1e-3
    )
    assert float(capsids.full(transfected[60])[0]) * cells_per_ml(60) == pytest.approx(
        1.873e9, rel=1e-3
    )
    assert cells_per_ml(60) == pytest.approx(3.1548e6, rel=1e-4)


def test_every_capsid_comes_from_sixty_proteins_that_did_not_decay() -> None:
    cell = capsids.transfected(capsids.PLASMID)
    none = np.zeros(1)
    made = decayed = 0.0
    for _ in range(3000):
        after = capsids.step(cell, none, 0.01)
        middle = 0.5 * (cell + after)
        made += float(
            (capsids.CONSTANTS["cap"] * middle[Cell.NUCLEUS_RC]
             * middle[Cell.NUCLEUS_HELPER])[0] * 0.01
        )  # fmt: skip
        decayed += float(capsids.CONSTANTS["cap_decay"] * middle[Cell.CAP, 0] * 0.01)
        cell = after
    held = capsids.PROTEINS_PER_CAPSID * (
        capsids.capsids(cell)[0] + cell[Cell.REP_ON_EMPTY, 0]
    )
    assert held + cell[Cell.CAP, 0] == pytest.approx(made - decayed, rel=1e-3)


def test_a_plasmid_is_in_one_place_or_decayed() -> None:
    cell = capsids.transfected(1000.0)
    decayed = 0.0
    places = [Cell.ENDOSOME_VECTOR, Cell.CYTOSOL_VECTOR, Cell.NUCLEUS_VECTOR]
    for _ in range(2000):
        after = capsids.step(cell, np.zeros(1), 0.01)
        middle = 0.5 * (cell + after)
        decayed += float(capsids.CONSTANTS["decay"] * middle[places].sum() * 0.01)
        cell = after
    held = cell[[Cell.OUTSIDE_VECTOR, *places]].sum()
    assert held + decayed == pytest.approx(1000.0, rel=1e-3)


def test_long_steps_stay_stable_and_close() -> None:
    fine = coarse = capsids.transfected(capsids.PLASMID)
    for _ in range(240):
        fine = capsids.step(fine, np.full(1, 0.02), 0.05)
    for _ in range(48):
        coarse = capsids.step(coarse, np.full(1, 0.02), 0.25)
    assert capsids.capsids(coarse)[0] == pytest.approx(
        capsids.capsids(fine)[0], rel=0.01
    )


@pytest.fixture(scope="module")
def batch() -> list[np.ndarray]:
    """Return a batch's states at full hours, as efficient as the publication."""
    state, found = HEK.inoculated(0.5, 200.0), []
    best = {"transfection": np.array([1.0 / 0.6])}
    for number in range(round(120 / STEP_H)):
        if number % 30 == 0:
            found.append(state)
        hour = round(number * STEP_H, 9)
        state, _ = HEK.advance(state, around(HEK, hours=hour), best, STEP_H)
    return [*found, state]


def test_the_culture_makes_per_cell_what_the_publication_says(
    batch: list[np.ndarray],
) -> None:
    for hour in (24, 48, 72):
        per_cell = float(capsids.full(batch[48 + hour][CELL:])[0])
        expected = float(TABLE[hour][0]) / cells_per_ml(hour)
        assert per_cell == pytest.approx(expected, rel=5e-3)


def test_cells_grow_to_the_transfection_and_then_die_slowly(
    batch: list[np.ndarray],
) -> None:
    assert batch[48][State.VIABLE, 0] == pytest.approx(2.0, abs=0.2)
    viability = HEK.biomass(batch[120]).viability_percent[0]
    assert 60.0 < viability < 75.0
    total = batch[120][:2, 0].sum() / batch[48][:2, 0].sum()
    assert total == pytest.approx(cells_per_ml(72) / 1e6, rel=0.02)


def test_transfection_and_exchange_happen_once(batch: list[np.ndarray]) -> None:
    outside = [float(state[CELL, 0]) for state in batch]
    assert set(outside[:49]) == {0.0}
    assert all(value > 7e4 for value in outside[49:54])
    assert set(outside[56:]) == {0.0}
    glucose = [float(state[State.GLUCOSE, 0]) for state in batch]
    assert glucose[55] > glucose[53]
    assert sum(b > a for a, b in itertools.pairwise(glucose)) == 1


def test_an_inefficient_transfection_shows_in_the_capsids_only() -> None:
    state = HEK.inoculated(2.0, 200.0, cultures=2)
    factors = {"transfection": np.array([1.0, 0.3])}
    for number in range(600):
        hour = 48.0 + number * STEP_H
        state, _ = HEK.advance(
            state, around(HEK, hours=hour, cultures=2), factors, STEP_H
        )
    assert state[State.VIABLE, 0] == state[State.VIABLE, 1]
    full = HEK.assays(state)["full_capsids"]
    assert full[1] < 0.5 * full[0]


def test_glucose_taken_up_is_glucose_gone() -> None:
    state, used = HEK.inoculated(3.0, 200.0), 0.0
    p = hek.Parameters()
    for number in range(300):
        surroundings = around(HEK, hours=number * STEP_H)
        before = state
        state, _ = HEK.advance(state, surroundings, {}, STEP_H)
        middle = 0.5 * (before + state)
        q = hek.rates(middle, surroundings, np.full(1, -40.0), p)
        used += float(q.glucose[0] * middle[State.VIABLE, 0] * STEP_H)
    gone = 30.0 - state[State.GLUCOSE, 0]
    assert used == pytest.approx(gone, rel=1e-3)


def test_feed_dilutes_the_culture_but_not_what_is_inside_the_cells() -> None:
    state = HEK.inoculated(2.0, 200.0)
    state[CELL + Cell.EMPTY] = 5000.0
    after, _ = HEK.advance(state, around(HEK, feed_lph=10.0), {}, STEP_H)
    still, _ = HEK.advance(state, around(HEK), {}, STEP_H)
    assert after[State.VIABLE, 0] < still[State.VIABLE, 0]
    assert after[State.VOLUME, 0] == pytest.approx(200.0 + 10.0 * STEP_H)
    assert after[CELL + Cell.EMPTY, 0] == pytest.approx(
        still[CELL + Cell.EMPTY, 0], rel=1e-6
    )
