"""What is told of a transition: a subject, a mail's text, a webhook's JSON. Pure.

The mail is for somebody who was asleep a minute ago: what and where first, then the
value against its limit, what to look at, and only then the rest.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.domain import US_PER_S
from shared.events import AlarmTransition, Cause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from shared.events import Explanation, Moved

LATE_S = 300
"""A push is told as late when its alarm is older than this, s."""
_WIDTH = 72
_MOST_MOVED = 5
_URGENCY = {1: "URGENT", 2: "HIGH"}
_SHOWN_AGAIN = {
    Cause.SHELF_EXPIRED: "shelved",
    Cause.UNSUPPRESSED: "suppressed by design",
    Cause.PUT_BACK: "out of service",
}
"""What an alarm was before it is told by these causes."""
_OVER = frozenset({Cause.RETURNED, Cause.WITHDRAWN})
"""Causes by which an alarm needs nobody any more."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where and in which zone those who are told live."""

    url: str
    """Of the API, without a slash at its end."""
    zone: tzinfo


def subject(said: AlarmTransition) -> str:
    """Return one line: simulated or not, priority, what happened, where, the value."""
    why = said.explanation
    marks = "SIMULATED " if said.simulated else ""
    if said.cause is Cause.RETURNED:
        return f"{marks}P{said.priority} returned: {why.tag}, {why.expected}"
    if said.cause is Cause.WITHDRAWN:
        return f"{marks}P{said.priority} withdrawn: {why.tag}, {said.comment}"
    return f"{marks}P{said.priority} {_against(why)}"


def text(said: AlarmTransition, place: Place, now: int) -> str:
    """Return the mail's text, lines of at most 72 characters but for links.

    Args:
        said: the transition.
        place: links and zone.
        now: when it is sent, us UTC; an alarm that is told late says so.
    """
    parts = [
        "\n".join(_headline(said)),
        *_notes(said, now),
        "\n".join(_facts(said, place.zone)),
    ]
    if said.cause not in _OVER:
        parts.append(_block("Look at first", said.explanation.advice))
        parts.append("\n".join(_others(said.explanation.moved)))
    parts.append("\n".join(_links(said, place)))
    return "\n\n".join(part for part in parts if part) + "\n"


def body(said: AlarmTransition, push_id: str, place: Place) -> bytes:
    """Return the webhook's JSON: the whole transition, ISO times, title and links."""
    why = asdict(said.explanation)
    why["since"] = _iso(said.explanation.since)
    told: dict[str, Any] = {
        **asdict(said),
        "id": push_id,
        "type": f"alarm.{said.cause.value}",
        "title": subject(said),
        "time": _iso(said.time),
        "known": _iso(said.known),
        "until": None if said.until is None else _iso(said.until),
        "explanation": why,
        "links": {
            "alarm": _alarm_link(said, place),
            "trend": place.url + said.explanation.trend,
        },
    }
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode()


def _headline(said: AlarmTransition) -> Iterator[str]:
    why = said.explanation
    if said.cause is Cause.RETURNED:
        yield f"RETURNED: an alarm of priority {said.priority}"
        yield f"{why.tag}: the condition is gone, expected {why.expected}"
    elif said.cause is Cause.WITHDRAWN:
        yield f"WITHDRAWN: an alarm of priority {said.priority}"
        yield f"{why.tag}: nobody watches this any more, {said.comment}"
    else:
        urgency = _URGENCY.get(said.priority, "LOW")
        yield f"{urgency} ALARM, priority {said.priority}"
        yield _against(why)


def _against(why: Explanation) -> str:
    value = "no data" if why.value is None else f"{why.value:.6g}"
    return f"{why.tag} {value}, expected {why.expected}"


def _notes(said: AlarmTransition, now: int) -> Iterator[str]:
    """Yield what changes how the rest is to be read."""
    if said.simulated:
        yield _filled("SIMULATED PLANT: no real vessel is concerned.")
    if said.explanation.advisory:
        yield _filled(
            "ADVISORY: a model that still learns decided this, not a fixed limit."
        )
    if said.detected_late:
        yield _filled("DETECTED LATE: the readings arrived after their time.")
    if said.cause in _SHOWN_AGAIN:
        was = _SHOWN_AGAIN[said.cause]
        yield _filled(f"The alarm was {was}; that has ended and it is active.")
    age_s = (now - said.known) // US_PER_S
    if age_s > LATE_S:
        yield _filled(
            f"TOLD LATE: this has been known for {_length(age_s)}. Look at the list "
            "of alarms for how it is now."
        )


def _facts(said: AlarmTransition, zone: tzinfo) -> Iterator[str]:
    why = said.explanation
    over = said.cause in _OVER
    yield _fact("Vessel", said.vessel)
    if said.batch:
        phase = f", phase {said.phase}" if said.phase else ""
        yield _fact("Batch", f"{said.batch}{phase}")
    yield _fact("Check", why.check)
    if over:
        yield _fact("Was", f"{_against(why)}")
    yield _fact("Since", _local(why.since, zone))
    lasted = _length(max(0, said.time - why.since) // US_PER_S)
    if over:
        name = said.cause.value.capitalize()
        yield _fact(name, f"{_local(said.time, zone)}, after {lasted}")
    else:
        yield _fact("Raised", f"{_local(said.time, zone)}, {lasted} later")
    yield _fact("Quality", why.quality)


def _others(moved: tuple[Moved, ...]) -> Iterator[str]:
    """Yield the other tags that moved, one a line in columns."""
    if not moved:
        yield "No other tag of the vessel moved."
        return
    yield "Also moved, in standard deviations of their own past"
    shown = moved[:_MOST_MOVED]
    width = max(len(each.tag) for each in shown)
    for each in shown:
        change = f"{each.before:.5g} -> {each.now:.5g}"
        yield f"  {each.tag:<{width}}  {change:<20}  {abs(each.sigmas):.1f}"
    if len(moved) > len(shown):
        yield f"  and {len(moved) - len(shown)} more"


def _links(said: AlarmTransition, place: Place) -> Iterator[str]:
    yield _link("Trend", place.url + said.explanation.trend)
    yield _link("Alarm", _alarm_link(said, place))
    yield _link("List", f"fedbatch watch --url {place.url}   (a acknowledges)")


def _alarm_link(said: AlarmTransition, place: Place) -> str:
    return f"{place.url}/alarms/{said.alarm}"


def _fact(name: str, value: str) -> str:
    return textwrap.fill(
        value, _WIDTH, initial_indent=f"{name:<10}", subsequent_indent=" " * 10
    )


def _link(name: str, address: str) -> str:
    return f"{name:<10}{address}"


def _block(heading: str, words: str) -> str:
    indented = textwrap.fill(words, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return f"{heading}\n{indented}"


def _filled(words: str) -> str:
    return textwrap.fill(words, _WIDTH)


def instant(us: int) -> datetime:
    """Return the UTC instant `us` microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=us)


def _iso(us: int) -> str:
    return instant(us).isoformat().replace("+00:00", "Z")


def _local(us: int, zone: tzinfo) -> str:
    return instant(us).astimezone(zone).strftime("%a %d %b %Y %H:%M:%S %Z")


def _length(seconds: int) -> str:
    """Return a length of time in its two largest units.

    >>> [_length(s) for s in (59, 60, 3725, 90000)]
    ['59 s', '1 min 0 s', '1 h 2 min', '1 d 1 h']
    """
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"
