"""Readings that say themselves that they are not to be used."""

from __future__ import annotations

import json

from services.monitor.vessel import VesselWatch
from shared.checks import Quality, TagChecks
from shared.events import AlarmTransition, Cause
from tests.neighbours.watched import (
    BAD,
    OUT_OF_SERVICE,
    after,
    block,
    plant,
    told,
    watching,
)

CHECKS = {"PV": TagChecks(quality=Quality(over_s=60, most=0.2))}


def run(watch: VesselWatch, seconds: range, status: int) -> list[AlarmTransition]:
    return told(
        [e for s in seconds for e in watch.readings(block(1, [s], 20.0, status))]
    )


def test_bad_readings_for_good_are_one_alarm_within_three_windows() -> None:
    watch = watching(CHECKS)
    assert not run(watch, range(0, 600, 5), 0)
    (raised,) = run(watch, range(600, 900, 5), BAD)
    assert raised.cause is Cause.RAISED
    assert after(raised.time) <= 780
    assert "for good" in raised.explanation.expected
    assert [e.cause for e in run(watch, range(900, 1100, 5), 0)] == [Cause.RETURNED]


def test_readings_that_come_and_go_say_so() -> None:
    watch = watching(CHECKS)
    found = [
        event
        for start in range(0, 600, 20)
        for event in run(watch, range(start, start + 20, 5), BAD * (start % 40 == 0))
    ]
    (raised,) = found
    assert "coming and going" in raised.explanation.expected


def test_a_single_bad_window_and_an_instrument_out_of_service_are_no_alarm() -> None:
    watch = watching(CHECKS)
    run(watch, range(0, 300, 5), 0)
    assert not run(watch, range(300, 350, 5), BAD)
    assert not run(watch, range(350, 600, 5), 0)
    assert not run(watch, range(600, 1800, 5), OUT_OF_SERVICE)


def test_it_goes_on_from_its_state_as_if_nothing_had_happened() -> None:
    one = watching(CHECKS)
    run(one, range(0, 670, 5), 0)
    run(one, range(670, 700, 5), BAD)
    made = plant(CHECKS)
    other = VesselWatch(made, made.vessels[0], servers=made.servers)
    other.restore(json.loads(json.dumps(one.state())))
    rest = range(700, 1000, 5)
    assert run(one, rest, BAD) == run(other, rest, BAD) != []
