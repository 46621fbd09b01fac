"""Results have the time of the draw, are known later, and belong to the process."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.campaign import laboratory
from simulators.campaign.laboratory import OWN, Assay
from simulators.laboratory import Result
from simulators.tags import ASSAYS

HOUR = 3_600_000_000
INSIDE = {"dry_mass": 12.0, "glucose": 3.0, "acetate": 0.2, "pictures": 1.0}


def result(number: int) -> Result:
    drawn = number * 24 * HOUR
    values = tuple(float(n) for n in range(1, len(ASSAYS) + 1))
    return Result(0, "x", number, drawn, drawn + (1 + number % 3) * HOUR, values)


def found(samples: int = 14, seed: int = 1, number: int = 1) -> list[Assay]:
    results = [result(n) for n in range(1, samples + 1)]
    inside = [INSIDE] * samples
    return laboratory.assays("ECOLI-2026-0001", number, seed, results, inside)


def test_results_come_in_the_order_in_which_they_are_known() -> None:
    known = [one.available for one in found()]
    assert known == sorted(known)
    assert all(one.available > one.drawn for one in found())


def test_only_what_the_process_has_is_asked_for_and_ph_always() -> None:
    assert {one.assay for one in found()} == {"dry_mass", "glucose", "acetate", "ph"}


def test_standard_results_are_those_of_the_plants_laboratory() -> None:
    glucose = [one for one in found() if one.assay == "glucose"]
    column = [tag.name for tag in ASSAYS].index("LAB.GLUCOSE")
    assert {one.value for one in glucose} == {float(column + 1)}
    assert {one.unit for one in glucose} == {"g/L"}


@pytest.mark.parametrize("name", ["dry_mass", "acetate"])
def test_the_error_of_the_rest_is_that_of_the_method(name: str) -> None:
    values = np.array(
        [one.value for n in range(40) for one in found(number=n) if one.assay == name]
    )
    assert values.mean() == pytest.approx(INSIDE[name], rel=0.01)
    spread = values.std() / INSIDE[name]
    assert spread == pytest.approx(OWN[name].error, rel=0.2)


def test_a_result_depends_on_seed_batch_and_sample_only() -> None:
    assert found() == found()
    assert found(samples=3)[0].value == found()[0].value
    assert found(seed=2) != found()


def test_samples_are_named_after_the_batch() -> None:
    assert found()[0].sample == "ECOLI-2026-0001-S01"
