"""Times and durations as people write them in a query."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from services.api.problems import Problem
from shared.store.acceptance import EARLIEST_US, LATEST_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_RELATIVE = re.compile(r"\*(?:([+-])(.+))?")
_LOST_PLUS = re.compile(r"T.* \d{2}:?\d{2}$")
_EXPECTED = "expected ISO 8601 with an offset (2026-11-23T10:00:00Z) or * and *-1d"


def now_us() -> int:
    """Return the wall clock, us UTC."""
    return time.time_ns() // 1_000


def duration_us(text: str, name: str) -> int:
    """Return a duration such as `10s`, `1h30m` or `1d` (always 24 h) in us.

    Raises:
        Problem: it is not one.
    """
    if not _DURATION.fullmatch(text):
        raise Problem(
            400,
            "duration",
            "Not a duration",
            f"{name} {text!r}: expected a number and one of {', '.join(_UNITS_US)}, "
            "for example 10s, 5m, 1h30m, 1d",
        )
    parts = _PART.findall(text)
    return round(sum(float(number) * _UNITS_US[unit] for number, unit in parts))


def moment_us(text: str, name: str, now: int) -> int:
    """Return a time in us UTC; `*` is the wall clock.

    Raises:
        Problem: it is not a time, has no offset, or lies outside 2000 to 2200.
    """
    relative = _RELATIVE.fullmatch(text)
    if relative:
        sign, distance = relative.groups()
        shift = duration_us(distance, name) if distance else 0
        moment = now - shift if sign == "-" else now + shift
    else:
        moment = _absolute_us(text, name)
    if not EARLIEST_US <= moment < LATEST_US:
        raise Problem(
            400,
            "time-out-of-range",
            "No plant's time",
            f"{name} {text!r}: expected a time from 2000 to 2200",
        )
    return moment


def _absolute_us(text: str, name: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        lost = "; write the + of an offset as %2B in a URL"
        more = lost if _LOST_PLUS.search(text) else ""
        said = f"{name} {text!r}: {_EXPECTED}{more}"
        raise Problem(400, "time", "Not a time", said) from error
    if moment.tzinfo is None:
        said = f"{name} {text!r} has no UTC offset: {_EXPECTED}"
        raise Problem(400, "naive-time", "A time without an offset", said)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def iso(us: int) -> str:
    """Return a time as ISO 8601 with Z."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")
