"""Figures of ISA-18.2 for batches that run one after another in one vessel. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.alarm_kpis import Kpis, Turn, kpis
from shared.events import AlarmState, Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shared.events import AlarmTransition
    from tests.evaluation.campaign_record import Told
    from tests.evaluation.plain_alarms import Plain

PLAIN_PRIORITY = 2
"""The plain alarm set has one."""
AIMS = {
    "alarms in 10 min, on average": "1, at most 2",
    "most in 10 min": "10",
    "time in flood, %": "1",
    "share of the ten most frequent, %": "1 to 5",
    "chattering checks": "none",
    "fleeting": "none",
    "longer than a day": "few",
    "priority 1 / 2 / 3, %": "5 / 15 / 80",
}
"""What ANSI/ISA-18.2 asks of one operator, by row of the table."""


def turns(journal: Iterable[AlarmTransition], start: int, end: int) -> list[Turn]:
    """Return the turns of a batch's journal, us from its start.

    What still stands when the batch ends is withdrawn then: nobody sees it any more.
    """
    found = [
        Turn(
            alarm=one.alarm,
            check=one.check.partition("/")[2],
            priority=one.priority,
            cause=one.cause,
            before=one.before,
            after=one.after,
            time=one.time - start,
            known=one.known - start,
        )
        for one in journal
        if one.time < end
    ]
    last = {turn.alarm: turn for turn in found if turn.cause is not Cause.REVISED}
    over = end - start - 1
    found += [
        replace(
            turn, cause=Cause.WITHDRAWN, before=turn.after, after=AlarmState.NORMAL,
            time=over, known=over,
        )
        for turn in last.values()
        if turn.after is not AlarmState.NORMAL
    ]  # fmt: skip
    return found


def plain_turns(
    alarms: Iterable[Plain], start: int, end: int, attentive_us: int
) -> list[Turn]:
    """Return raise, acknowledgement and return of alarms, us from the batch's start.

    Args:
        alarms: of the plain alarm set.
        start: of the batch, us UTC.
        end: alike.
        attentive_us: from a raise to its acknowledgement.
    """
    return [
        turn
        for count, alarm in enumerate(alarms)
        for turn in _plain(f"{count}", alarm, start, end, attentive_us)
    ]


def _plain(
    identity: str, alarm: Plain, start: int, end: int, attentive_us: int
) -> Iterator[Turn]:
    raised = Turn(
        identity, alarm.name, PLAIN_PRIORITY, Cause.RAISED, AlarmState.NORMAL,
        AlarmState.UNACKNOWLEDGED, alarm.time - start, alarm.time - start,
    )  # fmt: skip
    yield raised
    over = end - start - 1
    seen, until = min(raised.time + attentive_us, over), min(alarm.until - start, over)
    later = [(Cause.ACKNOWLEDGED, seen), (Cause.RETURNED, until)]
    if until < seen:
        later.reverse()
    after = (
        AlarmState.ACKNOWLEDGED if seen <= until else AlarmState.RETURNED,
        AlarmState.NORMAL,
    )
    before = raised.after
    for (cause, time), state in zip(later, after, strict=True):
        yield replace(
            raised, time=time, known=time, cause=cause, before=before, after=state
        )
        before = state


def figures(told: Sequence[Told]) -> tuple[Kpis, Kpis]:
    """Return the figures of batches one after another: ours, the plain alarm set's.

    Args:
        told: at least one batch.
    """
    ours: list[Turn] = []
    plain: list[Turn] = []
    later = 0
    for place, one in enumerate(told):
        ours += [_moved(turn, place, later) for turn in one.ours]
        plain += [_moved(turn, place, later) for turn in one.plain]
        later += one.length
    return kpis(ours, 0, later), kpis(plain, 0, later)


def _moved(turn: Turn, place: int, later: int) -> Turn:
    alarm = f"{place}/{turn.alarm}"
    return replace(turn, alarm=alarm, time=turn.time + later, known=turn.known + later)


def table(columns: Mapping[str, tuple[int, Kpis]]) -> str:
    """Return the figures as a table for people: batches and figures by heading."""
    rows: dict[str, list[str]] = {}
    for batches, found in columns.values():
        for name, cell in _cells(batches, found).items():
            rows.setdefault(name, []).append(cell)
    head = f"| | {' | '.join(columns)} | ISA-18.2 aims at |"
    lines = [head, "|---" * (len(columns) + 2) + "|"]
    for name, cells in rows.items():
        lines.append(f"| {name} | {' | '.join(cells)} | {AIMS.get(name, '')} |")
    return "\n".join(lines)


def _cells(batches: int, found: Kpis) -> dict[str, str]:
    days = (found.end - found.start) / 86_400e6
    top, took = found.top_percent, found.response
    mix = [found.percent(count) for count in found.priorities]
    first = ", ".join(f"{f.check} {f.alarms}" for f in found.frequent[:3])
    chatter = ", ".join(f"{c.check} ({c.most_per_min})" for c in found.chattering)
    return {
        "batches": f"{batches}",
        "days": f"{days:.0f}",
        "alarms of priority 1 to 3": f"{found.alarms}",
        "in a batch": f"{found.alarms / batches:.2f}",
        "alarms in 10 min, on average": f"{found.per_10_min:.2g}",
        "most in 10 min": f"{found.most_in_10_min}",
        "time in flood, %": f"{found.flood_percent:.2f}",
        "share of the ten most frequent, %": "-" if top is None else f"{top:.0f}",
        "chattering checks": chatter or "none",
        "fleeting": f"{found.fleeting}",
        "longer than a day": f"{len(found.stale)}",
        "acknowledged after, min: median, 90 %, longest": _minutes(
            took.median_s, took.p90_s, took.longest_s
        ),
        "priority 1 / 2 / 3, %": " / ".join(
            "-" if share is None else f"{share:.0f}" for share in mix
        ),
        "the most frequent": first or "-",
    }


def _minutes(*seconds: float | None) -> str:
    return ", ".join("-" if s is None else f"{s / 60.0:.0f}" for s in seconds)
