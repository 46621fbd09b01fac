"""Every process runs as a plant of its own: phases, loops, tags, assays, state."""

from __future__ import annotations

import json
from math import isnan

import numpy as np
import pytest

from simulators.faults import catalogue
from simulators.faults.injections import Injections
from simulators.organisms import ORGANISMS, OrganismUnknown, organism
from simulators.plant import COARSE_US, Layout, Plant, StateUnusable
from simulators.publication import Publication
from simulators.recipes import US_PER_H, Phase
from simulators.settings import SimulatorSettings
from simulators.tags import ASSAY, ASSAYS, COLUMN, TAGS

START = 1_795_000_000_000_000
MINUTE = 60_000_000


class OneFreshVessel(Layout):
    def age_h(self, index: int) -> float:
        del index
        return -self.recipe.before_culture_h


def plant_of(name: str, vessels: tuple[str, ...] = ("BR101",)) -> Plant:
    kind = organism(name)
    layout = OneFreshVessel(
        vessels,
        seed=3,
        design=kind.design,
        recipe=kind.recipe,
        process=kind.process,
        tags=kind.tags,
    )
    return Plant(layout, START)


@pytest.mark.parametrize("name", ORGANISMS)
def test_tags_have_the_same_names_in_the_same_order_everywhere(name: str) -> None:
    kind = organism(name)
    assert [tag.name for tag in kind.tags] == [tag.name for tag in TAGS]
    assert kind.absent <= set(COLUMN)
    assert all(tag.low < tag.high for tag in kind.tags)
    assert kind.product in {quantity.name for quantity in kind.process.quantities}
    assert kind.process.quantities[0].name in {"viable", "biomass"}
    assert set(kind.pictured) <= {q.name for q in kind.process.quantities}


@pytest.mark.parametrize("name", ORGANISMS)
def test_what_a_process_cannot_have_is_in_the_catalogue(name: str) -> None:
    known = catalogue.load()
    assert organism(name).faultless <= set(known.faults)
    for fault in set(known.faults) - organism(name).faultless:
        columns = [column for column, _ in organism(name).scatter(known, fault)]
        assert all(TAGS[column].name not in organism(name).absent for column in columns)


def test_finer_instruments_scatter_less() -> None:
    known = catalogue.load()
    weight = COLUMN["WIT-101.PV"]
    cho = dict(organism("cho").scatter(known, "A01"))[weight]
    ecoli = dict(organism("ecoli").scatter(known, "A01"))[weight]
    assert cho == known.scatter["WIT-101.PV"]
    assert ecoli < 0.05 * cho


@pytest.mark.parametrize("name", ["ecoli", "hek293", "penicillin"])
def test_phases_come_in_the_order_of_the_recipe(name: str) -> None:
    recipe = organism(name).recipe
    hours = np.arange(0.0, recipe.cycle_h, 0.25)
    phases = list(dict.fromkeys(recipe.phase(float(h)) for h in hours))
    culture = [stage.phase for stage in recipe.stages]
    expected = [
        Phase.PREPARE, Phase.INOCULATE, *culture, Phase.HARVEST, Phase.CLEAN
    ]  # fmt: skip
    assert phases == expected
    turns = set(recipe.turns())
    assert {recipe.before_culture_h + s.from_h for s in recipe.stages} <= turns


def test_a_fermentation_is_held_by_its_loops_and_grows_as_it_should() -> None:
    plant = plant_of("ecoli")
    recipe = plant.layout.recipe
    plant.fast_forward(START + round((recipe.before_culture_h + 7.5) * US_PER_H))
    row, grown = plant.values[0], float(plant.state.culture[0, 0])
    assert row[COLUMN["TIC-101.PV"]] == pytest.approx(37.0, abs=0.3)
    assert row[COLUMN["AIC-101.PV"]] == pytest.approx(7.0, abs=0.15)
    assert row[COLUMN["AIC-102.PV"]] == pytest.approx(30.0, abs=6.0)
    assert grown == pytest.approx(1.78, rel=0.25)
    assert row[COLUMN["AIT-105.PV"]] == pytest.approx(2.2 * grown, rel=0.05)
    plant.fast_forward(plant.now + 4 * US_PER_H)
    assert plant.phase(0) is Phase.FEED
    assert plant.context(0)[0].startswith("ECOLI-")
    assert plant.values[0, COLUMN["FIC-121.SP"]] > 0.5
    assert plant.values[0, COLUMN["FQ-122.PV"]] > 0.02


def test_oxygen_of_a_fermentation_stays_on_its_setpoint_in_coarse_steps() -> None:
    plant = plant_of("ecoli")
    plant.fast_forward(
        START + round((plant.layout.recipe.before_culture_h + 12) * US_PER_H)
    )
    shown = []
    for _ in range(8 * 30):
        plant.advance(plant.now + 120_000_000)
        shown.append(float(plant.values[0, COLUMN["AIC-102.PV"]]))
    assert np.mean(shown) == pytest.approx(30.0, abs=3.0)
    assert np.std(shown) < 1.5


def test_a_saved_plant_of_one_process_is_not_another_ones() -> None:
    body = json.loads(json.dumps(plant_of("ecoli").to_json()))
    plant_of("ecoli").restore(body)
    with pytest.raises(StateUnusable, match="process of the saved plant"):
        plant_of("penicillin").restore(body)


def test_what_a_process_does_not_have_is_not_published_as_a_result() -> None:
    plant = plant_of("ecoli")
    recipe = plant.layout.recipe
    plant.fast_forward(START + round((recipe.before_culture_h + 1.0) * US_PER_H))
    result = plant.laboratory.answers(2 * plant.now)[0]
    names = [tag.name for tag in ASSAYS]
    assert isnan(result.values[names.index("LAB.VCD")])
    instant = Publication(1, 0).assays(result)
    assert len(instant.nodes) < len(ASSAYS)
    assert not np.isnan(instant.columns().numbers).any()


def test_the_settings_name_the_process_and_its_tags(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("plant")
    settings = SimulatorSettings(data=folder, process="ecoli")
    names = {tag.name for tag in settings.tags}
    assert "FIC-113.PV" not in names
    span = next(tag for tag in settings.tags if tag.name == "AIT-105.PV")
    assert span.high == 200.0
    core = SimulatorSettings(data=folder, process="ecoli", instruments="core")
    assert {tag.name for tag in core.tags} < names
    assert SimulatorSettings(data=folder).tags == TAGS


@pytest.mark.parametrize("name", ORGANISMS)
def test_a_vessel_has_the_assays_of_its_process_and_no_others(name: str) -> None:
    plant, kind = plant_of(name), organism(name)
    recipe = plant.layout.recipe
    plant.fast_forward(START + round((recipe.before_culture_h + 1.0) * US_PER_H))
    (result,) = plant.laboratory.answers(2 * plant.now)[:1]
    publication = Publication(1, 0, kind.columns(), kind.assays())
    instant = publication.assays(result)
    assert len(instant.nodes) == len(kind.assays())
    assert max(instant.nodes) == publication.width - 1
    names = {tag.name for tag in kind.assays()}
    assert ("LAB.VCD" in names) == (name in {"cho", "hek293"})
    assert ("LAB.FULL_CAPSIDS" in names) == (name == "hek293")
    assert ("LAB.ACETATE" in names) == (name == "ecoli")


def test_a_poor_transfection_shows_in_capsids_and_hardly_online() -> None:
    found = []
    for faulty in (False, True):
        plant = plant_of("hek293")
        injections = Injections(catalogue.load(), ("BR101",), process="hek293")
        plant.injections = injections
        if faulty:
            injections.inject("BR101", "P05", None, None, plant.now)
        recipe = plant.layout.recipe
        end = START + round((recipe.before_culture_h + 97.0) * US_PER_H)
        plant.fast_forward(end, COARSE_US)
        capsids = [
            r.values[ASSAY["LAB.FULL_CAPSIDS"]]
            for r in plant.laboratory.answers(2 * plant.now)
        ]
        found.append((capsids[-1], plant.values[0, COLUMN["AIT-104.PV"]]))
    (good, cells), (poor, cells_of_poor) = found
    assert good > 0.3
    assert poor < 0.5 * good
    assert cells_of_poor == pytest.approx(cells, rel=0.1)


def test_an_unknown_process_is_named_with_those_there_are() -> None:
    with pytest.raises(OrganismUnknown, match="expected one of cho, hek293"):
        organism("yeast")
