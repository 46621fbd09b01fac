"""Every state that an alarm can get into, and every input there: what must hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pytest

from services.monitor import alarms
from services.monitor.alarms import Alarm, Step
from shared.events import AlarmState, Cause, Command, CommandKind, Explanation

WHY = Explanation("c", "t", 1.0, "e", 0, "q", (), "/recorded?tag=t", "a")
NOW, LATER = 200, 500
SEEN, UNSEEN = AlarmState.ACKNOWLEDGED, AlarmState.UNACKNOWLEDGED
HIDDEN = {AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE}
LATCHED = {AlarmState.LATCHED_ACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED}

Input = Callable[[Alarm], Step]


def say(kind: CommandKind) -> Input:
    """Return the input of a command; a shelf would end at LATER."""

    def command(alarm: Alarm) -> Step:
        said = Command("id", kind, alarm.occurrence or "", "me", NOW, until=LATER)
        return alarms.commanded(alarm, said)

    return command


INPUTS: dict[str, Input] = {
    "raise": lambda alarm: alarms.raised(alarm, NOW, WHY),
    "return": alarms.returned,
    "suppress": lambda alarm: alarms.suppressed(alarm, "phase Sterilise"),
    "unsuppress": alarms.unsuppressed,
    "before the shelf ends": lambda alarm: alarms.passed(alarm, LATER - 1),
    "the shelf ends": lambda alarm: alarms.passed(alarm, LATER),
    "withdraw": alarms.withdrawn,
    **{kind.value: say(kind) for kind in CommandKind},
}
BEGINS = [
    Alarm("BR101/A/limit-h", priority, latch)
    for priority in (2, 4)
    for latch in (False, True)
]


def reachable() -> list[Alarm]:
    """Return every alarm that any inputs lead to."""
    found = dict.fromkeys(BEGINS)
    waiting = deque(BEGINS)
    while waiting:
        alarm = waiting.popleft()
        for work in INPUTS.values():
            after = work(alarm).alarm
            if after not in found:
                found[after] = None
                waiting.append(after)
    return list(found)


ALARMS = reachable()
STEPS = [
    pytest.param(name, [(alarm, work(alarm)) for alarm in ALARMS], id=name)
    for name, work in INPUTS.items()
]
every_input = pytest.mark.parametrize(("name", "steps"), STEPS)


def test_every_state_can_be_reached() -> None:
    assert {alarm.state for alarm in ALARMS} == set(AlarmState)
    assert len(ALARMS) > 70


def test_no_active_alarm_is_invisible_without_a_named_reason() -> None:
    for alarm in ALARMS:
        if alarm.state in HIDDEN:
            assert alarm.state is alarm.hidden
        elif alarm.standing:
            assert alarm.state in {SEEN, UNSEEN}
        else:
            assert alarm.state not in {SEEN, UNSEEN}


@every_input
def test_every_change_of_state_is_on_record(
    name: str, steps: list[tuple[Alarm, Step]]
) -> None:
    for before, step in steps:
        if step.alarm.state is not before.state:
            assert step.cause is not None, (name, before)
        if step.cause is not None:
            assert step.alarm.occurrence is not None


@every_input
def test_only_its_own_end_shows_what_was_hidden(
    name: str, steps: list[tuple[Alarm, Step]]
) -> None:
    ends = {
        AlarmState.SHELVED: {"unshelve", "the shelf ends"},
        AlarmState.SUPPRESSED: {"unsuppress"},
        AlarmState.OUT_OF_SERVICE: {"put-back-in-service"},
    }
    for before, step in steps:
        if before.state in HIDDEN and step.alarm.state not in HIDDEN:
            assert name in ends[before.state] | {"withdraw"}
        if before.state in HIDDEN and name in ends[before.state]:
            assert step.alarm.state is not before.state


@every_input
def test_a_latch_is_left_by_a_reset_or_with_its_check_only(
    name: str, steps: list[tuple[Alarm, Step]]
) -> None:
    for before, step in steps:
        latched = (
            before.latch and before.latched and before.state in {*LATCHED, *HIDDEN}
        )
        if latched and step.alarm.state is AlarmState.NORMAL:
            assert name in {"reset", "withdraw"}


@every_input
def test_a_repeated_word_changes_nothing(
    name: str, steps: list[tuple[Alarm, Step]]
) -> None:
    for _, step in steps:
        assert INPUTS[name](step.alarm).alarm == step.alarm


@every_input
def test_an_occurrence_lasts_until_it_is_over(
    name: str, steps: list[tuple[Alarm, Step]]
) -> None:
    for before, step in steps:
        if before.state is not AlarmState.NORMAL:
            assert step.alarm.occurrence == before.occurrence


def after(*names: str, begin: Alarm = BEGINS[0]) -> tuple[AlarmState, Cause | None]:
    step = Step(begin)
    for name in names:
        step = INPUTS[name](step.alarm)
    return step.alarm.state, step.cause


TAKE_OUT, PUT_BACK = "take-out-of-service", "put-back-in-service"
SUPPRESSED, OUT = AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE


@pytest.mark.parametrize(
    ("inputs", "state", "cause"),
    [
        (("suppress",), AlarmState.NORMAL, None),
        (("suppress", "raise"), SUPPRESSED, Cause.RAISED),
        (("suppress", "raise", "unsuppress"), UNSEEN, Cause.UNSUPPRESSED),
        (
            ("suppress", "raise", "return", "unsuppress"),
            AlarmState.NORMAL,
            Cause.UNSUPPRESSED,
        ),
        (("raise", "suppress"), SUPPRESSED, Cause.SUPPRESSED),
        (("raise", "suppress", "shelve"), SUPPRESSED, None),
        (("raise", "suppress", "acknowledge"), SUPPRESSED, None),
        (("raise", "shelve", "suppress"), SUPPRESSED, Cause.SUPPRESSED),
        (
            ("raise", "shelve", "suppress", "unsuppress"),
            AlarmState.SHELVED,
            Cause.UNSUPPRESSED,
        ),
        (("raise", "shelve", "suppress", "the shelf ends"), SUPPRESSED, None),
        (("raise", TAKE_OUT), OUT, Cause.TAKEN_OUT),
        (("raise", TAKE_OUT, "return", "raise"), OUT, None),
        (("raise", TAKE_OUT, PUT_BACK), UNSEEN, Cause.PUT_BACK),
        (("raise", TAKE_OUT, "suppress", PUT_BACK), SUPPRESSED, Cause.PUT_BACK),
        (("raise", "shelve", TAKE_OUT, PUT_BACK), UNSEEN, Cause.PUT_BACK),
        (("raise", TAKE_OUT, "return", PUT_BACK), AlarmState.NORMAL, Cause.PUT_BACK),
        ((TAKE_OUT,), AlarmState.NORMAL, None),
    ],
)
def test_what_hides_an_alarm_takes_its_turn(
    inputs: tuple[str, ...], state: AlarmState, cause: Cause | None
) -> None:
    assert after(*inputs) == (state, cause)


def test_a_shelf_does_not_undo_a_latch() -> None:
    latching = replace(BEGINS[0], latch=True)
    inputs = ("raise", "acknowledge", "shelve", "return", "the shelf ends")
    state, cause = after(*inputs, begin=latching)
    assert (state, cause) == (AlarmState.LATCHED_UNACKNOWLEDGED, Cause.SHELF_EXPIRED)
    assert after(*inputs, "acknowledge", "reset", begin=latching)[0] is (
        AlarmState.NORMAL
    )
