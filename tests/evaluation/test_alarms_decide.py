"""Faults are found in time and batches without faults stay quiet: one seed each.

All seeds: `python -m tests.evaluation.faults` and `...evaluation.false_alarms`.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulators.faults import catalogue, scenario
from tests.evaluation.false_alarms import run_batch
from tests.evaluation.faults import VESSELS, Played, play, table

pytestmark = pytest.mark.xdist_group("evaluated alarms")
"""One worker plays the scenario once."""

SEED = 5
"""Another one than those of the demo and of the tests of the whole plant."""


@pytest.fixture(scope="module")
def played() -> Played:
    """Return the scenario as the monitor saw it."""
    return play(SEED)


@pytest.mark.timeout(600)
def test_each_fault_is_found_within_its_limit_on_its_vessel(played: Played) -> None:
    assert all(outcome.is_right for outcome in played.outcomes), table([played])


@pytest.mark.timeout(600)
def test_nothing_urgent_is_said_that_no_fault_explains(played: Played) -> None:
    assert not [alarm.check for alarm in played.unexplained]


@pytest.mark.timeout(600)
def test_the_drifts_are_not_found_with_the_learned_detectors_off(
    played: Played,
) -> None:
    assert not [alarm.check for alarm in played.without_learned]


def test_the_limits_are_those_that_were_fixed_before() -> None:
    fixed = {
        "A06": timedelta(minutes=2),
        "C01": timedelta(seconds=60),
        "S07": timedelta(minutes=30),
        "A01": timedelta(hours=4),
        "S01": timedelta(days=3),
        "S04": timedelta(days=3),
        "H02": None,
    }
    known = catalogue.load()
    wanted = scenario.load("deciding", known, VESSELS)
    assert {(f.fault, f.alarm_within) for f in wanted.faults} == set(fixed.items())
    sizes = {f.fault: f.magnitude for f in wanted.faults if f.magnitude is not None}
    for fault, size in sizes.items():
        assert abs(size) <= known.faults[fault].magnitude.default


@pytest.mark.timeout(600)
def test_a_fault_free_batch_raises_nothing_urgent_and_little_else() -> None:
    batch = run_batch(SEED, rows_s=120)
    assert batch.is_quiet, [alarm.check for alarm in batch.raised]
