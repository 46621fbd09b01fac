"""Counts per vessel, minute of source time and hop."""

from __future__ import annotations

import numpy as np

from services.ingest.collect.ledger import MINUTES, Ledger

MINUTE = 60_000_000
VESSEL = {7: "A", 8: "B"}


def ledger() -> Ledger:
    one = Ledger()
    one.follow(np.array([7, 8, 9], np.int32))
    return one


def count(one: Ledger, hop: str, *rows: tuple[int, int]) -> None:
    handle = np.array([h for h, _ in rows], np.intp)
    time = np.array([t for _, t in rows], np.int64)
    one.count(handle, time, hop)


def test_readings_are_counted_by_tag_minute_and_hop() -> None:
    one = ledger()
    count(one, "seen", (0, 1), (0, 2), (1, 3), (0, MINUTE))
    count(one, "spooled", (0, 1))
    taken = {(c.vessel, c.minute, c.hop): (c.tags, c.counts) for c in one.take(VESSEL)}
    assert taken == {
        ("A", 0, "seen"): ((7,), (2,)),
        ("B", 0, "seen"): ((8,), (1,)),
        ("A", MINUTE, "seen"): ((7,), (1,)),
        ("A", 0, "spooled"): ((7,), (1,)),
    }


def test_taking_starts_anew() -> None:
    one = ledger()
    count(one, "seen", (0, 1))
    one.take(VESSEL)
    assert one.take(VESSEL) == []


def test_a_tag_of_no_vessel_is_left_out() -> None:
    one = ledger()
    count(one, "seen", (2, 1))
    assert one.take(VESSEL) == []


def test_counts_outlive_a_new_configuration() -> None:
    one = ledger()
    count(one, "seen", (0, 1))
    one.follow(np.array([7, 8, 9, 10], np.int32))
    count(one, "seen", (0, 2), (3, 2))
    (found,) = one.take(VESSEL)
    assert found.counts == (2,)


def test_times_before_1970_have_their_minute() -> None:
    one = ledger()
    count(one, "seen", (0, -1))
    (found,) = one.take(VESSEL)
    assert found.minute == -MINUTE


def test_a_record_is_due_when_many_minutes_are_open() -> None:
    one = ledger()
    for minute in range(MINUTES - 1):
        count(one, "seen", (0, minute * MINUTE))
    assert not one.is_full
    count(one, "seen", (0, MINUTES * MINUTE))
    assert one.is_full
