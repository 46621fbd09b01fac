"""Figures of merit against answers counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from services.monitor.evaluation.blind import Always, Clock, timer_of
from services.monitor.evaluation.metrics import counted, interval, merit
from services.monitor.evaluation.recording import Answer, Recording


def answer(fault: str, alarm: str, *, name: str = "a", aside: bool = False) -> Answer:
    """Return an answer over rows written as `.` and `x`."""
    truth = np.array([c == "x" for c in fault])
    said = np.array([c == "x" for c in alarm])
    return Answer(Recording(name, "all", np.zeros((len(truth), 1)), truth, aside), said)


#                     0123456789
STEP = answer("....xxxxxx", ".x....xxxx")
SIX = answer("..xxxxxxxx", "...xxxxxxx")


def test_rows_are_pooled_over_recordings() -> None:
    rows = counted([STEP, answer("..", "x.")])
    assert (rows.hit, rows.false, rows.missed, rows.quiet) == (4, 2, 2, 4)
    assert rows.f1 == pytest.approx(2 * 4 / (2 * 4 + 2 + 2))
    assert rows.far == pytest.approx(100 * 2 / 6)
    assert rows.mar == pytest.approx(100 * 2 / 6)
    assert rows.balanced == pytest.approx(100 * (1 - 1 / 3))


def test_delay_ends_with_the_first_of_six_alarm_rows() -> None:
    found = merit([SIX, answer("..xxxxxxxx", "..xxxxx.xx", name="b")])
    assert (found.detected, found.faulty) == (1, 2)
    assert found.delay == np.inf  # the median of 1 row and never
    assert merit([SIX]).delay == 1.0


def test_a_recording_set_aside_counts_only_where_all_are_meant() -> None:
    found = merit([SIX, answer("..xxxxxxxx", "..........", aside=True)])
    assert found.fdr == pytest.approx(100 * 7 / 8)
    assert found.fdr_all == pytest.approx(100 * 7 / 16)
    assert (found.detected, found.faulty) == (1, 1)


def test_an_event_is_hit_by_so_many_alarm_rows_in_a_row() -> None:
    twice = answer("xxxx..xxxx", "x.xx..xx.x")
    assert merit([twice], consecutive=2).events_hit == 100.0
    assert merit([twice], consecutive=3).events_hit == 0.0
    assert merit([twice], consecutive=3).events == 2


def test_false_alarms_are_runs_that_begin_without_a_fault() -> None:
    found = merit([answer("......xx", "xx.x.xxx")], row_s=3600.0)
    assert found.false_per_day == pytest.approx(3 / (6 / 24))


def test_a_figure_that_cannot_be_said_is_no_number() -> None:
    found = merit([answer("....", "x...")])
    assert np.isnan(found.fdr)
    assert np.isnan(found.delay)
    assert np.isnan(found.events_hit)
    assert found.rows.far == found.far_faultless == 25.0
    with_fault = merit([answer("....", "x..."), answer("..x.", "xxxx", name="b")])
    assert with_fault.far_faultless == 25.0
    assert with_fault.rows.far == pytest.approx(100 * 4 / 7)


def test_the_interval_is_drawn_over_recordings() -> None:
    same = [answer("xx", "xx", name=str(i)) for i in range(5)]
    assert interval(same, 1) == (100.0, 100.0)
    mixed = [answer("xx", "x" * (2 * (i % 2)) or "..", name=str(i)) for i in range(8)]
    low, high = interval(mixed, 1)
    assert 0.0 < low < 50.0 < high < 100.0
    folds = [*mixed, *mixed, *mixed]
    assert interval(folds, 1) == (low, high)  # a fold brings no new recording


def test_the_blind_know_positions_and_no_values() -> None:
    rows = np.full((120, 2), np.nan)
    assert Always().alarms(rows).all()
    assert Clock().alarms(rows).sum() == 60
    faults = [np.arange(120) >= 30, (np.arange(120) >= 40) & (np.arange(120) < 100)]
    timer = timer_of([*faults, np.zeros(120, np.bool_)])
    assert np.flatnonzero(timer.alarms(rows))[[0, -1]].tolist() == [35, 109]
