"""The simulated plant over whole batches."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pytest

from shared.bioprocess import cho
from simulators.plant import Layout, Plant, StateUnusable, begin
from simulators.recipes import US_PER_H, Phase, Recipe
from simulators.tags import ASSAYS, COLUMN, CONTEXT, CORE, TAGS
from tests.unit.simulators.walls import Ledger, OneFreshVessel

pytestmark = pytest.mark.xdist_group("plant")  # one long run for all tests
START = 1_795_000_000_000_000
MINUTE = 60_000_000
RECIPE = Recipe()
DIGEST = "36a6c7e2daff58092f53a8273cdfcf80e75add1dc05435f8578a1cd7923af8c4"
"""Of the run below, which has no faults. It may differ without a change where
the machine's floating point (NumPy's exp, log, power) differs in a last bit."""


@dataclass
class Run:
    """One batch and the beginning of the next, every ten minutes."""

    hours: np.ndarray
    """Culture hours, shape (k,)."""
    shown: np.ndarray
    """Readings, shape (k, tags)."""
    culture: np.ndarray
    """The truth, shape (k, 8)."""
    context: list[tuple[str, str, str, str, str]]
    digest: str
    """SHA-256 of every reading at every step of two minutes."""
    balance: dict[str, tuple[float, float]]
    """Of oxygen, carbon (mmol) and broth (L) over the culture: what is missing, and
    what was turned over."""

    def tag(self, name: str, start_h: float, end_h: float) -> np.ndarray:
        chosen = (self.hours >= start_h) & (self.hours < end_h)
        column: np.ndarray = self.shown[chosen, COLUMN[name]]
        return column

    def at(self, hour: float) -> int:
        return int(np.searchsorted(self.hours, hour))


@pytest.fixture(scope="module")
def batch() -> Run:
    plant = Plant(OneFreshVessel(("BR101",), seed=7), START)
    hours, shown, culture, context = [], [], [], []
    digest, ledger = hashlib.sha256(), Ledger(samples_l=13 * RECIPE.sample_l)
    while plant.now < START + 380 * US_PER_H:
        for _ in range(5):
            plant.advance(plant.now + 2 * MINUTE)
            digest.update(plant.values.tobytes())
            if 0.5 < plant.culture_hours()[0] < 335.5:
                ledger.note(plant)
        hours.append((plant.now - START) / US_PER_H - RECIPE.before_culture_h)
        shown.append(plant.values[0].copy())
        culture.append(plant.state.culture[:, 0].copy())
        context.append(plant.context(0))
    return Run(
        np.array(hours), np.array(shown), np.array(culture), context,
        digest.hexdigest(), ledger.balance(),
    )  # fmt: skip


@pytest.mark.parametrize("what", ["oxygen", "carbon", "broth"])
def test_what_goes_in_comes_out_or_stays_within_a_thousandth(
    batch: Run, what: str
) -> None:
    missing, turned_over = batch.balance[what]
    assert turned_over > 0.0
    assert abs(missing) < 1e-3 * turned_over


def test_a_vessel_has_thirty_core_tags_more_if_well_equipped_and_context() -> None:
    assert len(CORE) == 30
    assert TAGS[:30] == CORE
    assert len({tag.name for tag in (*TAGS, *ASSAYS)}) == len(TAGS) + len(ASSAYS)
    context = ["BatchId", "Phase", "Product", "Client", "State"]
    assert [tag.name for tag in CONTEXT] == context
    changing = {tag.name for tag in TAGS if not tag.each}
    assert "LSH-101.PV" in changing
    assert {t.name for t in TAGS if t.part == "SP" and t.writable} <= changing


def test_temperature_is_held_at_37_then_at_33(batch: Run) -> None:
    growth = batch.tag("TIC-101.PV", 0.0, 120.0)
    assert np.abs(growth - 37.0).max() < 0.3
    production = batch.tag("TIC-101.PV", 124.0, 336.0)
    assert np.abs(production - 33.0).max() < 0.3


def test_ph_is_held_within_its_band(batch: Run) -> None:
    ph = batch.tag("AIC-101.PV", 2.0, 336.0)
    assert np.abs(ph - 7.0).max() < 0.1
    assert abs(ph.mean() - 7.0) < 0.05


def test_oxygen_is_held_once_the_cells_have_used_the_surplus(batch: Run) -> None:
    oxygen = batch.tag("AIC-102.PV", 60.0, 336.0)
    assert abs(np.median(oxygen) - 40.0) < 1.0
    assert oxygen.min() > 30.0
    assert oxygen.max() < 50.0


def test_the_culture_comes_close_to_the_reference_process(batch: Run) -> None:
    last = batch.culture[batch.at(335.0)]
    assert 14.0 < last[cho.State.VIABLE] < 26.0
    assert 3.5 < last[cho.State.ANTIBODY] < 6.5
    assert batch.culture[:, cho.State.LACTATE].max() > 15.0
    assert last[cho.State.LACTATE] < 2.0


def test_weight_follows_everything_added_less_samples_and_vapour(batch: Run) -> None:
    at = batch.at(330.0)
    added = sum(batch.shown[at, COLUMN[f"FQ-12{n}.PV"]] for n in (1, 2, 3, 4))
    weight = batch.shown[at, COLUMN["WIT-101.PV"]]
    lost = 1.01 * (1500.0 + added) - weight
    samples = RECIPE.sample_l * 14
    assert 15.0 < lost - samples < 30.0


def test_bottles_lose_what_their_totals_gain(batch: Run) -> None:
    at = batch.at(330.0)
    full, density = (60.0, 200.0, 10.0), (1.1, 1.15, 1.0)
    for n, (start, kg_per_l) in enumerate(zip(full, density, strict=True), 2):
        total = batch.shown[at, COLUMN[f"FQ-12{n}.PV"]]
        left = batch.shown[at, COLUMN[f"WIT-12{n}.PV"]]
        assert left == pytest.approx(start - kg_per_l * total, abs=0.05), n
    assert batch.shown[at, COLUMN["FQ-124.PV"]] > 0.05


def test_foam_brings_antifoam_and_antifoam_only_foam(batch: Run) -> None:
    assert batch.tag("FQ-124.PV", 0.0, 20.0).max() == 0.0
    shots = batch.shown[batch.at(330.0), COLUMN["FQ-124.PV"]] / 0.03
    assert shots == pytest.approx(round(shots), abs=1e-3)


def test_raman_sees_the_sugar_it_should(batch: Run) -> None:
    seen = batch.tag("AIT-106A.PV", 0.0, 330.0)
    chosen = (batch.hours >= 0.0) & (batch.hours < 330.0)
    true = 0.18016 * batch.culture[chosen, cho.State.GLUCOSE]
    assert np.sqrt(np.mean((seen - true) ** 2)) < 0.65


def test_the_feed_tank_loses_what_the_feed_total_gains(batch: Run) -> None:
    fed = batch.tag("FQ-121.PV", 72.0, 336.0)
    tank = batch.tag("WIT-121.PV", 72.0, 336.0)
    assert np.abs(tank + 1.06 * fed - 800.0).max() < 1.0


def test_base_and_carbon_dioxide_are_never_given_together(batch: Run) -> None:
    base = batch.tag("FIC-122.PV", 0.0, 336.0)
    acid = batch.tag("FIC-113.PV", 0.0, 336.0)
    assert base.max() > 1.0
    assert acid.max() > 0.5
    assert not np.any((base > 0.5) & (acid > 0.5))


def test_phases_come_in_the_order_of_the_recipe(batch: Run) -> None:
    phases = [words[1] for words in batch.context]
    order = [
        phase for n, phase in enumerate(phases) if n == 0 or phases[n - 1] != phase
    ]
    first = [str(phase) for phase in Phase if phase is not Phase.TRANSFECTION]
    assert order[: len(first)] == first
    assert order[len(first)] == Phase.PREPARE


def test_the_next_batch_has_the_next_number(batch: Run) -> None:
    ids = list(dict.fromkeys(batch_id for batch_id, *_ in batch.context))
    assert ids == ["CHO-2026-0001", "", "CHO-2026-0002"]
    between = next(c for c in batch.context if c[0] == "")
    assert between == ("", "Clean", "", "", "Idle")


def test_readings_stay_inside_their_ranges(batch: Run) -> None:
    for column, tag in enumerate(TAGS):
        values = batch.shown[:, column]
        assert np.isfinite(values).all(), tag.name
        assert values.min() >= tag.low, tag.name
        assert values.max() <= tag.high, tag.name


def test_every_reading_is_as_it_was_when_this_was_written(batch: Run) -> None:
    assert batch.digest == DIGEST


def short_run(seed: int) -> list[list[float]]:
    plant = Plant(Layout(("BR101", "BR102"), seed=seed), START)
    rows = []
    for _ in range(200):
        plant.advance(plant.now + MINUTE)
        rows.append(plant.values.ravel().tolist())
    return rows


def test_the_same_seed_gives_the_same_readings_bit_for_bit() -> None:
    assert short_run(3) == short_run(3)
    assert short_run(3) != short_run(4)


def test_a_restored_plant_goes_on_bit_for_bit() -> None:
    layout = Layout(("BR101", "BR102"), seed=5)
    one = Plant(layout, START)
    one.fast_forward(one.now + 20 * US_PER_H)
    other = Plant(layout, START)
    other.restore(json.loads(json.dumps(one.to_json())))
    for _ in range(50):
        one.advance(one.now + MINUTE)
        other.advance(other.now + MINUTE)
    assert one.values.tolist() == other.values.tolist()
    assert one.to_json() == other.to_json()


def test_a_state_of_other_vessels_is_refused() -> None:
    body = Plant(Layout(("BR101",), seed=5), START).to_json()
    with pytest.raises(StateUnusable, match="vessels of the saved plant"):
        Plant(Layout(("BR101", "BR102"), seed=5), START).restore(body)
    with pytest.raises(StateUnusable, match="seed of the saved plant"):
        Plant(Layout(("BR101",), seed=6), START).restore(body)


def test_a_plant_begins_with_a_vessel_amid_its_batch() -> None:
    plant = begin(Layout(("BR101",), seed=1), START)
    assert plant.now == START
    assert plant.phase(0) is Phase.GROWTH
    assert plant.context(0)[0] == "CHO-2026-0001"
    assert plant.state.viable[0] > 1.0


def test_three_vessels_show_every_phase_in_three_days() -> None:
    layout = Layout(("BR101", "BR102", "BR103"), seed=1)
    hours = [
        layout.age_h(vessel) + RECIPE.before_culture_h + hour
        for vessel in range(3)
        for hour in range(73)
    ]
    assert {RECIPE.phase(h % RECIPE.cycle_h) for h in hours} == set(Phase) - {
        Phase.TRANSFECTION
    }


def test_time_does_not_go_back() -> None:
    plant = Plant(Layout(("BR101",), seed=1), START)
    with pytest.raises(ValueError, match="expected a time after"):
        plant.advance(plant.now)
