"""How good an alarm system is to its operators, by ISA-18.2 and EEMUA 191. Pure.

An alarm is *annunciated* when it begins to wait for somebody: raised, raised again
after it had returned, or back from a shelf. Priority 4 is for the record and late
revisions are silent; neither is in any figure.

Source:
    The figures and their thresholds are those of ANSI/ISA-18.2 and EEMUA 191. Both
    leave some things open (which intervals, what returns); each says what is meant.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from shared.events import AlarmState, AlarmTransition, Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

INTERVAL_US = 600_000_000
"""Rates are counted in regular intervals of 10 min from the start of the range."""
FLOOD_ABOVE, FLOOD_BELOW = 10, 5
"""A flood begins with an interval of more than 10 alarms per operator, and ends before
the first one of fewer than 5."""
CHATTER, CHATTER_US = 3, 60_000_000
"""A check chatters that is annunciated three times or more within a minute."""
FLEETING_US = 60_000_000
"""An alarm that returned so soon left nobody time to act."""
STALE_US = 86_400_000_000
"""An alarm that stands in the list for longer."""
TOP = 10
RECORD_ONLY = 4

_LISTED = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED})
_UNSEEN = frozenset(
    {
        AlarmState.UNACKNOWLEDGED,
        AlarmState.RETURNED,
        AlarmState.LATCHED_UNACKNOWLEDGED,
    }
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the figures need of a transition; times are us UTC."""

    alarm: str
    check: str
    priority: int
    cause: Cause
    before: AlarmState
    after: AlarmState
    time: int
    known: int


@dataclass(frozen=True, slots=True)
class Flood:
    """A time in which nobody can follow, [start, end) in us UTC."""

    start: int
    end: int
    alarms: int


@dataclass(frozen=True, slots=True)
class Frequent:
    """A check that is among the most frequent."""

    check: str
    alarms: int


@dataclass(frozen=True, slots=True)
class Chattering:
    """A check that chattered, and how often it was annunciated in its worst minute."""

    check: str
    most_per_min: int


@dataclass(frozen=True, slots=True)
class Stale:
    """An alarm that stood for more than a day."""

    alarm: str
    check: str
    since: int
    until: int | None
    """None while it stands."""


@dataclass(frozen=True, slots=True)
class Response:
    """How long people took from when an alarm was known to its acknowledgement, s."""

    acknowledged: int
    median_s: float | None
    p90_s: float | None
    """Nearest rank."""
    longest_s: float | None


@dataclass(frozen=True, slots=True)
class Kpis:
    """The figures of [start, end), us UTC."""

    start: int
    end: int
    operators: int
    alarms: int
    """Annunciated."""
    most_in_10_min: int
    """In one interval, for all operators together."""
    floods: tuple[Flood, ...]
    frequent: tuple[Frequent, ...]
    """The ten most frequent checks, the most frequent first, of equal ones by name."""
    chattering: tuple[Chattering, ...]
    fleeting: int
    """Annunciations that returned within a minute."""
    stale: tuple[Stale, ...]
    """Also those that returned in the range."""
    response: Response
    waiting: int
    """Alarms that nobody has acknowledged at the end."""
    priorities: tuple[int, int, int]
    """Annunciated of priority 1, 2 and 3."""
    states: dict[AlarmState, int]
    """How many alarms are in which state at the end, those in normal left out."""

    @property
    def per_10_min(self) -> float:
        """Alarms of 10 min, per operator, on average."""
        return self.alarms * INTERVAL_US / (self.end - self.start) / self.operators

    @property
    def flood_percent(self) -> float:
        """Share of the range that is flood."""
        flooded = sum(flood.end - flood.start for flood in self.floods)
        return 100 * flooded / (self.end - self.start)

    @property
    def top_percent(self) -> float | None:
        """Share of the ten most frequent checks; None without any alarm."""
        return self.percent(sum(each.alarms for each in self.frequent))

    def percent(self, count: int) -> float | None:
        """Return a count as a share of all annunciations; None without any."""
        return 100 * count / self.alarms if self.alarms else None


def kpis(
    journal: Iterable[Turn | AlarmTransition], start: int, end: int, operators: int = 1
) -> Kpis:
    """Return the figures of [start, end).

    Args:
        journal: each alarm's transitions in their order; those of alarms that stand at
            the start begin before it. What is at `end` and later is left out.
        start: us UTC.
        end: us UTC, after the start.
        operators: among whom the alarms are shared.
    """
    said = [turn for turn in journal if _counts(turn) and turn.time < end]
    new = sorted(
        (turn for turn in said if turn.time >= start and is_annunciated(turn)),
        key=lambda turn: turn.time,
    )
    counts = _per_interval(new, start, end)
    each = [list(turns) for _, turns in groupby(_by_alarm(said), lambda t: t.alarm)]
    states = Counter(turns[-1].after for turns in each)
    priorities = Counter(turn.priority for turn in new)
    return Kpis(
        *(start, end, operators, len(new), max(counts)),
        floods=tuple(_floods(counts, start, end, operators)),
        frequent=_frequent(new),
        chattering=tuple(_chattering(new)),
        fleeting=sum(_fleeting(turns, start) for turns in each),
        stale=tuple(_stale(each, start, end)),
        response=_response(s for turns in each for s in _responses(turns, start)),
        waiting=sum(states[state] for state in _UNSEEN),
        priorities=(priorities[1], priorities[2], priorities[3]),
        states={
            state: states[state]
            for state in AlarmState
            if states[state] and state is not AlarmState.NORMAL
        },
    )


def is_annunciated(turn: Turn | AlarmTransition) -> bool:
    """Whether the alarm begins to wait for somebody."""
    unseen = AlarmState.UNACKNOWLEDGED
    return turn.after is unseen and turn.before is not unseen


def _counts(turn: Turn | AlarmTransition) -> bool:
    return turn.priority < RECORD_ONLY and turn.cause is not Cause.REVISED


def _by_alarm(
    said: list[Turn | AlarmTransition],
) -> list[Turn | AlarmTransition]:
    return sorted(said, key=lambda turn: turn.alarm)


def _per_interval(
    new: Sequence[Turn | AlarmTransition], start: int, end: int
) -> list[int]:
    counts = [0] * -((start - end) // INTERVAL_US)
    for turn in new:
        counts[(turn.time - start) // INTERVAL_US] += 1
    return counts


def _floods(
    counts: Sequence[int], start: int, end: int, operators: int
) -> Iterator[Flood]:
    began: int | None = None
    for at, count in enumerate([*counts, 0]):
        if began is None and count > FLOOD_ABOVE * operators:
            began = at
        elif began is not None and (count < FLOOD_BELOW * operators):
            over = min(start + at * INTERVAL_US, end)
            alarms = sum(counts[began:at])
            yield Flood(start + began * INTERVAL_US, over, alarms)
            began = None


def _frequent(new: Sequence[Turn | AlarmTransition]) -> tuple[Frequent, ...]:
    counts = Counter(turn.check for turn in new)
    first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    return tuple(Frequent(check, count) for check, count in first)


def _chattering(new: Sequence[Turn | AlarmTransition]) -> Iterator[Chattering]:
    times: dict[str, list[int]] = defaultdict(list)
    for turn in new:
        times[turn.check].append(turn.time)
    for check in sorted(times):
        most = _most_within(times[check], CHATTER_US)
        if most >= CHATTER:
            yield Chattering(check, most)


def _most_within(times: Sequence[int], length: int) -> int:
    """Return the most of the rising times that lie within less than `length`."""
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= length:
            first += 1
        most = max(most, last - first + 1)
    return most


def _fleeting(turns: Sequence[Turn | AlarmTransition], start: int) -> int:
    """Return how often the alarm returned within a minute of its annunciation."""
    found, raised = 0, None
    for turn in turns:
        if is_annunciated(turn):
            raised = turn.time
        elif turn.after not in _LISTED:
            short = raised is not None and turn.time - raised <= FLEETING_US
            if turn.cause is Cause.RETURNED and short and (raised or 0) >= start:
                found += 1
            raised = None
    return found


def _stale(
    each: Iterable[Sequence[Turn | AlarmTransition]], start: int, end: int
) -> Iterator[Stale]:
    for turns in each:
        since: int | None = None
        for turn in turns:
            if turn.after in _LISTED:
                since = turn.time if since is None else since
            elif since is not None:
                if turn.time >= start and turn.time - since > STALE_US:
                    yield Stale(turn.alarm, turn.check, since, turn.time)
                since = None
        if since is not None and end - since > STALE_US:
            yield Stale(turns[-1].alarm, turns[-1].check, since, None)


def _responses(turns: Sequence[Turn | AlarmTransition], start: int) -> Iterator[float]:
    """Yield seconds from when the alarm began to wait to each acknowledgement."""
    since: int | None = None
    for turn in turns:
        if turn.after in _UNSEEN:
            since = turn.known if since is None else since
            continue
        acknowledged = turn.cause is Cause.ACKNOWLEDGED and turn.time >= start
        if acknowledged and since is not None:
            yield max(turn.time - since, 0) / 1e6
        if turn.before in _UNSEEN:
            since = None


def _response(seconds: Iterable[float]) -> Response:
    found = sorted(seconds)
    if not found:
        return Response(0, None, None, None)
    rank = -(-9 * len(found) // 10)
    return Response(len(found), statistics.median(found), found[rank - 1], found[-1])
