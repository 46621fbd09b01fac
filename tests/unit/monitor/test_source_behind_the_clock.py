"""A simulated plant that catches up, goes live, and falls silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.monitor.partition import PartitionWatch
from shared.events import AlarmTransition, Cause
from tests.neighbours.story import (
    NOON_US,
    S_US,
    clock,
    configuration,
    liveness,
    readings,
    records,
    rows,
)

if TYPE_CHECKING:
    from shared.bus import Message

PAST_S = 6 * 3_600
STEP_S = 60
TAG = 21


def reading(second: float, value: float, received: float) -> Message:
    """Return one reading of BR102 as the collector wrote it."""
    at = NOON_US + round(second * S_US)
    delay = round((received - second) * S_US)
    return readings(rows([TAG], [at], [value], delay_us=delay), server="past")


def caught_up(value: float = 36.0) -> list[Message]:
    """Return six hours of past within 36 s, too warm from -4 h to -3 h."""
    messages = [configuration()]
    for n in range(PAST_S // STEP_S):
        wall = n / 10 - 36.0
        second = -PAST_S + n * STEP_S
        warm = -4 * 3_600 <= second < -3 * 3_600
        messages.append(reading(second, 38.0 if warm else value, wall))
        if n % 10 == 0:
            messages += [liveness(wall, "past"), clock(wall)]
    return messages


def live(first: int, end: int) -> list[Message]:
    """Return seconds in which the plant is at the clock."""
    messages = []
    for second in range(first, end):
        messages.append(reading(second, 36.0, second + 0.1))
        messages += [liveness(second + 0.2, "past"), clock(second + 0.3)]
    return messages


def transitions(
    watch: PartitionWatch, messages: list[Message]
) -> list[tuple[str, float]]:
    """Return check and cause with the second of the story."""
    return [
        (f"{event.check} {event.cause}", (event.time - NOON_US) / S_US)
        for record in records(messages, partition=1)
        for event in watch.see(record)
        if isinstance(event, AlarmTransition)
    ]


def test_alarms_of_the_past_have_the_times_of_the_past() -> None:
    watch = PartitionWatch(1)
    found = transitions(watch, caught_up() + live(0, 60))
    name = "BR102/T/limit-h"
    raised, returned = -4 * 3_600 + 60.0, -3 * 3_600 + 60.0
    assert found == [
        (f"{name} {Cause.RAISED}", raised),
        (f"{name} {Cause.RETURNED}", returned),
    ]
    assert watch.vessels["BR102"].reorder.marks.late == 0
    assert watch.unreadable == ""


def test_going_live_makes_no_silence() -> None:
    watch = PartitionWatch(1)
    found = transitions(watch, caught_up() + live(0, 120))
    assert not [name for name, _ in found if "no-data" in name]
    assert watch.vessels["BR102"].reorder.marks.passed == NOON_US + 116_300_000


def test_a_silent_server_is_noticed_live_and_while_it_catches_up() -> None:
    silence = [clock(second) for second in range(60, 120)]
    for before, since in ((caught_up() + live(0, 60), 59.3), (caught_up(), -60.0)):
        watch = PartitionWatch(1)
        found = [f for f in transitions(watch, before + silence) if "no-data" in f[0]]
        assert len(found) == 1, found
        name, second = found[0]
        assert name == f"past/no-data {Cause.RAISED}"
        assert since + 25 < second < since + 110


def test_a_vessel_that_falls_silent_seconds_after_going_live_is_noticed_in_time() -> (
    None
):
    proven = [
        message
        for second in range(6, 90)
        for message in (liveness(second + 0.2, "past"), clock(second + 0.3))
    ]
    found = transitions(PartitionWatch(1), caught_up() + live(0, 6) + proven)
    ((name, second),) = [f for f in found if "no-data" in f[0]]
    assert name == f"BR102/no-data {Cause.RAISED}"
    assert second <= 6 + 60
