"""Why an alarm is there, in all its parts and in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from services.monitor.history import STEP_US, WINDOW_US
from shared.checks import Frozen, Limit, NoData, Noise, Quality, Rate, Skew, State
from shared.events import Explanation, Moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.monitor.catalogue import Check
    from services.monitor.detectors.seen import Sighting
    from services.monitor.history import History
    from shared.events import Verdict

MOST_MOVED = 5
"""Other tags that an explanation names."""
SIGMAS = 6.0
"""A smaller move is not worth naming."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ADVICE = {
    Limit: "Look at the trend and at the loop's output; check the instrument if the "
    "other tags did not move.",
    Rate: "Look whether something was added, switched or disturbed just before.",
    Frozen: "Check the instrument and its transmitter: its value no longer moves, not "
    "even by noise. Do not trust the loop that uses it.",
    Noise: "Check the instrument's cable, its earthing and its input filter.",
    State: "Look at what this state means for the vessel, and whether the switch or "
    "its line is at fault.",
    Quality: "Check the instrument, its cable and its card: it says itself that its "
    "readings are not to be used.",
    NoData: "Check the server, the network and the collector's page; the process "
    "itself may be well.",
    Skew: "Set the clock of the instruments' server right. Values are as usual, but "
    "their times are not: trends and delays are off by as much.",
}
_ADVICE_RESIDUAL = (
    "Compare with an independent measurement or a sample: the loop may hide what "
    "drifts."
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of a vessel when one of its alarms is raised."""

    names: Sequence[str]
    """Full names of its number tags."""
    history: History
    related: frozenset[int] = frozenset()
    """Numbers of the alarm's own tags: they are not `other tags`."""
    gaps: str = ""
    """Causes of declared gaps of its own tags in the last ten minutes."""
    verdict: Verdict | None = None
    """What is likely behind the alarm."""


def explain(
    check: Check, began: Sighting, time: int, around: Surroundings
) -> Explanation:
    """Return the explanation of an alarm raised at `time`, us UTC."""
    return Explanation(
        check=check.words,
        tag=check.tag,
        value=began.value,
        expected=_expected(check, began),
        since=began.time,
        quality=quality(around, began, time),
        moved=moved(around, time),
        trend=trend(check.tag, began.time, time),
        advice=_first(check, around.verdict),
        advisory=check.advisory,
        verdict=around.verdict,
    )


def _first(check: Check, verdict: Verdict | None) -> str:
    """Return what to look at first: the verdict, and what it or the check advises."""
    own = check.settings.advice or advice(check)
    if verdict is None:
        return own
    return f"{verdict.words} {verdict.advice or own}"


def _expected(check: Check, began: Sighting) -> str:
    said = f"{check.expected} ({began.text})"
    return f"{said}; advisory: a model that still learns" if check.advisory else said


def advice(check: Check) -> str:
    """Return what to look at first where the configuration says nothing."""
    return _ADVICE.get(type(check.settings), _ADVICE_RESIDUAL)


def quality(around: Surroundings, began: Sighting, time: int) -> str:
    """Return how good the alarm's own data were in the last ten minutes, in words."""
    said = _counted(around, began, time)
    return f"{said}; readings may be missing: {around.gaps}" if around.gaps else said


def _counted(around: Surroundings, began: Sighting, time: int) -> str:
    good = other = 0
    for tag in sorted(around.related):
        found = around.history.counts(tag, time)
        good, other = good + found[0], other + found[1]
    if began.value is None:
        missing = f"missing since {_iso(began.time)}"
        return f"{missing}; {good} good, {other} uncertain or bad in the last 10 min"
    if not good and not other:
        return "missing: no reading in the last 10 min"
    if not other:
        return f"good: all {good} readings of the last 10 min"
    return f"mixed: {good} good, {other} uncertain or bad in the last 10 min"


def moved(around: Surroundings, time: int) -> tuple[Moved, ...]:
    """Return the other tags that moved, strongest first."""
    changes = [
        Moved(around.names[c.tag], c.before, c.now, round(c.sigmas, 1))
        for c in around.history.changes(time, SIGMAS)
        if c.tag not in around.related
    ]
    return tuple(changes[:MOST_MOVED])


def trend(tag: str, since: int, time: int) -> str:
    """Return path and query of the API for the readings around an alarm."""
    start = (since - WINDOW_US) // STEP_US * STEP_US
    query = {"tag": tag, "start": _iso(start), "end": _iso(time + STEP_US)}
    return f"/recorded?{urlencode(query, safe='/:')}"


def _iso(time: int) -> str:
    moment = _EPOCH + timedelta(microseconds=time)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
