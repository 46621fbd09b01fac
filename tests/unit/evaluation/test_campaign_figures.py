"""A campaign's alarm figures, from journals made by hand, and its record on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.alarm_kpis import Turn
from shared.events import AlarmState, Cause
from tests.evaluation.campaign_figures import figures, plain_turns, turns
from tests.evaluation.campaign_kpis import AT_ONCE, parts_of, report
from tests.evaluation.campaign_record import Record, Told
from tests.evaluation.plain_alarms import Plain
from tests.neighbours.said import raised as transition

if TYPE_CHECKING:
    from pathlib import Path

MIN, H, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
BEGIN = 1_000 * DAY
STATES = AlarmState


def raised(alarm: str, time: int, check: str = "T/limit-h", priority: int = 2) -> Turn:
    states = STATES.NORMAL, STATES.UNACKNOWLEDGED
    return Turn(alarm, check, priority, Cause.RAISED, *states, time, time)


def seen(alarm: str, time: int) -> Turn:
    states = STATES.UNACKNOWLEDGED, STATES.ACKNOWLEDGED
    return Turn(alarm, "T/limit-h", 2, Cause.ACKNOWLEDGED, *states, time, time)


def told(number: int, *ours: Turn, fault: str | None = None) -> Told:
    plain = plain_turns([Plain(H, "pH", (), 2 * H)], 0, DAY, 10 * MIN)
    return Told(number, fault, DAY, ours, tuple(plain))


def test_batches_follow_each_other_and_their_alarms_stay_apart() -> None:
    first = told(0, raised("a", H), seen("a", H + 12 * MIN))
    second = told(1, raised("a", 2 * H), raised("b", 2 * H + MIN, "P/limit-l", 1))
    ours, plain = figures([first, second])
    assert (ours.start, ours.end, ours.alarms) == (0, 2 * DAY, 3)
    assert ours.most_in_10_min == 2
    assert ours.priorities == (1, 2, 0)
    assert ours.response.median_s == 720.0
    assert ours.per_10_min == pytest.approx(3 / 288)
    assert (plain.alarms, plain.response.median_s) == (2, 600.0)


def test_what_stands_when_a_batch_ends_does_not_stand_in_the_next() -> None:
    found = turns([transition(BEGIN + H)], BEGIN, BEGIN + DAY)
    assert [(t.cause, t.time) for t in found] == [
        (Cause.RAISED, H),
        (Cause.WITHDRAWN, DAY - 1),
    ]
    ours, _ = figures([told(0, *found), told(1), told(2)])
    assert (ours.waiting, ours.stale, ours.fleeting) == (0, (), 0)


def test_a_plain_alarm_is_acknowledged_also_after_it_returned() -> None:
    alarms = [
        Plain(BEGIN + H, "short", (), BEGIN + H + MIN),
        Plain(BEGIN + H, "long", (), BEGIN + 3 * H),
        Plain(BEGIN + DAY - MIN, "late", (), BEGIN + DAY + H),
    ]
    found = plain_turns(alarms, BEGIN, BEGIN + DAY, 10 * MIN)
    causes = [t.cause for t in found]
    raise_, seen_, back = Cause.RAISED, Cause.ACKNOWLEDGED, Cause.RETURNED
    assert causes == [raise_, back, seen_, raise_, seen_, back, raise_, seen_, back]
    assert all(t.before is not t.after for t in found)
    assert [t.after for t in found[2::3]] == [STATES.NORMAL] * 3
    assert max(t.time for t in found) == DAY - 1


def test_a_record_goes_on_behind_a_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "notes" / "campaign.jsonl"
    record = Record(path)
    record.note(told(0, raised("a", H)))
    record.note(told(0, raised("b", H), fault="S01"))
    path.write_bytes(path.read_bytes()[:-20])
    again = Record(path)
    assert (0, None) in again
    assert (0, "S01") not in again
    again.note(told(0, raised("b", H), fault="S01"))
    whole = Record(path).of([(0, None), (0, "S01"), (1, None)])
    assert whole == [
        told(0, raised("a", H)),
        told(0, raised("b", H), fault="S01"),
    ]


def test_every_batch_is_played_with_and_without_a_fault_of_its_own() -> None:
    parts = parts_of(50, 501)
    keys = [key for part in parts for key in part.keys]
    assert len(set(keys)) == 100
    assert [part.seed for part in parts] == [501, 502, 503, 504, 505]
    assert {len(part.faults) for part in parts} == {AT_ONCE}
    faults = [fault for _, fault in keys if fault is not None]
    assert len(set(faults[:37])) == 37
    assert len({fault for part in parts_of(4, 1) for fault in part.faults}) == 4


def test_the_table_has_both_contenders_with_and_without_faults() -> None:
    said = report([told(0, raised("a", H)), told(0, raised("a", H), fault="S01")])
    head, *rows = said.splitlines()
    assert head.count("fedbatch") == head.count("plain") == 2
    assert "| batches | 1 | 1 | 1 | 1 |  |" in rows
    assert "| priority 1 / 2 / 3, % | 0 / 100 / 0 |" in said
    assert report([told(0)]).count("| - |") >= 1
