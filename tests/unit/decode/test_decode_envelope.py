"""The envelope around the readings: what else a server answers."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from services.ingest.opcua.decode import (
    MalformedNotification,
    PublishRefused,
    decode_publish,
    decode_republish,
)
from tests.unit.decode.encoder import (
    NOW,
    PUBLISHED_US,
    RECEIVED,
    Sent,
    data_change,
    double,
    extension,
    header,
    items,
    message,
    octets,
    response,
    string,
)

TAGS = np.arange(10, 20, dtype=np.int32)


def test_a_response_says_what_to_acknowledge() -> None:
    body = response([data_change(items([Sent(double(1))]))], more=True)
    publish = decode_publish(memoryview(body), TAGS, RECEIVED)
    assert (publish.subscription, publish.sequence, publish.more) == (7, 4, True)
    assert publish.available == (3, 4)
    assert publish.publish_time == PUBLISHED_US
    assert not publish.keep_alive
    assert publish.status_change is None


def test_a_keep_alive_holds_nothing() -> None:
    publish = decode_publish(response([], available=()), TAGS, RECEIVED)
    assert publish.keep_alive
    assert len(publish.block) == 0
    assert len(publish.overflow) == 0


def test_a_notification_of_no_items_is_no_keep_alive() -> None:
    publish = decode_publish(response([data_change(items([]))]), TAGS, RECEIVED)
    assert not publish.keep_alive
    assert len(publish.block) == 0


def test_notifications_of_one_message_follow_each_other() -> None:
    parts = [
        data_change(items([Sent(double(1)), Sent(string(b"x"))], [2, 0])),
        extension(916, b"events that nobody asked for"),
        data_change(items([Sent(double(2))], [1])),
    ]
    publish = decode_publish(response(parts), TAGS, RECEIVED)
    assert publish.block.tag.tolist() == [12, 10, 11]
    assert publish.block.text is not None
    assert publish.block.text.to_pylist() == [None, "x", None]


def test_a_status_change_is_passed_on() -> None:
    body = response([extension(820, struct.pack("<I", 0x800A0000) + b"\x00")])
    publish = decode_publish(body, TAGS, RECEIVED)
    assert publish.status_change == 0x800A0000


def test_a_length_that_a_server_left_open_is_found_by_decoding() -> None:
    parts = [
        data_change(items([Sent(double(1))]), open_length=True),
        data_change(items([Sent(double(2))], [1])),
    ]
    publish = decode_publish(response(parts), TAGS, RECEIVED)
    assert publish.block.value.tolist() == [1.0, 2.0]


def test_diagnostics_anywhere_are_passed_over() -> None:
    inner = b"\x70" + octets(b"why") + struct.pack("<I", 1) + b"\x01" + bytes(4)
    head = bytearray(header(829))
    head[20:21] = inner
    diagnostics = struct.pack("<i", 1) + inner
    part = extension(811, items([Sent(double(1))]) + diagnostics)
    body = bytes(head) + struct.pack("<Ii?", 7, -1, False) + message([part])
    publish = decode_publish(body + struct.pack("<i", -1) + diagnostics, TAGS, RECEIVED)
    assert publish.block.value.tolist() == [1.0]


@pytest.mark.parametrize("type_id", [397, 829])
def test_a_refusal_names_the_status_code(type_id: int) -> None:
    with pytest.raises(PublishRefused, match="BadNoSubscription") as refusal:
        decode_publish(header(type_id, 0x80790000), TAGS, RECEIVED)
    assert refusal.value.status_code == 0x80790000


def test_another_answer_is_named() -> None:
    with pytest.raises(MalformedNotification, match=r"PublishResponse.*found i=631"):
        decode_publish(header(631), TAGS, RECEIVED)


def test_a_republished_message_holds_the_same_readings() -> None:
    notification = message([data_change(items([Sent(double(1), source=NOW + 3)]))])
    again = decode_republish(header(835) + notification, TAGS, RECEIVED, 7)
    first = decode_publish(
        response([data_change(items([Sent(double(1), source=NOW + 3)]))]),
        TAGS,
        RECEIVED,
    )
    assert again.block.tie.tolist() == first.block.tie.tolist()
    assert (again.subscription, again.sequence, again.available) == (7, 4, ())


def test_a_message_that_is_gone_is_a_refusal() -> None:
    with pytest.raises(PublishRefused, match="BadMessageNotAvailable"):
        decode_republish(header(397, 0x807B0000), TAGS, RECEIVED, 7)
