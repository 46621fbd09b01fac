"""What a monitor says, made for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.bus import Message
from shared.domain import US_PER_S
from shared.events import (
    AlarmState,
    AlarmTransition,
    BatchEvent,
    Cause,
    Change,
    Detection,
    Explanation,
    Moved,
    digest,
)
from shared.wire_events import encode_event

if TYPE_CHECKING:
    from shared.wire_events import Event


def message(event: Event) -> Message:
    """Return the record of an event."""
    return Message(*encode_event(event))


def raised(
    time: int, vessel: str = "BR101", tag: str = "TIC-101.PV", priority: int = 2
) -> AlarmTransition:
    """Return an alarm that was raised at `time`, us UTC."""
    name = f"{vessel}/{tag}"
    return AlarmTransition(
        alarm=digest(name, time),
        check=f"{name}/limit-h",
        vessel=vessel,
        priority=priority,
        cause=Cause.RAISED,
        before=AlarmState.NORMAL,
        after=AlarmState.UNACKNOWLEDGED,
        time=time,
        known=time + US_PER_S,
        explanation=Explanation(
            check="limit h 37.5 Cel",
            tag=name,
            value=37.8,
            expected="at most 37.5 Cel",
            since=time - 60 * US_PER_S,
            quality="60 good",
            moved=(Moved(f"{vessel}/AIC-101.PV", 7.1, 6.9, 4.2),),
            trend=f"/recorded?tag={name}&start=*-1h",
            advice="Look at the jacket.",
        ),
        batch="CHO-1",
        phase="growth",
        simulated=True,
    )


def went_on(
    before: AlarmTransition,
    cause: Cause,
    after: AlarmState,
    seconds: float = 10,
    actor: str | None = None,
) -> AlarmTransition:
    """Return the next transition of an alarm, `seconds` later."""
    later = round(seconds * US_PER_S)
    return replace(
        before,
        cause=cause,
        before=before.after,
        after=after,
        time=before.time + later,
        known=before.known + later,
        actor=actor,
    )


def detected(time: int, vessel: str = "BR101", tag: str = "TIC-101.PV") -> Detection:
    """Return what a detector said at `time`, us UTC."""
    name = f"{vessel}/{tag}"
    return Detection(f"{name}/limit-h", vessel, name, time, 1.2, 37.8, "above 37.5")


def began(time: int, vessel: str = "BR101", phase: str | None = None) -> BatchEvent:
    """Return the beginning of a batch or phase."""
    name = digest(vessel, "CHO-1", phase, time)
    return BatchEvent(name, vessel, "CHO-1", phase, began=True, time=time)


def changed(time: int) -> Change:
    """Return a change of plant.yaml."""
    return Change("plant.yaml", time, "me", "ab", "cd", {"BR101/T/h": "37.5 -> 38"})
