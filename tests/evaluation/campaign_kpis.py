"""The alarm figures of ISA-18.2 for a simulated campaign, with and without faults.

python -m tests.evaluation.campaign_kpis                     12 batches of either kind
python -m tests.evaluation.campaign_kpis --batches 4 --rows 120
An operator acknowledges each alarm ten minutes after it is known. Each batch of the
faulty half has another fault of the catalogue; the batches run one after another
in one vessel. Beside it stands the plain alarm set, counted by the same rules.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.alarm_kpis import Kpis, Turn, kpis
from shared.events import AlarmState, Cause
from tests.evaluation import plain_alarms
from tests.evaluation.catalogue import faults_of
from tests.evaluation.simulated_batches import START, simulated
from tests.evaluation.watched_batches import watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.events import AlarmTransition
    from tests.evaluation.simulated_batches import Run

SEED = 61
ATTENTIVE_US = 600_000_000
"""From when an alarm is known to its acknowledgement."""


def campaign(seed: int, batches: int, rows_s: int) -> Run:
    """Return so many batches without a fault, then so many with one each."""
    faults = faults_of("")
    step = max(len(faults) // batches, 1)
    families = [(faults[n * step % len(faults)],) for n in range(batches)]
    return simulated(seed, families, rows_s)


def figures(run: Run, places: Sequence[int]) -> tuple[Kpis, Kpis]:
    """Return the figures of batches one after another: ours, the plain alarm set's."""
    length = int(run.times[-1]) - START + int(run.times[1] - run.times[0])
    ours: list[Turn] = []
    plain: list[Turn] = []
    for number, place in enumerate(places):
        later = number * length
        journal = watch(run, place, attentive_us=ATTENTIVE_US, whole=True).journal
        ours += [_turn(one, number, later) for one in journal]
        for count, alarm in enumerate(plain_alarms.raised(run, place)):
            plain += _plain(f"{number}/{count}", alarm, later)
    end = START + len(places) * length
    return kpis(ours, START, end), kpis(plain, START, end)


def _turn(one: AlarmTransition, number: int, later: int) -> Turn:
    return Turn(
        alarm=f"{number}/{one.alarm}",
        check=one.check.partition("/")[2],
        priority=one.priority,
        cause=one.cause,
        before=one.before,
        after=one.after,
        time=one.time + later,
        known=one.known + later,
    )


def _plain(identity: str, alarm: plain_alarms.Plain, later: int) -> Iterable[Turn]:
    """Yield a raise, its acknowledgement and its return, in their order."""
    raised = Turn(
        identity, alarm.name, 2, Cause.RAISED, AlarmState.NORMAL,
        AlarmState.UNACKNOWLEDGED, alarm.time + later, alarm.time + later,
    )  # fmt: skip
    yield raised
    seen, until = raised.time + ATTENTIVE_US, alarm.until + later
    states = AlarmState
    turns = [
        (seen, Cause.ACKNOWLEDGED, states.ACKNOWLEDGED),
        (until, Cause.RETURNED, states.NORMAL),
    ]
    if until < seen:
        turns = [
            (until, Cause.RETURNED, states.RETURNED),
            (seen, Cause.ACKNOWLEDGED, states.NORMAL),
        ]
    before = raised.after
    for time, cause, after in turns:
        yield replace(
            raised, time=time, known=time, cause=cause, before=before, after=after
        )
        before = after


def table(columns: dict[str, Kpis]) -> str:
    """Return the figures as a table for people."""
    rows: dict[str, list[str]] = {}
    for found in columns.values():
        days = (found.end - found.start) / 86_400e6
        top = found.top_percent
        chatters = ", ".join(c.check for c in found.chattering) or "none"
        first = ", ".join(f"{f.check} {f.alarms}" for f in found.frequent[:3]) or "-"
        cells = {
            "days": f"{days:.0f}",
            "alarms (priority 1 to 3)": f"{found.alarms}",
            "a day": f"{found.alarms / days:.2f}",
            "most in 10 min": f"{found.most_in_10_min}",
            "time in flood, %": f"{found.flood_percent:.2f}",
            "priority 1 / 2 / 3": " / ".join(map(str, found.priorities)),
            "share of the ten most frequent, %": "-" if top is None else f"{top:.0f}",
            "fleeting": f"{found.fleeting}",
            "longer than a day": f"{len(found.stale)}",
            "chattering": chatters,
            "the most frequent": first,
        }
        for name, cell in cells.items():
            rows.setdefault(name, []).append(cell)
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines)


def main() -> int:
    """Return 0 when the figures are there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=12, help="of either kind")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--rows", type=int, default=60, help="seconds between rows")
    asked = parser.parse_args()
    run = campaign(asked.seed, asked.batches, asked.rows)
    clean = sorted(set(run.clean))
    faulty = [place for place in range(len(run.names)) if place not in clean]
    columns: dict[str, Kpis] = {}
    for name, places in (("without faults", clean), ("with faults", faulty)):
        ours, plain = figures(run, places)
        columns[f"fedbatch, {name}"] = ours
        columns[f"plain, {name}"] = plain
    print(table(columns))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
