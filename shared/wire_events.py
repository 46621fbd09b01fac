"""Events and commands to bytes and back: JSON, checked by their own types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from shared.domain import Kind
from shared.events import (
    AlarmTransition,
    BatchEvent,
    Change,
    Command,
    Detection,
    EventKind,
)
from shared.wire import WIRE_VERSION, NotUnderstood

if TYPE_CHECKING:
    from collections.abc import Mapping

Event = AlarmTransition | Detection | BatchEvent | Change

_ADAPTERS: dict[EventKind, TypeAdapter[Event]] = {
    EventKind.ALARM: TypeAdapter(AlarmTransition),
    EventKind.DETECTION: TypeAdapter(Detection),
    EventKind.BATCH: TypeAdapter(BatchEvent),
    EventKind.CHANGE: TypeAdapter(Change),
}
_KINDS: dict[type[Event], EventKind] = {
    AlarmTransition: EventKind.ALARM,
    Detection: EventKind.DETECTION,
    BatchEvent: EventKind.BATCH,
    Change: EventKind.CHANGE,
}
_COMMAND = TypeAdapter(Command)


def encode_event(event: Event) -> tuple[dict[str, str], bytes]:
    """Return headers and value of one record of topic `events`."""
    kind = _KINDS[type(event)]
    headers = {"kind": kind.value, "wire": str(WIRE_VERSION)}
    return headers, _ADAPTERS[kind].dump_json(event)


def decode_event(headers: Mapping[str, str], value: bytes) -> Event:
    """Return the event. Raises NotUnderstood."""
    try:
        return _ADAPTERS[EventKind(headers["kind"])].validate_json(value)
    except (KeyError, ValueError) as error:
        raise NotUnderstood(f"event {dict(headers)}: {error}") from error


def encode_command(command: Command) -> tuple[dict[str, str], bytes]:
    """Return headers and value of a `command` record on `plant`."""
    headers = {"kind": Kind.COMMAND.value, "wire": str(WIRE_VERSION)}
    return headers, _COMMAND.dump_json(command)


def decode_command(value: bytes) -> Command:
    """Return the command. Raises NotUnderstood."""
    try:
        return _COMMAND.validate_json(value)
    except ValidationError as error:
        raise NotUnderstood(f"command record: {error}") from error
