"""Bytes that no honest server sends: an error that says where, soon, in little room."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.opcua.decode import (
    MalformedNotification,
    Publish,
    PublishRefused,
    decode_publish,
    decode_republish,
)
from tests.unit.decode.encoder import (
    NOW,
    RECEIVED,
    Sent,
    data_change,
    double,
    extension,
    header,
    items,
    message,
    number,
    octets,
    response,
    string,
)

TAGS = np.arange(64, dtype=np.int32)
RICH = [
    Sent(double(1.0)),
    Sent(number(6, "i", 3), status=0x0480, source_pico=1, server_pico=2),
    Sent(string(b"recipe"), status=0),
    Sent(b"\x15\x03" + octets(b"en") + octets(b"open")),
    Sent(b"\x8b" + struct.pack("<idd", 2, 1.0, 2.0)),
    Sent(b"\x12\xc3\x02\x00" + octets(b"a") + octets(b"urn:x") + bytes(4)),
    Sent(b"\x16\x00\x05\x01" + octets(b"body")),
    Sent(None, status=0x80340000, server=None),
    Sent(b"\x98" + struct.pack("<i", 2) + double(1) + string(b"x")),
]
WHOLE = response([data_change(items(RICH)), extension(820, bytes(5))])
UNIFORM = response([data_change(items([Sent(double(n)) for n in range(20)]))])


def outcome(body: bytes) -> Publish | Exception:
    try:
        return decode_publish(body, TAGS, RECEIVED)
    except (MalformedNotification, PublishRefused) as error:
        return error


def is_bounded(found: Publish | Exception, body: bytes | bytearray) -> bool:
    """Whether it is an error that says where, or no more readings than bytes."""
    if isinstance(found, Publish):
        return len(found.block) + len(found.refused) <= len(body)
    return not isinstance(found, MalformedNotification) or found.offset >= 0


@pytest.mark.parametrize("whole", [WHOLE, UNIFORM])
def test_a_response_cut_anywhere_is_malformed(whole: bytes) -> None:
    for end in range(len(whole)):
        found = outcome(whole[:end])
        assert isinstance(found, MalformedNotification), end
        assert 0 <= found.offset <= end


@pytest.mark.parametrize("whole", [WHOLE, UNIFORM])
def test_any_flipped_byte_gives_an_error_or_readings(whole: bytes) -> None:
    for at in range(len(whole)):
        for pattern in (0x01, 0x40, 0x80, 0xFF):
            body = bytearray(whole)
            body[at] ^= pattern
            assert is_bounded(outcome(bytes(body)), body)


@settings(max_examples=500, deadline=2000)
@given(st.binary(max_size=300), st.integers(0, 200))
def test_noise_gives_an_error_or_readings(noise: bytes, kept: int) -> None:
    body = WHOLE[:kept] + noise
    assert is_bounded(outcome(body), body)


@settings(max_examples=500, deadline=2000)
@given(st.lists(st.tuples(st.integers(29, len(WHOLE) - 1), st.integers(0, 255))))
def test_several_changed_bytes_give_an_error_or_readings(
    changes: list[tuple[int, int]],
) -> None:
    body = bytearray(WHOLE)
    for at, value in changes:
        body[at] = value
    assert is_bounded(outcome(bytes(body)), body)


CLAIM = struct.pack("<i", 2**31 - 1)


@pytest.mark.parametrize(
    "body",
    [
        header(829) + struct.pack("<I", 7) + CLAIM,
        header(829)[:-7] + CLAIM,
        response([])[:-12] + CLAIM,
        response([data_change(CLAIM)]),
        response([data_change(items([Sent(b"\x8b" + CLAIM)]))]),
        response([data_change(items([Sent(b"\x98" + CLAIM)]))]),
        response([data_change(items([Sent(b"\x0c" + CLAIM)]))]),
        response([data_change(items([Sent(b"\xc0" + CLAIM + CLAIM)]))]),
        response([data_change(items([Sent(b"\x98" + b"\1\0\0\0\x98" * 5000)]))]),
        response([data_change(items([Sent(b"\x17" + b"\1\x17" * 50_000)]))]),
        response([data_change(items([Sent(b"\x19" + b"\x40" * 50_000)]))]),
        header(829)[:20] + b"\x40" * 50_000,
    ],
)
def test_claimed_lengths_and_depths_cost_nothing(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MalformedNotification):
            decode_publish(body, TAGS, RECEIVED)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (b"\x20", "built-in type from 0 to 31"),
        (b"\x3f", "built-in type from 0 to 31"),
        (b"\x11\x06", "NodeId encoding"),
    ],
)
def test_the_error_says_where_and_what_was_expected(
    variant: bytes, expected: str
) -> None:
    body = response([data_change(items([Sent(double(1)), Sent(variant)]))])
    with pytest.raises(MalformedNotification, match=expected) as error:
        decode_publish(body, TAGS, RECEIVED)
    at = error.value.offset
    assert body[at] == variant[-1]


def test_an_unknown_mask_bit_is_malformed() -> None:
    item = struct.pack("<iIB", 1, 0, 0x40) + bytes(30)
    with pytest.raises(MalformedNotification, match="mask below 0x40"):
        decode_publish(response([data_change(item)]), TAGS, RECEIVED)


def test_a_body_in_xml_is_malformed() -> None:
    part = b"\x01\x00\x2b\x03\x02" + octets(b"<xml/>")
    with pytest.raises(MalformedNotification, match="binary body"):
        decode_publish(response([part]), TAGS, RECEIVED)


def test_a_republished_message_cut_anywhere_is_malformed() -> None:
    whole = header(835) + message([data_change(items([Sent(double(1), source=NOW)]))])
    for end in range(len(whole)):
        with pytest.raises(MalformedNotification):
            decode_republish(whole[:end], TAGS, RECEIVED, 7)
