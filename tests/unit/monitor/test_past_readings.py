"""What a gap hid is judged when it comes from the server's history, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.monitor.partition import PartitionWatch
from shared.bus import Message
from shared.domain import Kind
from shared.events import AlarmTransition, Cause
from shared.wire_events import encode_event
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
    from shared.wire_events import Event

T, GONE, BACK, LAST = 11, 40, 80, 100
HOT, WELL = 39.0, 37.0


def temperature(seconds: range, value: float) -> Message:
    times = [NOON_US + second * S_US for second in seconds]
    return readings(rows([T] * len(times), times, [value] * len(times)))


def past(seconds: range, value: float) -> Message:
    told = temperature(seconds, value)
    return Message({**told.headers, "kind": Kind.PAST.value}, told.value)


def story(*late: Message) -> list[Message]:
    """Return a well vessel that is silent from GONE to BACK, and what comes then."""
    told = [configuration()]
    for second in range(LAST):
        if not GONE <= second < BACK:
            told.append(temperature(range(second, second + 1), WELL))
            told.append(liveness(second + 0.2))
        told.append(clock(second + 0.3))
    return [*told, *late, clock(LAST + 1.0)]


def events(told: list[Message]) -> list[Event]:
    watch = PartitionWatch(0)
    found = [event for record in records(told) for event in watch.see(record)]
    assert watch.unreadable == ""
    return found


def revisions(told: list[Message]) -> list[AlarmTransition]:
    return [
        event
        for event in events(told)
        if isinstance(event, AlarmTransition) and event.detected_late
    ]


def test_an_excursion_that_a_gap_hid_is_a_silent_revision_at_its_time() -> None:
    (revised,) = revisions(story(past(range(GONE, BACK), HOT)))
    assert (revised.check, revised.cause) == ("BR101/T/limit-h", Cause.REVISED)
    assert GONE * S_US <= revised.explanation.since - NOON_US < BACK * S_US


def test_a_gap_that_hid_nothing_changes_nothing() -> None:
    quiet = [encode_event(event) for event in events(story())]
    filled = story(past(range(GONE, BACK), WELL))
    assert [encode_event(event) for event in events(filled)] == quiet


def test_the_same_past_twice_is_the_same_revision() -> None:
    hidden = past(range(GONE, BACK), HOT)
    first, again = revisions(story(hidden, hidden))
    assert encode_event(first) == encode_event(again)


def test_of_tags_never_heard_and_of_times_to_come_nothing_is_judged() -> None:
    unheard = rows([12] * 30, [NOON_US + s * S_US for s in range(GONE, 70)], [9.0] * 30)
    told = readings(unheard)
    message = Message({**told.headers, "kind": Kind.PAST.value}, told.value)
    ahead = past(range(LAST + 50, LAST + 80), HOT)
    assert not revisions(story(message, ahead))
