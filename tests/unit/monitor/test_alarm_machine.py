"""The ISA-18.2 machine: every state, every command, random inputs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.monitor import alarms
from services.monitor.alarms import Alarm
from shared.events import AlarmState, Cause, Command, CommandKind, Explanation

WHY = Explanation("c", "t", 1.0, "e", 0, "q", (), "/recorded?tag=t", "a")
PLAIN = Alarm("BR101/A/limit-h", 2)


def raised(alarm: Alarm = PLAIN) -> Alarm:
    return alarms.raised(alarm, 100, WHY).alarm


def say(alarm: Alarm, kind: CommandKind, until: int | None = None) -> alarms.Step:
    occurrence = alarm.occurrence or "none"
    return alarms.commanded(
        alarm, Command("id", kind, occurrence, "me", 200, until=until)
    )


def test_acknowledged_then_gone_is_normal() -> None:
    seen = say(raised(), CommandKind.ACKNOWLEDGE)
    assert (seen.alarm.state, seen.cause) == (
        AlarmState.ACKNOWLEDGED,
        Cause.ACKNOWLEDGED,
    )
    assert alarms.returned(seen.alarm).alarm.state is AlarmState.NORMAL


def test_gone_before_it_was_seen_waits_for_the_acknowledgement() -> None:
    gone = alarms.returned(raised())
    assert gone.alarm.state is AlarmState.RETURNED
    assert say(gone.alarm, CommandKind.ACKNOWLEDGE).alarm.state is AlarmState.NORMAL


def test_what_comes_back_before_it_was_seen_is_the_same_occurrence() -> None:
    again = alarms.raised(alarms.returned(raised()).alarm, 900, WHY).alarm
    assert again.occurrence == raised().occurrence
    normal = alarms.returned(say(again, CommandKind.ACKNOWLEDGE).alarm).alarm
    assert alarms.raised(normal, 900, WHY).alarm.occurrence != again.occurrence


def test_a_latched_alarm_stays_until_it_is_seen_and_reset() -> None:
    latched = alarms.returned(raised(replace(PLAIN, latch=True))).alarm
    assert latched.state is AlarmState.LATCHED_UNACKNOWLEDGED
    seen = say(latched, CommandKind.ACKNOWLEDGE).alarm
    assert seen.state is AlarmState.LATCHED_ACKNOWLEDGED
    assert say(seen, CommandKind.RESET).alarm.state is AlarmState.NORMAL
    assert say(raised(), CommandKind.RESET).cause is None


def test_a_shelf_ends_and_shows_what_still_stands() -> None:
    shelved = say(raised(), CommandKind.SHELVE, until=500).alarm
    assert shelved.state is AlarmState.SHELVED
    assert alarms.passed(shelved, 499).cause is None
    back = alarms.passed(shelved, 500)
    assert (back.alarm.state, back.cause) == (
        AlarmState.UNACKNOWLEDGED,
        Cause.SHELF_EXPIRED,
    )
    gone = alarms.returned(shelved)
    assert gone.cause is None
    assert say(gone.alarm, CommandKind.UNSHELVE).alarm.state is AlarmState.NORMAL


def test_a_shelf_without_an_end_is_none() -> None:
    assert say(raised(), CommandKind.SHELVE).cause is None
    assert say(raised(), CommandKind.SHELVE, until=200).cause is None


def test_an_alarm_for_the_record_asks_nobody() -> None:
    record = raised(replace(PLAIN, priority=4))
    assert record.state is AlarmState.ACKNOWLEDGED
    assert alarms.returned(record).alarm.state is AlarmState.NORMAL


INPUTS = st.lists(st.sampled_from(["raise", "return", "pass", *CommandKind]))


@given(INPUTS, st.sampled_from([PLAIN, replace(PLAIN, latch=True)]))
def test_any_inputs_leave_a_state_that_fits_the_condition(
    inputs: list[str], begin: Alarm
) -> None:
    alarm, standing, now = begin, False, 0
    for word in inputs:
        now += 100
        before = alarm
        if word == "raise":
            step, standing = alarms.raised(alarm, now, WHY), True
        elif word == "return":
            step, standing = alarms.returned(alarm), False
        elif word == "pass":
            step = alarms.passed(alarm, now)
        else:
            kind = CommandKind(word)
            said = Command(
                str(now), kind, alarm.occurrence or "", "me", now, until=now + 150
            )
            step = alarms.commanded(alarm, said)
        alarm = step.alarm
        assert alarm.standing is standing
        if step.cause is None:
            assert alarm.state is before.state
        if standing and alarm.state is not alarm.hidden:
            assert alarm.state in {AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED}
        if not standing:
            assert alarm.state not in {
                AlarmState.UNACKNOWLEDGED,
                AlarmState.ACKNOWLEDGED,
            }
