"""A small part of the catalogue: fast faults of the first two days, one seed.

All of it: `python -m tests.evaluation.catalogue`.
"""

from __future__ import annotations

import pytest

from tests.evaluation.catalogue import outcome
from tests.evaluation.catalogue_score import Outcome
from tests.evaluation.simulated_batches import simulated
from tests.evaluation.watched_batches import watch

pytestmark = [pytest.mark.xdist_group("catalogue"), pytest.mark.timeout(600)]

FAULTS = ("S03", "S07", "S14", "A06", "A08", "A10", "C01", "C02", "H02", None)
SEED = 7
HOURS = 44.0
ROWS_S = 60


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """Return what became of each fault."""
    run = simulated(SEED, FAULTS, ROWS_S, hours=HOURS)
    return {
        str(fault): outcome(run, place, watch(run, place))
        for place, fault in enumerate(FAULTS)
    }


@pytest.mark.parametrize("fault", [f for f in FAULTS if f and f != "H02"])
def test_a_fast_fault_is_found_soon_and_its_kind_is_right(
    outcomes: dict[str, Outcome], fault: str
) -> None:
    found = outcomes[fault]
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
