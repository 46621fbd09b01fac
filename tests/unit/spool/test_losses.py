"""Gaps for what cannot be read or is given up."""

from __future__ import annotations

from collections import Counter

from services.ingest.spool.losses import Losses, damage_gaps
from shared.bus import Damaged, Message, Position, Record, TopicPartition
from shared.domain import Gap, GapCause
from shared.wire import (
    Clock,
    LedgerCounts,
    decode_gap,
    decode_ledger,
    encode_clock,
    encode_ledger,
)
from tests.integration.spool.records import START_US, readings

AT = TopicPartition("plant", 3)


def damaged(after: int | None, before: int | None) -> Damaged:
    return Damaged(AT, Position("e", 5), Position("e", 7), "why", after, before)


def record(message: Message) -> Record:
    return Record(AT, Position("e", 1), 50, message.headers, message.value)


def times(gaps: list[Gap]) -> list[tuple[str, int, int | None]]:
    return [(gap.server, gap.start, gap.end) for gap in gaps]


def test_damage_is_declared_for_every_server_between_its_neighbours() -> None:
    gaps = damage_gaps(damaged(10, 20), {"b", "a"}, since=1, until=99)
    assert times(gaps) == [("a", 10, 20), ("b", 10, 20)]
    assert {gap.cause for gap in gaps} == {GapCause.LOG_DAMAGED}
    assert gaps[0].detail == "plant/3: why"
    assert gaps[0].count is None


def test_damage_at_an_end_of_the_log_reaches_to_what_is_known() -> None:
    assert times(damage_gaps(damaged(None, 20), ["a"], since=1, until=99)) == [
        ("a", 1, 20)
    ]
    assert times(damage_gaps(damaged(10, None), ["a"], since=1, until=99)) == [
        ("a", 10, 99)
    ]


def test_a_clock_that_went_back_makes_no_gap_that_ends_before_it_starts() -> None:
    assert times(damage_gaps(damaged(30, 20), ["a"], since=1, until=99)) == [
        ("a", 20, 30)
    ]


def test_damage_of_nobody_known_is_declared_all_the_same() -> None:
    assert times(damage_gaps(damaged(10, 20), [], since=1, until=99)) == [
        ("unknown", 10, 20)
    ]


def test_small_records_are_kept_and_moments_are_not() -> None:
    counts = Message(*encode_ledger([LedgerCounts("v", 0, "seen", (1,), (2,))]))
    losses = Losses(["a"], "here")
    losses.add([record(counts), record(Message(*encode_clock(Clock(1, {}))))])
    assert losses.messages() == [counts]


def test_readings_that_nobody_understands_are_a_gap_at_their_time() -> None:
    losses = Losses(["a"], "here")
    losses.add([record(Message({"kind": "readings", "server": "a"}, b"?"))])
    [message] = losses.messages()
    gap = decode_gap(message.value)
    assert (gap.server, gap.start, gap.end, gap.count) == ("a", 50, 51, None)
    assert (gap.cause, gap.tags) == (GapCause.SPOOL_FULL, None)


def test_readings_given_up_are_counted_by_tag_and_minute() -> None:
    losses = Losses(["a"], "here")
    for first in (0, 50):
        losses.add([record(readings(first, 20, server="a"))])
    counted = Counter[int]()
    for message in losses.messages():
        if message.headers["kind"] == "ledger":
            for count in decode_ledger(message.value):
                assert (count.hop, count.tags) == ("spool-lost", (1,))
                counted[count.minute] += count.counts[0]
    start = START_US // 60_000_000 * 60_000_000
    second = (START_US - start) // 1_000_000
    expected = Counter(
        start + (second + n) // 60 * 60_000_000 for n in [*range(20), *range(50, 70)]
    )
    assert counted == expected
