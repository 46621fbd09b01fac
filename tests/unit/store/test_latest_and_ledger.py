"""Newest readings and counts, as columns."""

from __future__ import annotations

import numpy as np

from shared.readings import empty
from shared.store.latest import Newest, newest
from shared.store.ledger import MAX_MINUTE, cells
from tests.neighbours.made import made_block


def test_the_newest_of_each_tag_is_by_time_then_by_arrival() -> None:
    block = made_block(9)
    assert newest(block.take(np.arange(9)[::-1])).value.tolist() == [0.75, 0.875, 1.0]
    same = block.take(np.array([0, 0]))
    later = same.with_tie(np.array([5, 6], np.int32))
    assert newest(later).tie.tolist() == [6]
    assert len(newest(empty())) == 0


def test_what_could_not_be_written_yields_to_what_came_since() -> None:
    kept = Newest()
    kept.add(made_block(9))
    taken = kept.take()
    assert len(kept.take()) == 0
    kept.add(made_block(1, first=9))
    kept.give_back(taken)
    assert kept.take().value.tolist() == [9 / 8, 7 / 8, 8 / 8]


def test_readings_are_counted_per_tag_and_minute() -> None:
    counted = cells(
        np.array([2, 1, 2, 2], np.int32),
        np.array([60_000_000, 59_999_999, 119_999_999, 120_000_000], np.int64),
    )
    assert counted.tags.tolist() == [1, 2, 2]
    assert counted.minutes.tolist() == [0, 1, 2]
    assert counted.counts.tolist() == [1, 2, 1]
    assert counted.total == 4


def test_times_beyond_the_count_are_counted_at_its_ends() -> None:
    ends = np.array([-(2**63), 2**63 - 1], np.int64)
    assert cells(np.array([1, 1], np.int32), ends).minutes.tolist() == [0, MAX_MINUTE]
