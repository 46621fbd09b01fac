from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain import (
    Actual,
    Desired,
    Gap,
    GapCause,
    Kind,
    Origin,
    SubscriptionState,
)
from shared.readings import COLUMNS, Block
from shared.wire import (
    Clock,
    ConfigurationRecord,
    LedgerCounts,
    Liveness,
    NotUnderstood,
    ReadingsHeader,
    decode_clock,
    decode_configuration,
    decode_gap,
    decode_ledger,
    decode_liveness,
    decode_readings,
    decode_subscriptions,
    encode_clock,
    encode_configuration,
    encode_gap,
    encode_ledger,
    encode_liveness,
    encode_readings,
    encode_subscriptions,
)

GOLDEN = Path(__file__).parents[2] / "golden"
HEADER = ReadingsHeader(Origin.LIVE, "plant", "s-1", (17, 19), 3)


def golden_block() -> Block:
    return Block(
        tag=np.array([1, 2, 3, 2**31 - 1], np.int32),
        time=np.array([0, 1_700_000_000_123_456, -1, 2**53 + 1], np.int64),
        value=np.array([1.5, np.nan, -0.0, 5e-324]),
        status=np.array([0, 0x40000000, 0x80350000, 0xFFFFFFFF], np.uint32),
        tie=np.array([0, -1, 2**31 - 1, -(2**31)], np.int32),
        received=np.array([5, 6, 7, 8], np.int64),
        server=np.array([0, -(2**31), 2**31 - 1, 12], np.int32),
        text=pa.array([None, "18446744073709551615", "µ", None], pa.string()),
    )


def assert_equal(left: Block, right: Block) -> None:
    for name in COLUMNS:
        a, b = getattr(left, name), getattr(right, name)
        assert a.tobytes() == b.tobytes(), name
    texts = [None if b.text is None else b.text.to_pylist() for b in (left, right)]
    assert texts[0] == texts[1]


def test_the_golden_record_of_version_1_is_still_read() -> None:
    headers = json.loads((GOLDEN / "readings-v1.headers.json").read_text())
    value = (GOLDEN / "readings-v1.arrow").read_bytes()
    header, block = decode_readings(headers, value)
    assert header == HEADER
    assert_equal(block, golden_block())


def test_the_golden_schema_is_the_documented_one() -> None:
    with pa.ipc.open_stream(GOLDEN / "readings-v1.arrow") as reader:
        types = {field.name: str(field.type) for field in reader.schema}
    expected = {
        name: {"float64": "double"}.get(np.dtype(kind).name, np.dtype(kind).name)
        for name, kind in COLUMNS.items()
    }
    assert types == {**expected, "text": "string"}


def test_a_block_comes_back_bit_for_bit() -> None:
    header, block = decode_readings(*encode_readings(golden_block(), HEADER))
    assert header == HEADER
    assert_equal(block, golden_block())


def test_an_unknown_column_is_ignored_and_a_missing_one_is_named() -> None:
    headers, value = encode_readings(golden_block(), HEADER)
    with pa.ipc.open_stream(value) as reader:
        table = reader.read_all()

    def stream(changed: pa.Table) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, changed.schema) as writer:
            writer.write_table(changed)
        return bytes(sink.getvalue().to_pybytes())

    more = table.append_column("later", pa.array([1, 2, 3, 4]))
    _, block = decode_readings(headers, stream(more))
    assert_equal(block, golden_block())
    with pytest.raises(NotUnderstood, match="tie"):
        decode_readings(headers, stream(table.drop_columns(["tie"])))


@pytest.mark.parametrize("version", ["0", "1"])
def test_this_version_and_the_one_before_are_read(version: str) -> None:
    headers, value = encode_readings(golden_block(), HEADER)
    _, block = decode_readings({**headers, "wire": version}, value)
    assert_equal(block, golden_block())


@pytest.mark.parametrize(
    ("name", "value"),
    [("wire", "2"), ("wire", "x"), ("origin", "dreamt"), ("sequence", "a-b")],
)
def test_a_header_that_is_not_ours_is_not_understood(name: str, value: str) -> None:
    headers, body = encode_readings(golden_block(), HEADER)
    with pytest.raises(NotUnderstood, match=value):
        decode_readings({**headers, name: value}, body)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_is_an_error_or_a_block_but_never_a_crash(
    place: int, flip: int
) -> None:
    headers, value = encode_readings(golden_block(), HEADER)
    damaged = bytearray(value)
    damaged[place % len(value)] ^= flip
    try:
        header, block = decode_readings(headers, bytes(damaged))
    except NotUnderstood:
        return
    assert (header, len(block)) == (HEADER, len(golden_block()))


@given(st.integers(0, 10_000))
@example(512)
def test_a_truncated_record_is_not_understood(length: int) -> None:
    headers, value = encode_readings(golden_block(), HEADER)
    cut = length % (len(value) - 8)  # the last 8 bytes only say that it ends
    with pytest.raises(NotUnderstood):
        decode_readings(headers, value[:cut])


def test_every_small_message_comes_back_equal() -> None:
    clock = Clock(5, {"plant": 4})
    assert decode_clock(encode_clock(clock)[1]) == clock
    liveness = Liveness("plant", "s", 9, (1, 2))
    assert decode_liveness(encode_liveness(liveness)[1]) == liveness
    gap = Gap("plant", GapCause.QUEUE_OVERFLOW, 1, None, (3,), None, "overflow bit")
    assert decode_gap(encode_gap(gap)[1]) == gap
    state = SubscriptionState(1, Desired.SUBSCRIBED, Actual.REFUSED, 3, "BadNodeId")
    name, states = decode_subscriptions(encode_subscriptions("plant", [state])[1])
    assert (name, states) == ("plant", (state,))
    counts = (LedgerCounts("BR101", 60, "seen", (1, 2), (3, 4)),)
    assert decode_ledger(encode_ledger(counts)[1]) == counts
    record = ConfigurationRecord(1, "ab", "site: x", 5, "unauthenticated:me")
    headers, value = encode_configuration(record)
    assert decode_configuration(value) == record
    assert headers["kind"] == Kind.CONFIGURATION


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b'{"now":"x","heard":{}}'])
def test_a_broken_small_message_is_not_understood(value: bytes) -> None:
    with pytest.raises(NotUnderstood, match="clock record"):
        decode_clock(value)
