"""What the monitor said, as answers and streams say it: JSON with ISO times. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from services.api.moments import iso
from shared.events import AlarmTransition, BatchEvent, Change, Detection, EventKind
from shared.store.events import identity

if TYPE_CHECKING:
    from shared.events import Explanation
    from shared.store.queries_events import StoredAlarm
    from shared.wire_events import Event


def alarm_body(stored: StoredAlarm) -> dict[str, Any]:
    """Return an occurrence with its whole explanation."""
    last = stored.last
    return {
        "alarm": last.alarm,
        "check": last.check,
        "vessel": last.vessel,
        "tag": last.explanation.tag,
        "priority": last.priority,
        "state": last.after.value,
        "active": last.after.is_active,
        "since": iso(last.explanation.since),
        "raised": iso(stored.raised),
        "changed": iso(stored.changed),
        "until": _optional(last.until),
        "batch": last.batch,
        "phase": last.phase,
        "simulated": last.simulated,
        "advisory": last.explanation.advisory,
        "detected_late": last.detected_late,
        "last": {
            "cause": last.cause.value,
            "time": iso(last.time),
            "known": iso(last.known),
            "actor": last.actor,
            "comment": last.comment,
        },
        "explanation": _explanation(last.explanation),
    }


def event_body(event: Event) -> dict[str, Any]:
    """Return an event with its `type`; its `id` is the same however often it comes."""
    match event:
        case AlarmTransition():
            return _transition(event)
        case Detection():
            return _detection(event)
        case BatchEvent():
            return _batch(event)
        case Change():
            return _change(event)


def kind_of(event: Event) -> EventKind:
    """Return the event's `type`."""
    match event:
        case AlarmTransition():
            return EventKind.ALARM
        case Detection():
            return EventKind.DETECTION
        case BatchEvent():
            return EventKind.BATCH
        case Change():
            return EventKind.CHANGE


def _transition(said: AlarmTransition) -> dict[str, Any]:
    return {
        "type": EventKind.ALARM.value,
        "id": identity(said),
        "time": iso(said.time),
        "known": iso(said.known),
        "alarm": said.alarm,
        "check": said.check,
        "vessel": said.vessel,
        "tag": said.explanation.tag,
        "priority": said.priority,
        "cause": said.cause.value,
        "before": said.before.value,
        "state": said.after.value,
        "active": said.after.is_active,
        "since": iso(said.explanation.since),
        "actor": said.actor,
        "comment": said.comment,
        "until": _optional(said.until),
        "batch": said.batch,
        "phase": said.phase,
        "simulated": said.simulated,
        "advisory": said.explanation.advisory,
        "detected_late": said.detected_late,
        "explanation": _explanation(said.explanation),
    }


def _explanation(why: Explanation) -> dict[str, Any]:
    return {
        "check": why.check,
        "tag": why.tag,
        "value": why.value,
        "expected": why.expected,
        "since": iso(why.since),
        "quality": why.quality,
        "moved": [
            {
                "tag": moved.tag,
                "before": moved.before,
                "now": moved.now,
                "sigmas": moved.sigmas,
            }
            for moved in why.moved
        ],
        "trend": why.trend,
        "advice": why.advice,
        "advisory": why.advisory,
        "verdict": None if why.verdict is None else asdict(why.verdict),
    }


def _detection(found: Detection) -> dict[str, Any]:
    return {
        "type": EventKind.DETECTION.value,
        "id": identity(found),
        "time": iso(found.time),
        "check": found.check,
        "vessel": found.vessel,
        "tag": found.tag,
        "score": found.score,
        "value": found.value,
        "text": found.text,
    }


def _batch(event: BatchEvent) -> dict[str, Any]:
    return {
        "type": EventKind.BATCH.value,
        "id": event.id,
        "time": iso(event.time),
        "vessel": event.vessel,
        "batch": event.batch,
        "phase": event.phase,
        "began": event.began,
        "product": event.product,
        "client": event.client,
        "state": event.state,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "type": EventKind.CHANGE.value,
        "id": identity(change),
        "time": iso(change.time),
        "what": change.what,
        "actor": change.actor,
        "old": change.old,
        "new": change.new,
        "details": change.details,
    }


def _optional(time: int | None) -> str | None:
    return None if time is None else iso(time)
