"""The bytes of a binary COPY, read back field by field as the manual describes them."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.readings import Block, empty
from shared.store.acceptance import EARLIEST_US
from shared.store.copy import COLUMNS, encode_rows, pieces
from tests.neighbours.made import NOON_US, made_block

Fields = tuple[bytes | None, ...]


def fields_of(stream: bytes) -> list[Fields]:
    """Return the tuples of a COPY stream."""
    assert stream[:19] == b"PGCOPY\n\xff\r\n\0" + bytes(8)
    place, rows = 19, []
    while (count := struct.unpack_from(">h", stream, place)[0]) != -1:
        assert count == len(COLUMNS)
        place += 2
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", stream, place)
            place += 4
            row.append(None if length < 0 else stream[place : place + length])
            place += max(length, 0)
        rows.append(tuple(row))
    assert place + 2 == len(stream)
    return rows


def expected_rows(block: Block, generation: int) -> list[Fields]:
    """Return the same tuples, made one by one."""
    texts = [None] * len(block) if block.text is None else block.text.to_pylist()
    rows: list[Fields] = []
    for n, text in enumerate(texts):
        value = float(block.value[n])
        rows.append(
            (
                struct.pack(">q", int(block.time[n]) - EARLIEST_US),
                struct.pack(">q", int(block.received[n]) - EARLIEST_US),
                struct.pack(">q", generation),
                struct.pack(">i", block.tag[n]),
                struct.pack(">i", block.tie[n]),
                struct.pack(">I", block.status[n]),
                struct.pack(">i", block.server[n]),
                None if np.isnan(value) else struct.pack(">d", value),
                None if text is None else text.encode(),
            )
        )
    return rows


def comparable(rows: list[Fields]) -> list[list[tuple[bool, bytes]]]:
    """Return rows in an order that does not depend on their layout."""
    return sorted([(field is None, field or b"") for field in row] for row in rows)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(), max_size=12),
    texts=st.data(),
    cut=st.integers(0, 5),
)
def test_every_mix_of_nulls_and_texts_is_encoded_exactly(
    values: list[float], texts: st.DataObject, cut: int
) -> None:
    one = st.none() | st.text(max_size=20)
    said = texts.draw(st.lists(one, min_size=len(values), max_size=len(values)))
    whole = pa.array([None] * cut + said, pa.string())
    block = replace(
        made_block(len(values), first=3),
        value=np.array(values, np.float64),
        text=whole.slice(cut),
    )
    rows = fields_of(encode_rows(block, 2**40))
    assert comparable(rows) == comparable(expected_rows(block, 2**40))


def test_rows_of_one_layout_keep_their_order() -> None:
    block = made_block(500)
    assert fields_of(encode_rows(block, 1)) == expected_rows(block, 1)


def test_no_rows_are_an_empty_stream() -> None:
    assert fields_of(encode_rows(empty(), 1)) == []


async def test_pieces_together_are_the_stream() -> None:
    stream = encode_rows(made_block(20_000, start=NOON_US), 1)
    parts = [part async for part in pieces(stream)]
    assert len(parts) > 1
    assert b"".join(parts) == stream
