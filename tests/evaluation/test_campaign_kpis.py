"""A campaign of one short batch, with and without a fault, from plant to figures.

All of it: `python -m tests.evaluation.campaign_kpis`.
"""

from __future__ import annotations

import pytest

from shared.events import Cause
from tests.evaluation.campaign_figures import figures
from tests.evaluation.campaign_kpis import ATTENTIVE_US, Part, told
from tests.evaluation.campaign_record import Told

pytestmark = [pytest.mark.xdist_group("campaign"), pytest.mark.timeout(300)]

ROWS_S = 120
CLOCK_US = 4 * ROWS_S * 1_000_000
"""From clock record to clock record: the operator looks as often."""
TRIP = "SIC-101.PV/limit-ll"


@pytest.fixture(scope="module")
def both() -> list[Told]:
    """Return a batch of a day and a half, without a fault and with a stirrer trip."""
    return list(told(Part(7, 3, ("A06",)), ROWS_S, hours=36.0))


def test_the_trip_is_in_the_figures_of_the_faulty_batch_only(both: list[Told]) -> None:
    assert [(one.number, one.fault) for one in both] == [(3, None), (3, "A06")]
    clean, faulty = (figures([one])[0] for one in both)
    assert TRIP not in {one.check for one in clean.frequent}
    assert TRIP in {one.check for one in faulty.frequent}
    assert faulty.priorities[0] == clean.priorities[0] + 1
    assert faulty.end == clean.end == both[0].length


def test_until_the_fault_begins_both_say_the_same(both: list[Told]) -> None:
    clean, faulty = both
    trip = min(turn.time for turn in faulty.ours if turn.check == TRIP)
    before = [turn for turn in faulty.ours if turn.time < trip - ATTENTIVE_US]
    assert before
    assert before == list(clean.ours)[: len(before)]


def test_the_operator_acknowledges_what_is_known_for_ten_minutes(
    both: list[Told],
) -> None:
    faulty = both[1].ours
    known = {t.alarm: t.known for t in faulty if t.cause is Cause.RAISED}
    seen = [t for t in faulty if t.cause is Cause.ACKNOWLEDGED]
    assert len({t.alarm for t in seen}) == len(seen) > 0
    for turn in seen:
        waited = turn.time - known[turn.alarm]
        assert ATTENTIVE_US <= waited <= ATTENTIVE_US + CLOCK_US
