from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.readings import (
    Block,
    BlockShapeError,
    empty,
    is_bad,
    is_good,
    merge,
    tie,
)


def block(rows: int, *, text: list[str | None] | None = None) -> Block:
    return Block(
        tag=np.arange(rows, dtype=np.int32),
        time=np.arange(rows, dtype=np.int64) * 1_000_000,
        value=np.linspace(0, 1, rows),
        status=np.zeros(rows, np.uint32),
        tie=np.zeros(rows, np.int32),
        received=np.full(rows, 7, np.int64),
        server=np.zeros(rows, np.int32),
        text=None if text is None else pa.array(text, pa.string()),
    )


def digest(ticks: int, type_id: int, bits: int, status: int, text: int) -> int:
    return int(
        tie(
            np.array([ticks], np.int64),
            np.array([type_id], np.uint8),
            np.array([bits], np.uint64),
            np.array([status], np.uint32),
            np.array([text], np.uint64),
        )[0]
    )


def test_a_column_of_another_length_is_refused_by_name() -> None:
    good = block(3)
    with pytest.raises(BlockShapeError, match="'value'"):
        Block(
            good.tag,
            good.time,
            good.value[:2],
            good.status,
            good.tie,
            good.received,
            good.server,
        )


def test_a_column_of_another_type_is_refused_by_name() -> None:
    good = block(3)
    with pytest.raises(BlockShapeError, match="'status'"):
        Block(
            good.tag,
            good.time,
            good.value,
            good.status.astype(np.int64),
            good.tie,
            good.received,
            good.server,
        )


def test_merged_blocks_keep_order_and_text() -> None:
    merged = merge([block(2), block(2, text=["a", None]), empty()])
    assert merged.tag.tolist() == [0, 1, 0, 1]
    assert merged.text is not None
    assert merged.text.to_pylist() == [None, None, "a", None]


def test_taking_rows_without_text_drops_the_text_column() -> None:
    taken = block(3, text=["a", None, None]).take(np.array([False, True, True]))
    assert taken.tag.tolist() == [1, 2]
    assert taken.text is None


def test_merging_nothing_is_an_error() -> None:
    with pytest.raises(BlockShapeError):
        merge([])


def test_tie_is_the_wire_contract_and_never_changes() -> None:
    # Written down once; a change here breaks every stored key.
    assert digest(133_000_000_000_000_000, 11, 0x3FF0000000000000, 0, 0) == 1570062204
    assert digest(0, 0, 0, 0, 0) == 425174880


@given(
    st.integers(0, 2**62),
    st.integers(0, 25),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
)
def test_tie_depends_on_every_part(
    ticks: int, type_id: int, bits: int, status: int, text: int
) -> None:
    same = digest(ticks, type_id, bits, status, text)
    assert digest(ticks, type_id, bits, status, text) == same
    changed = [
        digest(ticks + 1, type_id, bits, status, text),
        digest(ticks, type_id + 1, bits, status, text),
        digest(ticks, type_id, bits ^ 1, status, text),
        digest(ticks, type_id, bits, status ^ 1, text),
        digest(ticks, type_id, bits, status, text ^ 1),
    ]
    assert sum(other == same for other in changed) <= 1


def test_severity_is_the_two_highest_bits() -> None:
    status = np.array([0, 0x40000000, 0x80000000, 0xC0000000], np.uint32)
    assert is_good(status).tolist() == [True, False, False, False]
    assert is_bad(status).tolist() == [False, False, True, True]
