"""Limits: deadband, delays in lived time, chatter, holding values, phases."""

from __future__ import annotations

import numpy as np

from shared.checks import Limit, TagChecks
from shared.events import Cause, Command, CommandKind
from tests.neighbours.watched import BAD, NOON, S, after, block, told, watching

HIGH = TagChecks(limits=(Limit(side="h", value=10.0, deadband=0.5),))


def test_a_value_beyond_its_limit_is_raised_after_its_on_delay() -> None:
    watch = watching({"A": HIGH})
    events = watch.readings(block(1, range(200), [9.0] * 50 + [11.0] * 150))
    (raised,) = told(events)
    assert (raised.cause, after(raised.time)) == (Cause.RAISED, 110)
    assert after(raised.explanation.since) == 50
    assert raised.simulated


def test_an_alarm_returns_only_below_the_deadband_and_after_its_off_delay() -> None:
    watch = watching({"A": HIGH})
    values = [11.0] * 100 + [9.7] * 100 + [9.4] * 100
    events = watch.readings(block(1, range(300), values))
    assert [(e.cause, after(e.time)) for e in told(events)] == [
        (Cause.RAISED, 60),
        (Cause.RETURNED, 230),
    ]


def test_chatter_of_one_hertz_around_a_limit_is_one_activation() -> None:
    for deadband in (0.0, 0.5):
        limit = Limit(side="h", value=10.0, deadband=deadband)
        watch = watching({"A": TagChecks(limits=(limit,))})
        values = [10.2 if s % 2 else 9.8 for s in range(3600)]
        (raised,) = told(watch.readings(block(1, range(3600), values)))
        assert raised.cause is Cause.RAISED


def test_a_value_at_its_limit_that_no_longer_changes_completes_its_on_delay() -> None:
    watch = watching({"A": HIGH})
    watch.readings(block(1, [0.0], 10.0))
    events = [e for s in range(1, 70) for e in watch.clock(NOON + s * S, {1: True})]
    (raised,) = [e for e in told(events) if e.check.endswith("limit-h")]
    assert after(raised.time) == 60


def test_time_without_proof_of_life_does_not_count() -> None:
    watch = watching({"A": HIGH})
    watch.readings(block(1, [0.0, 10.0], 11.0))
    for s in range(11, 500):
        assert not [
            e
            for e in told(watch.clock(NOON + s * S, {1: False}))
            if e.check.endswith("limit-h")
        ]
    (raised,) = told(watch.readings(block(1, range(500, 600), 11.0)), Cause.RAISED)
    # the first clock still had heard the reading at 10 s: 11 s had passed, 49 remain
    assert after(raised.time) == 549


def test_bad_readings_freeze_the_timer() -> None:
    watch = watching({"A": HIGH})
    events = watch.readings(block(1, range(31), 11.0))
    events += watch.readings(block(1, range(31, 131), np.nan, BAD))
    events += watch.readings(block(1, range(131, 200), 11.0))
    (raised,) = told(events)
    assert after(raised.time) == 160  # 31 s counted before, 29 s after


def test_an_engineering_limit_status_still_counts_as_a_value_of_now() -> None:
    watch = watching({"A": HIGH})
    (raised,) = told(watch.readings(block(1, range(70), 99.0, 0x40940000)))
    assert raised.explanation.quality.startswith("mixed: 0 good")
    stale = watching({"A": HIGH})
    assert not stale.readings(block(1, range(70), 99.0, 0x40900000))


def test_a_limit_follows_the_setpoint_it_is_measured_from() -> None:
    limit = Limit(side="h", value=0.5, of="SP", on_delay_s=0)
    watch = watching({"SP": None, "PV": TagChecks(limits=(limit,))})
    watch.readings(block(1, [0.0], 37.0))
    assert not watch.readings(block(2, [1.0], 37.4))
    watch.readings(block(1, [2.0], 33.0))
    (raised,) = told(watch.readings(block(2, [3.0], 37.4)))
    assert raised.explanation.expected.startswith("below 0.5 Cel from SP")


def test_a_check_is_silent_outside_its_phases() -> None:
    limit = Limit(side="h", value=10.0, phases=("Feed",))
    watch = watching({"A": TagChecks(limits=(limit,))})
    watch.context(NOON, "B1", "Clean")
    assert not watch.readings(block(1, range(300), 11.0))
    watch.context(NOON + 300 * S, "B1", "Feed")
    (raised,) = told(watch.readings(block(1, range(300, 400), 11.0)))
    assert (raised.phase, raised.batch) == ("Feed", "B1")
    assert after(raised.explanation.since) == 300
    watch.context(NOON + 400 * S, "B1", "Clean")
    events = watch.readings(block(1, range(400, 500), 11.0))
    assert [e.cause for e in told(events)] == [Cause.RETURNED]


def test_late_readings_revise_silently_unless_the_alarm_stands() -> None:
    watch = watching({"A": HIGH})
    watch.readings(block(1, range(500, 510), 9.0))
    (revised,) = told(watch.late(block(1, range(100, 200), 11.0)))
    assert (revised.cause, revised.priority) == (Cause.REVISED, 4)
    assert revised.detected_late
    assert not watch.late(block(1, range(200, 230), 11.0))
    watch.readings(block(1, range(510, 600), 11.0))
    (loud,) = told(watch.late(block(1, range(300, 400), 11.0)))
    assert loud.priority == 3


def test_a_jump_beyond_both_limits_is_one_alarm_at_a_time() -> None:
    both = TagChecks(limits=(Limit(side="h", value=10.0), Limit(side="hh", value=12.0)))
    watch = watching({"A": both})
    (raised,) = told(watch.readings(block(1, range(600), 13.0)))
    assert raised.check.endswith("limit-hh")
    events = told(watch.readings(block(1, range(600, 800), 11.0)))
    found = [(e.check.rpartition("/")[2], e.cause) for e in events]
    assert found == [("limit-hh", Cause.RETURNED), ("limit-h", Cause.RAISED)]


def test_an_alarm_is_not_raised_beside_its_cause_unless_that_is_hidden() -> None:
    cause = TagChecks(limits=(Limit(side="ll", value=75.0, on_delay_s=20),))
    low = Limit(side="l", value=25.0, on_delay_s=60, covered_by=("B/limit-ll",))
    trip = block([1, 2] * 600, [s for s in range(600) for _ in (1, 2)], 10.0)
    watch = watching({"A": TagChecks(limits=(low,)), "B": cause})
    (raised,) = told(watch.readings(trip))
    assert raised.check == "BR101/B/limit-ll"
    now = NOON + 600 * S
    until = now + 3600 * S
    shelve = Command("c", CommandKind.SHELVE, raised.alarm, "me", now, until=until)
    watch.command(shelve)
    more = block([1, 2] * 90, [s for s in range(600, 690) for _ in (1, 2)], 10.0)
    (other,) = told(watch.readings(more))
    assert other.check == "BR101/A/limit-l"
