"""The alarm machine of ISA-18.2 as pure functions: alarm and input in, alarm out.

An occurrence lasts from its raise until it is both seen and gone (state normal). What
comes back before that is the same occurrence. See docs/decisions/0008.

Three things hide an alarm, each with a name on record: a person took it out of service,
the design suppresses it in a phase, a person put it on a shelf. The first of these that
holds is its state; the condition goes on beneath, and when the last one ends the alarm
is shown as the condition then is.
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
    """End of the shelf, us UTC; None without one."""
    explanation: Explanation | None = None
    """Of the last raise."""
    out: bool = False
    """Whether it is out of service."""
    design: str = ""
    """Why the design suppresses it; empty where it does not."""
    latched: bool = False
    """Whether a latch that nobody has reset holds it, also while it is hidden."""

    @property
    def hidden(self) -> AlarmState | None:
        """The state of what hides it; None where nothing does."""
        if self.out:
            return _S.OUT_OF_SERVICE
        if self.design:
            return _S.SUPPRESSED
        return None if self.until is None else _S.SHELVED


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
    """Return the alarm whose condition has held for its on-delay, at `time` us UTC.

    One that is raised while its design suppresses it is on record as suppressed; what
    was hidden before stays as it is.
    """
    occurrence = alarm.occurrence
    if occurrence is None or alarm.state is _S.NORMAL:
        occurrence = digest("alarm", alarm.check, time)
    found = replace(
        alarm,
        standing=True,
        occurrence=occurrence,
        explanation=explanation,
        latched=alarm.latch,
    )
    hidden = found.hidden
    if hidden is not None and hidden is alarm.state:
        return Step(found)
    return Step(_in(found, hidden or _standing_state(alarm)), Cause.RAISED)


def returned(alarm: Alarm) -> Step:
    """Return the alarm whose condition has been away for its off-delay."""
    gone = replace(alarm, standing=False)
    after = _RETURNS.get((alarm.state, alarm.latch))
    return Step(gone) if after is None else Step(_in(gone, after), Cause.RETURNED)


def passed(alarm: Alarm, now: int) -> Step:
    """Return the alarm at the clock record `now`, us UTC: shelves end."""
    if alarm.until is None or now < alarm.until:
        return Step(alarm)
    return _shown(replace(alarm, until=None), _S.SHELVED, Cause.SHELF_EXPIRED)


def suppressed(alarm: Alarm, why: str) -> Step:
    """Return the alarm that its design suppresses from now on.

    A normal one has nothing to tell yet: it is on record when it is raised.
    """
    found = replace(alarm, design=why)
    if alarm.state is _S.NORMAL or found.hidden is alarm.state:
        return Step(found)
    return Step(_in(found, _S.SUPPRESSED), Cause.SUPPRESSED)


def unsuppressed(alarm: Alarm) -> Step:
    """Return the alarm that its design suppresses no more."""
    return _shown(replace(alarm, design=""), _S.SUPPRESSED, Cause.UNSUPPRESSED)


def withdrawn(alarm: Alarm) -> Step:
    """Return the alarm whose check is no more: normal, whoever had seen it or not."""
    if alarm.state is _S.NORMAL:
        return Step(alarm)
    ended = Alarm(
        *(alarm.check, alarm.priority, alarm.latch),
        occurrence=alarm.occurrence,
        explanation=alarm.explanation,
    )
    return Step(ended, Cause.WITHDRAWN)


def commanded(alarm: Alarm, command: Command) -> Step:
    """Return the alarm after a person's word; what does not apply changes nothing.

    A shelf needs an end after the command; a reset needs that the condition is gone. A
    person can shelve only what can be seen, and taking out of service ends a shelf.
    """
    kind, state = command.kind, alarm.state
    if command.alarm != alarm.occurrence:
        return Step(alarm)
    if kind is _K.COMMENT:
        return Step(alarm, Cause.COMMENTED)
    if (kind, state) in _SEEN:
        after, cause = _SEEN[kind, state]
        latched = alarm.latched and kind is not _K.RESET
        return Step(replace(_in(alarm, after), latched=latched), cause)
    return _put_aside(alarm, command)


def _put_aside(alarm: Alarm, command: Command) -> Step:
    """Return the alarm after a word that hides it or shows it again."""
    match command.kind:
        case _K.SHELVE if (command.until or 0) > command.time:
            return _shelved(alarm, command)
        case _K.UNSHELVE if alarm.state is _S.SHELVED:
            return _shown(replace(alarm, until=None), _S.SHELVED, Cause.UNSHELVED)
        case _K.TAKE_OUT if not alarm.out:
            taken = replace(alarm, out=True, until=None)
            return Step(_in(taken, _S.OUT_OF_SERVICE), Cause.TAKEN_OUT)
        case _K.PUT_BACK if alarm.out:
            back = replace(alarm, out=False)
            return _shown(back, _S.OUT_OF_SERVICE, Cause.PUT_BACK)
        case _:
            return Step(alarm)


def _in(alarm: Alarm, state: AlarmState) -> Alarm:
    return replace(alarm, state=state)


def _shelved(alarm: Alarm, command: Command) -> Step:
    found = replace(alarm, until=command.until)
    if found.hidden is not _S.SHELVED:
        return Step(alarm)
    return Step(_in(found, _S.SHELVED), Cause.SHELVED)


def _shown(alarm: Alarm, was: AlarmState, cause: Cause) -> Step:
    """Return the alarm when what made it hidden as `was` has ended.

    What hides it still becomes its state; else it is shown as its condition is.
    """
    if alarm.state is not was:
        return Step(alarm)
    if alarm.hidden is not None:
        after = alarm.hidden
    elif alarm.standing:
        after = _standing_state(alarm)
    else:
        after = _S.LATCHED_UNACKNOWLEDGED if _latches(alarm) else _S.NORMAL
    return Step(_in(alarm, after), cause)


def _latches(alarm: Alarm) -> bool:
    return alarm.latch and alarm.latched


def _standing_state(alarm: Alarm) -> AlarmState:
    recorded = alarm.priority >= RECORD_ONLY
    return _S.ACKNOWLEDGED if recorded else _S.UNACKNOWLEDGED
