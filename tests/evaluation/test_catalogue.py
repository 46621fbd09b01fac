"""A small part of the catalogue: fast faults of the first two days, one seed.

All of it: `python -m tests.evaluation.catalogue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.evaluation.catalogue import outcome
from tests.evaluation.catalogue_record import noted, read
from tests.evaluation.catalogue_score import Alarms, Outcome, caused
from tests.evaluation.catalogue_table import table
from tests.evaluation.simulated_batches import Run, simulated
from tests.evaluation.watched_batches import Watched, watch, watch_family

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("catalogue"), pytest.mark.timeout(600)]

FAULTS = ("S03", "S07", "S14", "A06", "A08", "A10", "C01", "C02", "C03", "H02")
SEED = 7
HOURS = 44.0
ROWS_S = 60
ALONE = len(FAULTS) + 1
"""Place of the batch that has no family."""


@pytest.fixture(scope="module")
def run() -> Run:
    """Return one batch without a fault and with each, and another without one."""
    return simulated(SEED, [FAULTS, ()], ROWS_S, hours=HOURS)


@pytest.fixture(scope="module")
def family(run: Run) -> dict[int, Watched]:
    """Return what the monitor says of the family."""
    return dict(watch_family(run, 0))


@pytest.fixture(scope="module")
def outcomes(run: Run, family: dict[int, Watched]) -> dict[str, Outcome]:
    """Return what became of each fault."""
    found = {"None": outcome(run, ALONE, watch(run, ALONE), Alarms())}
    for place, fault in enumerate(FAULTS, 1):
        found[fault] = outcome(run, place, family[place], Alarms())
    return found


@pytest.mark.parametrize("fault", [f for f in FAULTS if f != "H02"])
def test_a_fast_fault_is_found_soon_and_its_kind_is_right(
    outcomes: dict[str, Outcome], fault: str
) -> None:
    found = caused(outcomes[fault])
    assert found.truth is not None
    assert found.first is not None
    assert found.delay_h is not None
    assert -0.1 <= found.delay_h <= 3.0
    assert found.first.verdict == found.truth.kind, found.first.text
    assert found.truth.target is None or found.truth.target in found.first.ranked[:3]


@pytest.mark.parametrize("fault", ["H02", "None"])
def test_a_calibration_and_a_batch_without_a_fault_are_silent(
    outcomes: dict[str, Outcome], fault: str
) -> None:
    assert not outcomes[fault].said


def test_nothing_urgent_is_said_before_a_fault_begins(
    outcomes: dict[str, Outcome],
) -> None:
    early = [
        said.check
        for one in outcomes.values()
        for said in one.said
        if one.truth is not None and said.time < one.truth.onset
    ]
    assert not early


def test_batches_of_a_family_are_the_same_until_their_faults_begin(run: Run) -> None:
    for place in run.family(0):
        truth = run.truths[place]
        assert truth is not None
        before = run.times < truth.onset
        same = np.array_equal(run.values[before, place], run.values[before, 0])
        assert same, truth.fault
    assert not np.array_equal(run.values[:100, ALONE], run.values[:100, 0])


@pytest.mark.parametrize("fault", ["S14", "C01", "C03"])
def test_what_is_said_is_the_same_whether_the_beginning_is_shared_or_not(
    run: Run, family: dict[int, Watched], fault: str
) -> None:
    place = FAULTS.index(fault) + 1
    alone = watch(run, place)
    assert alone.journal == family[place].journal
    assert alone.readings > family[place].readings


def test_outcomes_that_were_noted_are_read_as_they_were(
    outcomes: dict[str, Outcome], tmp_path: Path
) -> None:
    for one in outcomes.values():
        noted(one, tmp_path, "7")
    assert read([tmp_path]) == list(outcomes.values())
    assert table(read([tmp_path])) == table(list(outcomes.values()))
