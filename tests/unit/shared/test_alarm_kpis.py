"""The figures of an alarm system against a journal that was counted by hand."""

from __future__ import annotations

import pytest

from shared.alarm_kpis import Chattering, Flood, Frequent, Kpis, Stale, Turn, kpis
from shared.events import AlarmState, Cause

S = 1_000_000
MIN = 60 * S
T0 = 1_790_000_000 * S
NORMAL, UNSEEN, SEEN = (
    AlarmState.NORMAL,
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
)
RETURNED, SHELVED = AlarmState.RETURNED, AlarmState.SHELVED


def turn(
    name: str,
    minute: float,
    cause: Cause = Cause.RAISED,
    states: tuple[AlarmState, AlarmState] = (NORMAL, UNSEEN),
    priority: int = 3,
) -> Turn:
    """Return a change of alarm `check#occurrence`; it is known a second later."""
    time = T0 + round(minute * MIN)
    check = name.partition("#")[0]
    return Turn(name, check, priority, cause, *states, time, time + S)


def flood() -> list[Turn]:
    """Eleven alarms from 10 to 20 min, five until 30, four until 40; none is seen."""
    first = [turn(f"B{n:02}#1", 10 + n / 2) for n in range(11)]
    second = [turn(f"B{n:02}#2", 20 + n) for n in range(5)]
    return [*first, *second, *(turn(f"B{n:02}#2", 26 + n) for n in range(5, 9))]


JOURNAL = [
    # stands since 25 h before the range and goes on
    turn("S#1", -1500, priority=2),
    turn("S#1", -1490, Cause.ACKNOWLEDGED, (UNSEEN, SEEN), 2),
    # stood for 24 h 15 min, was seen 24 h 25 min after it was known, less a second
    turn("O#1", -1445),
    turn("O#1", 10, Cause.RETURNED, (UNSEEN, RETURNED)),
    turn("O#1", 20, Cause.ACKNOWLEDGED, (RETURNED, NORMAL)),
    *flood(),
    # three times within 50 s, twice away after 10 and 20 s, seen after 2 min
    turn("C#1", 40),
    turn("C#1", 40 + 1 / 6, Cause.RETURNED, (UNSEEN, RETURNED)),
    turn("C#1", 40 + 2 / 6, Cause.RAISED, (RETURNED, UNSEEN)),
    turn("C#1", 40 + 4 / 6, Cause.RETURNED, (UNSEEN, RETURNED)),
    turn("C#1", 40 + 5 / 6, Cause.RAISED, (RETURNED, UNSEEN)),
    turn("C#1", 42, Cause.ACKNOWLEDGED, (UNSEEN, SEEN)),
    turn("C#1", 43, Cause.RETURNED, (SEEN, NORMAL)),
    # three times in a minute and not in less
    turn("D#1", 41),
    turn("D#2", 41.5),
    turn("D#3", 42),
    # for the record only, and what late readings showed
    turn("E#1", 50, states=(NORMAL, SEEN), priority=4),
    turn("D#3", 51, Cause.REVISED, (UNSEEN, UNSEEN)),
    # urgent, seen after half a minute, then put aside
    turn("F#1", 55, priority=1),
    turn("F#1", 55.5, Cause.ACKNOWLEDGED, (UNSEEN, SEEN), 1),
    turn("F#1", 56, Cause.SHELVED, (SEEN, SHELVED), 1),
    # comes back from a shelf
    turn("G#1", -30, Cause.SHELVED, (UNSEEN, SHELVED), 2),
    turn("G#1", 62, Cause.SHELF_EXPIRED, (SHELVED, UNSEEN), 2),
    # behind the range
    turn("H#1", 65),
]


@pytest.fixture(scope="module")
def found() -> Kpis:
    return kpis(JOURNAL, T0, T0 + 65 * MIN)


def test_rates_and_floods_are_as_counted_by_hand(found: Kpis) -> None:
    assert found.alarms == 11 + 5 + 4 + 6 + 1 + 1
    assert found.per_10_min == 28 * 10 / 65
    assert found.most_in_10_min == 11
    assert found.floods == (Flood(T0 + 10 * MIN, T0 + 30 * MIN, 16),)
    assert found.flood_percent == 100 * 20 / 65


def test_bad_actors_are_as_counted_by_hand(found: Kpis) -> None:
    twice = [Frequent(f"B{n:02}", 2) for n in range(8)]
    assert found.frequent == (Frequent("C", 3), Frequent("D", 3), *twice)
    assert found.top_percent == 100 * 22 / 28
    assert found.chattering == (Chattering("C", 3),)
    assert found.fleeting == 2
    assert found.stale == (
        Stale("O#1", "O", T0 - 1445 * MIN, T0 + 10 * MIN),
        Stale("S#1", "S", T0 - 1500 * MIN, None),
    )


def test_what_people_did_is_as_counted_by_hand(found: Kpis) -> None:
    response = found.response
    assert response.acknowledged == 3
    assert response.median_s == 119.0
    assert response.p90_s == response.longest_s == 1465 * 60 - 1
    assert found.waiting == 20 + 3 + 1
    assert found.priorities == (1, 1, 26)
    assert found.states == {UNSEEN: 24, SEEN: 1, SHELVED: 1}


def test_twice_as_many_operators_share_the_alarms() -> None:
    found = kpis(JOURNAL, T0, T0 + 65 * MIN, operators=2)
    assert (found.per_10_min, found.floods) == (14 * 10 / 65, ())


def test_a_flood_that_lasts_ends_with_the_range() -> None:
    burst = [turn(f"B{n}#1", 15) for n in range(11)]
    found = kpis(burst, T0, T0 + 16 * MIN)
    assert found.floods == (Flood(T0 + 10 * MIN, T0 + 16 * MIN, 11),)


def test_a_quiet_range_has_no_shares() -> None:
    found = kpis([], T0, T0 + MIN)
    assert (found.alarms, found.per_10_min, found.flood_percent) == (0, 0.0, 0.0)
    assert (found.top_percent, found.response.median_s) == (None, None)


def test_the_order_between_alarms_does_not_matter(found: Kpis) -> None:
    by_name = sorted(JOURNAL, key=lambda turn: turn.alarm, reverse=True)
    assert kpis(by_name, T0, T0 + 65 * MIN) == found
