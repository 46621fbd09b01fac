"""A chosen rate of false alarms is met within half, and by the monitor itself."""

from __future__ import annotations

from services.monitor.detectors.mewma_rare import learned_rare
from shared.checks import WEEK_S
from tests.evaluation.card_learned import EVERY_S, LEARN, averages, check
from tests.evaluation.card_rows import ROW_S, TAGS, begun, rows_of
from tests.evaluation.card_runs import watched
from tests.evaluation.chosen_rate import ASKED, of_window

WEEKS = 2
VESSELS, ROWS = 15, 3000


def test_one_false_alarm_a_week_is_met_within_half() -> None:
    for window_s, learned in ASKED[::2]:
        for met in of_window(window_s, learned, runs=500):
            assert 0.5 <= met.ratio <= 1.5, met


def test_the_monitor_itself_raises_as_many_as_were_chosen() -> None:
    judged = round(WEEKS * WEEK_S / EVERY_S)
    values = averages(77, LEARN + judged)
    found = watched(
        values,
        EVERY_S,
        residual=lambda name: check(name, {"false_alarms_per_week": 2.0}),
    )
    asked = 2.0 * WEEKS * values.shape[1]
    assert 0.5 <= found.count / asked <= 1.5


def test_vectors_alarm_as_often_as_was_chosen() -> None:
    per_row = 3.0 * ROW_S / WEEK_S
    found = 0
    for vessel in range(VESSELS):
        detector = learned_rare(TAGS, rows_of(300 + vessel, 600), per_row)
        found += len(begun(detector, rows_of(400 + vessel, ROWS)))
    assert 0.5 <= found / (per_row * VESSELS * ROWS) <= 1.5
