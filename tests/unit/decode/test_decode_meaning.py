"""What each thing a server may send becomes, one rule of the design at a time."""

from __future__ import annotations

import hashlib
import math
import struct
import uuid

import numpy as np
import pytest

from services.ingest.opcua.decode import Publish
from shared.readings import NO_SERVER_TIME
from tests.unit.decode.encoder import (
    BAD,
    NOW,
    NOW_US,
    PUBLISHED_US,
    RECEIVED,
    UNCERTAIN,
    Sent,
    decoded,
    double,
    number,
    octets,
    string,
)


def text(publish: Publish, row: int = 0) -> str | None:
    column = publish.block.text
    return None if column is None else column[row].as_py()


@pytest.mark.parametrize(
    ("variant", "value"),
    [
        (number(1, "?", True), 1.0),
        (b"\x01\x07", 1.0),  # any byte but 0 is true
        (number(2, "b", -3), -3.0),
        (number(3, "B", 250), 250.0),
        (number(4, "h", -30_000), -30_000.0),
        (number(5, "H", 60_000), 60_000.0),
        (number(6, "i", -5), -5.0),
        (number(7, "I", 2**32 - 1), 2.0**32 - 1),
        (number(8, "q", -(2**53)), -(2.0**53)),
        (number(9, "Q", 2**53), 2.0**53),
        (number(10, "f", 0.1), float(np.float32(0.1))),
        (number(11, "d", 0.1), 0.1),
    ],
)
def test_a_number_becomes_its_value(variant: bytes, value: float) -> None:
    publish = decoded([Sent(variant)])
    assert publish.block.value.tolist() == [value]
    assert publish.block.text is None


@pytest.mark.parametrize(
    ("variant", "exact"),
    [
        (number(8, "q", 2**53 + 1), "9007199254740993"),
        (number(8, "q", -(2**63)), "-9223372036854775808"),
        (number(9, "Q", 2**64 - 1), "18446744073709551615"),
        (double(math.nan), "NaN"),
        (double(-math.inf), "-Infinity"),
        (number(10, "f", math.inf), "Infinity"),
        (b"\x0a" + struct.pack("<I", 0x7F800001), "NaN"),  # signalling
    ],
)
def test_what_no_float64_holds_is_null_with_exact_text(
    variant: bytes, exact: str
) -> None:
    publish = decoded([Sent(double(1.0)), Sent(variant)])
    assert np.isnan(publish.block.value).tolist() == [False, True]
    assert [text(publish, 0), text(publish, 1)] == [None, exact]


def test_all_nans_are_one_but_two_types_are_two() -> None:
    quiet, payload = (struct.pack("<Q", 0x7FF8 << 48 | low) for low in (0, 99))
    publish = decoded([Sent(b"\x0b" + quiet), Sent(b"\x0b" + payload)])
    other = decoded([Sent(number(10, "f", math.nan))])
    ties = publish.block.tie.tolist()
    assert ties[0] == ties[1] != other.block.tie[0]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (string("pH é".encode()), "pH é"),
        (string(b""), ""),
        (string(None), None),
        (b"\x0d" + struct.pack("<q", NOW + 7), "2023-11-14T22:13:20.0000007Z"),
        (b"\x0d" + struct.pack("<q", -5), "1601-01-01T00:00:00.0000000Z"),
        (b"\x0d" + struct.pack("<q", 2**63 - 1), "9999-12-31T23:59:59.0000000Z"),
        (b"\x0e" + uuid.UUID(int=5).bytes_le, "00000000-0000-0000-0000-000000000005"),
        (b"\x0f" + octets(b"\xff\x00"), "/wA="),
        (b"\x10" + octets(b"<a/>"), "<a/>"),
        (b"\x11\x00\x55", "i=85"),
        (b"\x11\x01\x02\x05\x00", "ns=2;i=5"),
        (b"\x11\x02\x03\x00\x01\x00\x00\x00", "ns=3;i=1"),
        (b"\x11\x03\x02\x00" + octets(b"pH"), "ns=2;s=pH"),
        (b"\x11\x05\x02\x00" + octets(b"\x01"), "ns=2;b=AQ=="),
        (
            b"\x12\xc0\x55" + octets(b"urn:x") + b"\x09\x00\x00\x00",
            "svr=9;nsu=urn:x;i=85",
        ),
        (b"\x13" + struct.pack("<I", 0x80340000), "0x80340000"),
        (b"\x14\x02\x00" + octets(b"name"), "2:name"),
        (b"\x15\x03" + octets(b"en") + octets(b"open"), "open"),
        (b"\x15\x01" + octets(b"en"), None),
        (b"\x1a" + octets(b"\x01"), "AQ=="),
    ],
)
def test_a_scalar_that_is_no_number_becomes_its_exact_text(
    variant: bytes, expected: str | None
) -> None:
    publish = decoded([Sent(variant), Sent(double(1.0))])
    assert text(publish) == expected
    assert np.isnan(publish.block.value).tolist() == [True, False]
    assert publish.refused == ()


def test_empty_text_and_no_text_are_different_readings() -> None:
    publish = decoded([Sent(string(b"")), Sent(string(None))])
    assert publish.block.tie[0] != publish.block.tie[1]


@pytest.mark.parametrize(
    "sent_along", [double(7.0), string(b"x"), None, b"\x8b\0\0\0\0"]
)
def test_a_bad_reading_has_no_value_whatever_was_sent_along(
    sent_along: bytes | None,
) -> None:
    publish = decoded([Sent(sent_along, status=BAD | 0x050000)])
    plain = decoded([Sent(None, status=BAD | 0x050000)])
    assert np.isnan(publish.block.value).all()
    assert publish.block.text is None
    assert publish.block.tie.tolist() == plain.block.tie.tolist()
    assert publish.refused == ()


def test_an_uncertain_reading_keeps_its_value_and_all_its_bits() -> None:
    publish = decoded([Sent(double(7.0), status=UNCERTAIN | 0x0480)])
    assert publish.block.value.tolist() == [7.0]
    assert publish.block.status.tolist() == [UNCERTAIN | 0x0480]


def test_a_missing_value_is_null() -> None:
    publish = decoded([Sent(None), Sent(b"\x00"), Sent(double(1.0))])
    assert np.isnan(publish.block.value).tolist() == [True, True, False]


def test_only_an_overflow_bit_of_a_data_value_counts() -> None:
    publish = decoded(
        [
            Sent(double(1), status=0x0480),
            Sent(double(1), status=0x0080),
            Sent(double(1), status=0x0880),
        ]
    )
    assert publish.overflow.tolist() == [100]
    assert publish.overflow.dtype == np.int32


@pytest.mark.parametrize(
    ("sent", "time", "server"),
    [
        (Sent(double(1), source=NOW + 19), NOW_US + 1, -1),
        (Sent(double(1), source=NOW - 1), NOW_US - 1, 1),
        (Sent(double(1), server=NOW + 30), NOW_US, 3),
        (Sent(double(1), server=None), NOW_US, NO_SERVER_TIME),
        (Sent(double(1), server=NOW + 10**13), NOW_US, 2**31 - 1),
        (Sent(double(1), server=10), NOW_US, -(2**31) + 1),
        (Sent(double(1), source=None), NOW_US, 0),
        (Sent(double(1), source=0, source_pico=4), NOW_US, 0),
        (Sent(double(1), source=None, server=None), PUBLISHED_US, NO_SERVER_TIME),
        (Sent(double(1), source=0, server=-5), PUBLISHED_US, NO_SERVER_TIME),
    ],
)
def test_time_is_the_source_s_else_the_server_s_else_the_publish_time(
    sent: Sent, time: int, server: int
) -> None:
    block = decoded([sent]).block
    assert (block.time[0], block.server[0]) == (time, server)
    assert block.received.tolist() == [RECEIVED]


@pytest.mark.parametrize(
    "other",
    [
        Sent(double(1), source=NOW + 1),
        Sent(double(1), source=NOW, source_pico=1),
        Sent(double(1), source=NOW, source_pico=9_999),
        Sent(double(2)),
        Sent(double(-1)),
        Sent(double(1), status=UNCERTAIN),
        Sent(number(6, "i", 1)),
        Sent(string(b"1")),
    ],
)
def test_different_readings_of_one_microsecond_differ_in_their_tie(other: Sent) -> None:
    block = decoded([Sent(double(1)), other]).block
    assert block.time[0] == block.time[1]
    assert block.tie[0] != block.tie[1]


def test_a_reading_delivered_with_another_server_time_is_the_same_reading() -> None:
    block = decoded(
        [Sent(double(1)), Sent(double(1), server=NOW + 99, source_pico=0, status=0)]
    ).block
    assert block.tie[0] == block.tie[1]


@pytest.mark.parametrize(
    ("variant", "what"),
    [
        (b"\x8b" + struct.pack("<idd", 2, 1.0, 2.0), "array of DOUBLE"),
        (b"\x8c" + struct.pack("<i", 1) + octets(b"x"), "array of STRING"),
        (b"\xc6" + struct.pack("<iiii", 1, 5, 1, 1), "array of INT32"),
        (b"\x80" + struct.pack("<i", 2**31 - 1), "array of NULL"),
        (b"\x8b" + struct.pack("<i", -1), "array of DOUBLE"),
        (b"\x16\x00\x00\x00", "EXTENSIONOBJECT"),
        (b"\x16\x00\x05\x01" + octets(b"body"), "EXTENSIONOBJECT"),
        (b"\x17\x3d" + double(1) + bytes(20), "DATAVALUE"),
        (b"\x98" + struct.pack("<i", 1) + double(1), "array of VARIANT"),
        (b"\x19\x55" + bytes(4 * 2) + octets(b"x") + b"\0", "DIAGNOSTICINFO"),
    ],
)
def test_arrays_and_structures_are_refused_by_name_and_harm_no_neighbour(
    variant: bytes, what: str
) -> None:
    publish = decoded([Sent(double(1)), Sent(variant, status=0), Sent(double(3))])
    assert publish.block.tag.tolist() == [100, 102]
    assert publish.block.value.tolist() == [1.0, 3.0]
    [refused] = publish.refused
    assert (refused.tag, refused.what, refused.kept) == (101, what, False)
    assert refused.time == NOW_US


@pytest.mark.parametrize("octet_string", [b"x" * 8193, b"a\x00b", b"\xff\xfe"])
def test_text_that_no_reading_can_hold_is_never_shortened(octet_string: bytes) -> None:
    publish = decoded(
        [Sent(string(octet_string), status=UNCERTAIN), Sent(string(b"y"))]
    )
    assert [text(publish, 0), text(publish, 1)] == [None, "y"]
    assert publish.block.status.tolist() == [UNCERTAIN, 0]
    [refused] = publish.refused
    assert (refused.tag, refused.kept) == (100, True)
    assert hashlib.sha256(octet_string).hexdigest() in refused.what


def test_text_of_exactly_eight_kibibytes_is_kept() -> None:
    assert text(decoded([Sent(string(b"x" * 8192))])) == "x" * 8192


@pytest.mark.parametrize("variant", [double(1), string(b"x"), b"\x8b\0\0\0\0"])
def test_rows_of_unknown_handles_are_counted_and_left_out(variant: bytes) -> None:
    publish = decoded([Sent(variant), Sent(double(2)), Sent(variant)], tags=[-1, 9])
    assert publish.unknown_handles == 2
    assert publish.block.tag.tolist() == [9]
    assert publish.refused == ()


def test_picoseconds_stand_where_node_opcua_puts_them() -> None:
    body = bytes.fromhex(  # node-opcua 2.x: 1.5 at 22:13:20.123, sent at .456
        "3d 0b 000000000000f83f b0c47fc64717da01 7b00 8094b2c64717da01 0200"
    )

    class Recorded(Sent):
        def encoded(self) -> bytes:
            return body

    block = decoded([Recorded(), Recorded()]).block
    assert block.value.tolist() == [1.5, 1.5]
    assert block.time.tolist() == [NOW_US + 123_000] * 2
    assert block.server.tolist() == [333_000] * 2
