"""Whether clocks and source timestamps of a server can be believed. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.ingest.opcua.findings import Cause, Finding, fault, fine, note
from shared.domain import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

SKEW_NOTE_US = US_PER_S
SKEW_FAULT_US = 5 * US_PER_S
"""Source times further ahead of us than this are held out of watermarks."""


def skew(difference: int, width: int) -> Finding:
    """Return what the difference of the clocks means; `width` is its uncertainty."""
    told = f"the server's clock is {difference / US_PER_S:+.3f} s from ours"
    fix = "set both clocks by NTP; source times are the server's"
    if abs(difference) > SKEW_FAULT_US + width:
        return fault(Cause.CLOCK, told, fix)
    if abs(difference) > SKEW_NOTE_US + width:
        return note(Cause.CLOCK, told, fix)
    return fine(told)


def timestamps(pairs: Sequence[tuple[Any, Any]], now: int, watched_s: float) -> Finding:
    """Judge source times of values that were read twice."""
    stamped = [(a, b) for a, b in pairs if b.SourceTimestamp is not None]
    if not stamped:
        return note(
            Cause.NO_TIMESTAMPS,
            "no value has a source timestamp",
            "the server's own timestamps are used; let the source set them if it can",
        )
    stuck = [
        (a, b)
        for a, b in stamped
        if a.Value != b.Value and a.SourceTimestamp == b.SourceTimestamp
    ]
    if stuck:
        return fault(
            Cause.FROZEN,
            f"{len(stuck)} of {len(stamped)} values changed under one source timestamp",
            "let the server (or its driver) set the source time of every new value; "
            "trends and alarms stand on it",
        )
    ahead = max(us(b.SourceTimestamp) for _, b in stamped) - now
    if ahead > SKEW_FAULT_US:
        return fault(
            Cause.CLOCK,
            f"source timestamps are {ahead / US_PER_S:.1f} s ahead of our clock",
            "set the clocks of the instruments; times ahead are held out of watermarks",
        )
    if all(a.SourceTimestamp == b.SourceTimestamp for a, b in stamped):
        return note(
            Cause.FROZEN,
            f"no source timestamp moved in {watched_s:.1f} s",
            "fine if nothing changes there; else the server's scan has stopped",
        )
    return fine("source timestamps move")


def us(moment: datetime) -> int:
    """Return us UTC of what asyncua decodes: UTC, with or without saying so."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * US_PER_S)
