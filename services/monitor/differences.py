"""Two journals held against each other, and where they disagree in words. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from shared.wire_events import encode_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.wire_events import Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 120
"""Characters of a value that a line shows."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two journals disagree; one side may be empty."""

    live: tuple[Event, ...]
    replayed: tuple[Event, ...]


def diff(live: Sequence[Event], replayed: Sequence[Event]) -> list[Difference]:
    """Return where two journals disagree, in order; empty when they are equal."""
    ours = [_bytes(event) for event in live]
    theirs = [_bytes(event) for event in replayed]
    if ours == theirs:
        return []
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    return [
        Difference(tuple(live[a:b]), tuple(replayed[c:d]))
        for word, a, b, c, d in matcher.get_opcodes()
        if word != "equal"
    ]


def lines(differences: Sequence[Difference]) -> Iterator[str]:
    """Yield a line for each event of one side: `-` live only, `+` replayed only.

    Events that differ in a part only are one line, `~`, and one for each part.
    """
    for difference in differences:
        replayed = {_place(event): event for event in difference.replayed}
        for event in difference.live:
            other = replayed.pop(_place(event), None)
            if other is None:
                yield f"- {in_words(event)}"
            else:
                yield f"~ {in_words(event)}"
                yield from _parts(event, other)
        for event in replayed.values():
            yield f"+ {in_words(event)}"


def in_words(event: Event) -> str:
    """Return an event as one line: time, kind, what it is about."""
    headers, _ = encode_event(event)
    body = _body(event)
    names = ("check", "cause", "vessel", "batch", "phase", "what", "began", "text")
    said = [f"{body[name]}" for name in names if body.get(name) not in {None, ""}]
    moment = _EPOCH + timedelta(microseconds=event.time)
    when = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{when} {headers['kind']} {' '.join(said)}"


def _place(event: Event) -> tuple[Any, ...]:
    """Return by what an event is found again on the other side."""
    body = _body(event)
    names = ("check", "cause", "vessel", "phase", "what", "began")
    return (type(event).__name__, event.time, *(body.get(name) for name in names))


def _body(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(encode_event(event)[1])
    return body


def _parts(live: Event, replayed: Event) -> Iterator[str]:
    one, other = dict(_flat("", _body(live))), dict(_flat("", _body(replayed)))
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            found = [_short(side.get(name)) for side in (one, other)]
            yield f"    {name}: live {found[0]}, replayed {found[1]}"


def _flat(prefix: str, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield prefix + name, value


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _bytes(event: Event) -> bytes:
    headers, value = encode_event(event)
    return headers["kind"].encode() + value
