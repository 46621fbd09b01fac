from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.last_readings import LastReadings
from shared.readings import Block, empty

if TYPE_CHECKING:
    from pathlib import Path

Row = tuple[int, int, int]


def block(*rows: Row) -> Block:
    tag, time, tie = (
        np.array([row[column] for row in rows], dtype)
        for column, dtype in enumerate((np.int32, np.int64, np.int32))
    )
    return Block(
        tag=tag,
        time=time,
        value=np.arange(len(rows), dtype=np.float64),
        status=np.zeros(len(rows), np.uint32),
        tie=tie,
        received=np.zeros(len(rows), np.int64),
        server=np.zeros(len(rows), np.int32),
    )


def test_what_a_new_subscription_delivers_again_is_not_fresh() -> None:
    last = LastReadings()
    assert last.fresh(block((1, 10, 5), (2, 10, 5))).all()
    again = last.fresh(block((1, 10, 5), (2, 11, 5), (3, 10, 5)))
    assert again.tolist() == [False, True, True]


def test_of_a_run_of_equal_rows_inside_a_block_the_first_is_fresh() -> None:
    rows = block((1, 10, 5), (2, 10, 5), (1, 10, 5), (1, 10, 5))
    assert LastReadings().fresh(rows).tolist() == [True, True, False, False]


def test_another_tie_at_one_time_is_another_reading() -> None:
    last = LastReadings()
    last.fresh(block((1, 10, 5)))
    assert last.fresh(block((1, 10, 6), (1, 10, 5))).all()


def test_a_block_of_no_rows_has_no_fresh_ones() -> None:
    assert LastReadings().fresh(empty()).tolist() == []


def test_a_block_given_back_is_fresh_when_it_comes_again() -> None:
    last = LastReadings()
    rows = block((1, 10, 5), (2, 10, 5))
    last.fresh(rows)
    last.forget(block((1, 10, 5), (9, 1, 1)))
    assert last.fresh(rows).tolist() == [True, False]


small = st.integers(-2, 2)
blocks = st.lists(st.lists(st.tuples(small, small, small), max_size=12), max_size=5)


@given(blocks)
def test_it_knows_exactly_what_a_dictionary_of_last_rows_would(
    stream: list[list[Row]],
) -> None:
    last, memory = LastReadings(), dict[int, Row]()
    for rows in stream:
        expected = []
        for row in rows:
            expected.append(memory.get(row[0]) != row)
            memory[row[0]] = row
        assert last.fresh(block(*rows)).tolist() == expected


def saved(path: Path) -> LastReadings:
    last = LastReadings()
    last.fresh(block((1, 10, 5), (70_000, 2**60, -5)))
    last.save(path, log="epoch")
    return last


def test_a_saved_memory_drops_the_same_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "last"
    saved(path)
    restored = LastReadings.restore(path, log="epoch")
    assert len(restored) == 2
    assert not restored.fresh(block((1, 10, 5), (70_000, 2**60, -5))).any()
    assert [entry.name for entry in tmp_path.iterdir()] == ["last"]


def test_no_file_is_an_empty_memory(tmp_path: Path) -> None:
    assert len(LastReadings.restore(tmp_path / "none", log="epoch")) == 0


def test_a_file_beside_another_log_is_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path / "last")
    assert len(LastReadings.restore(tmp_path / "last", log="other")) == 0
    assert "another log" in caplog.text


def test_a_file_damaged_at_any_byte_is_an_empty_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "last"
    saved(path)
    whole = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert len(LastReadings.restore(path, log="epoch")) == 0, at
            path.write_bytes(whole[:at])
            assert len(LastReadings.restore(path, log="epoch")) == 0, at
    assert len(caplog.records) == 2 * len(whole)
    assert str(path) in caplog.text
