"""Which readings are stored, and why the others are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from shared.domain import US_PER_S
from shared.store.acceptance import (
    AHEAD_US,
    EARLIEST_US,
    LATEST_US,
    Refusal,
    is_future,
    sort_out,
)
from tests.neighbours.made import NOON_US, made_block


def test_a_sound_block_is_returned_as_it_is() -> None:
    block = made_block(9, texts=["a", None] * 4 + ["\N{SNOWMAN}"])
    accepted, refused = sort_out(block)
    assert accepted is block
    assert refused == []


def test_the_limits_themselves_are_accepted() -> None:
    time = np.array([EARLIEST_US, NOON_US + AHEAD_US, NOON_US], np.int64)
    received = np.array([EARLIEST_US, NOON_US, LATEST_US - 1], np.int64)
    block = replace(made_block(3), time=time, received=received)
    assert sort_out(block)[1] == []


def test_each_refused_reading_has_its_first_reason() -> None:
    time = np.array(
        [EARLIEST_US - 1, NOON_US + AHEAD_US + 1, NOON_US, 0, NOON_US, NOON_US]
    )
    received = np.array([NOON_US, NOON_US, LATEST_US, -1, NOON_US, NOON_US])
    texts = pa.array([None, None, None, "\0", "\0", "kept"])
    block = replace(made_block(6), time=time, received=received, text=texts)
    accepted, refused = sort_out(block)
    assert accepted.text is not None
    assert accepted.text.to_pylist() == ["kept"]
    assert {one.reason: one.rows.tolist() for one in refused} == {
        Refusal.RECEIVED: [2, 3],
        Refusal.TOO_OLD: [0],
        Refusal.TOO_NEW: [1],
        Refusal.NUL: [4],
    }


def test_a_clock_five_seconds_ahead_is_not_yet_the_future() -> None:
    ahead = np.array([5 * US_PER_S, 5 * US_PER_S + 1, -1], np.int64)
    block = replace(made_block(3), received=made_block(3).time - ahead)
    assert is_future(block).tolist() == [False, True, False]
