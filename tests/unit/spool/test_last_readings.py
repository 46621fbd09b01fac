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


def rows_of(found: Block) -> list[Row]:
    columns = found.tag.tolist(), found.time.tolist(), found.tie.tolist()
    return list(zip(*columns, strict=True))


def test_what_a_new_subscription_delivers_again_is_dropped_and_counted() -> None:
    last = LastReadings()
    last.fresh(block((1, 10, 5), (2, 10, 5)))
    found, dropped = last.fresh(block((1, 10, 5), (2, 11, 5), (3, 10, 5)))
    assert (rows_of(found), dropped) == ([(2, 11, 5), (3, 10, 5)], 1)


def test_a_run_of_equal_rows_inside_a_block_becomes_one() -> None:
    found, dropped = LastReadings().fresh(
        block((1, 10, 5), (2, 10, 5), (1, 10, 5), (1, 10, 5))
    )
    assert (rows_of(found), dropped) == ([(1, 10, 5), (2, 10, 5)], 2)


def test_another_tie_at_one_time_is_another_reading() -> None:
    last = LastReadings()
    last.fresh(block((1, 10, 5)))
    found, dropped = last.fresh(block((1, 10, 6), (1, 10, 5)))
    assert (len(found), dropped) == (2, 0)


def test_a_block_of_no_rows_is_returned_as_it_is() -> None:
    assert LastReadings().fresh(empty())[1] == 0


def test_a_block_given_back_is_fresh_when_it_comes_again() -> None:
    last = LastReadings()
    first = block((1, 10, 5), (2, 10, 5))
    last.fresh(first)
    last.forget(block((1, 10, 5), (9, 1, 1)))
    found, dropped = last.fresh(first)
    assert (rows_of(found), dropped) == ([(1, 10, 5)], 1)


small = st.integers(-2, 2)
blocks = st.lists(st.lists(st.tuples(small, small, small), max_size=12), max_size=5)


@given(blocks)
def test_it_drops_exactly_what_a_dictionary_of_last_rows_would(
    stream: list[list[Row]],
) -> None:
    last, memory = LastReadings(), dict[int, Row]()
    for rows in stream:
        expected = []
        for row in rows:
            if memory.get(row[0]) != row:
                expected.append(row)
            memory[row[0]] = row
        found, dropped = last.fresh(block(*rows))
        assert rows_of(found) == expected
        assert dropped == len(rows) - len(expected)


def saved(path: Path) -> LastReadings:
    last = LastReadings()
    last.fresh(block((1, 10, 5), (70_000, 2**60, -5)))
    last.save(path, log="epoch")
    return last


def test_a_saved_memory_drops_the_same_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "last"
    saved(path)
    restored = LastReadings.restore(path, log="epoch")
    _, dropped = restored.fresh(block((1, 10, 5), (70_000, 2**60, -5)))
    assert (dropped, len(restored)) == (2, 2)
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
