"""The alarm machine of ISA-18.2 as pure functions: alarm and input in, alarm out.

An occurrence lasts from its raise until it is both seen and gone (state normal). What
comes back before that is the same occurrence. See docs/decisions/0008.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.events import AlarmState, Cause, Command, CommandKind, digest

if TYPE_CHECKING:
    from shared.events import Explanation

RECORD_ONLY = 4
"""Priority of alarms that nobody needs to acknowledge."""

_S = AlarmState
_K = CommandKind


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of one check, also while it is normal."""

    check: str
    priority: int
    latch: bool = False
    state: AlarmState = _S.NORMAL
    occurrence: str | None = None
    """Id from the last raise; None before the first."""
    standing: bool = False
    """Whether the delayed condition is there, also while shelved."""
    until: int | None = None
    """End of the shelf, us UTC."""
    explanation: Explanation | None = None
    """Of the last raise."""


@dataclass(frozen=True, slots=True)
class Step:
    """What an input did; `cause` is None where nothing is to be told."""

    alarm: Alarm
    cause: Cause | None = None


_RETURNS = {
    (_S.UNACKNOWLEDGED, False): _S.RETURNED,
    (_S.UNACKNOWLEDGED, True): _S.LATCHED_UNACKNOWLEDGED,
    (_S.ACKNOWLEDGED, False): _S.NORMAL,
    (_S.ACKNOWLEDGED, True): _S.LATCHED_ACKNOWLEDGED,
}
_SEEN = {
    (_K.ACKNOWLEDGE, _S.UNACKNOWLEDGED): (_S.ACKNOWLEDGED, Cause.ACKNOWLEDGED),
    (_K.ACKNOWLEDGE, _S.RETURNED): (_S.NORMAL, Cause.ACKNOWLEDGED),
    (_K.ACKNOWLEDGE, _S.LATCHED_UNACKNOWLEDGED): (
        _S.LATCHED_ACKNOWLEDGED,
        Cause.ACKNOWLEDGED,
    ),
    (_K.RESET, _S.LATCHED_UNACKNOWLEDGED): (_S.RETURNED, Cause.RESET),
    (_K.RESET, _S.LATCHED_ACKNOWLEDGED): (_S.NORMAL, Cause.RESET),
}


def raised(alarm: Alarm, time: int, explanation: Explanation) -> Step:
    """Return the alarm whose condition has held for its on-delay, at `time` us UTC."""
    occurrence = alarm.occurrence
    if occurrence is None or alarm.state is _S.NORMAL:
        occurrence = digest("alarm", alarm.check, time)
    found = replace(
        alarm, standing=True, occurrence=occurrence, explanation=explanation
    )
    if alarm.state is _S.SHELVED:
        return Step(found)
    return Step(replace(found, state=_standing_state(alarm)), Cause.RAISED)


def returned(alarm: Alarm) -> Step:
    """Return the alarm whose condition has been away for its off-delay."""
    gone = replace(alarm, standing=False)
    after = _RETURNS.get((alarm.state, alarm.latch))
    return Step(gone) if after is None else Step(_in(gone, after), Cause.RETURNED)


def passed(alarm: Alarm, now: int) -> Step:
    """Return the alarm at the clock record `now`, us UTC: shelves end."""
    if alarm.state is not _S.SHELVED or alarm.until is None or now < alarm.until:
        return Step(alarm)
    return Step(_unshelved(alarm), Cause.SHELF_EXPIRED)


def withdrawn(alarm: Alarm) -> Step:
    """Return the alarm whose check is no more: normal, whoever had seen it or not."""
    if alarm.state is _S.NORMAL:
        return Step(alarm)
    ended = replace(alarm, state=_S.NORMAL, standing=False, until=None)
    return Step(ended, Cause.WITHDRAWN)


def commanded(alarm: Alarm, command: Command) -> Step:
    """Return the alarm after a person's word; what does not apply changes nothing.

    A shelf needs an end after the command; a reset needs that the condition is gone.
    """
    kind, state = command.kind, alarm.state
    if command.alarm != alarm.occurrence:
        return Step(alarm)
    if kind is _K.COMMENT:
        return Step(alarm, Cause.COMMENTED)
    if (kind, state) in _SEEN:
        after, cause = _SEEN[kind, state]
        return Step(_in(alarm, after), cause)
    if kind is _K.SHELVE and (command.until or 0) > command.time:
        shelved = replace(alarm, state=_S.SHELVED, until=command.until)
        return Step(shelved, Cause.SHELVED)
    if kind is _K.UNSHELVE and state is _S.SHELVED:
        return Step(_unshelved(alarm), Cause.UNSHELVED)
    return Step(alarm)


def _in(alarm: Alarm, state: AlarmState) -> Alarm:
    return replace(alarm, state=state)


def _unshelved(alarm: Alarm) -> Alarm:
    state = _standing_state(alarm) if alarm.standing else _S.NORMAL
    return replace(alarm, state=state, until=None)


def _standing_state(alarm: Alarm) -> AlarmState:
    recorded = alarm.priority >= RECORD_ONLY
    return _S.ACKNOWLEDGED if recorded else _S.UNACKNOWLEDGED
