"""The load generator sends what it says: our decoder, and asyncua's, read it back."""

from __future__ import annotations

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from services.ingest.opcua.decode import decode_publish
from tests.benchmarks.load.notifications import (
    BAD,
    Encoded,
    Layout,
    chunks,
    clock_item,
    kind_of,
    message,
    publish_response,
    values,
)
from tests.benchmarks.load.server import publish_request

NOON = 1_767_268_800_000_000


def body_of(items: Encoded, tick: int) -> bytes:
    made = message(items.at(tick, NOON), len(items), 7, NOON)
    return publish_response(3, 9, [6, 7], made)


@pytest.mark.parametrize("layout", list(Layout))
def test_what_is_sent_is_decoded_to_the_values_of_its_tick(layout: Layout) -> None:
    index = np.arange(60, dtype=np.int64)
    items = Encoded(index, list(range(60)), layout)
    tags = np.arange(100, 160, dtype=np.int32)

    for tick in (5, 6):
        publish = decode_publish(body_of(items, tick), tags, NOON)

        assert publish.block.tag.tolist() == tags.tolist()
        assert set(publish.block.time.tolist()) == {NOON}
        np.testing.assert_array_equal(publish.block.value, values(index, tick, layout))
        statuses = [kind_of(i, layout).status for i in range(60)]
        assert publish.block.status.tolist() == statuses


def test_a_mixed_stream_has_five_types_four_masks_and_five_percent_bad() -> None:
    kinds = [kind_of(i, Layout.MIXED) for i in range(600)]

    assert len({kind.type_id for kind in kinds if kind.type_id}) == 5
    assert len({kind.mask for kind in kinds}) == 4
    assert sum(kind.status == BAD for kind in kinds) == 30


def test_asyncua_reads_the_response_as_well() -> None:
    items = Encoded(np.arange(3), [4, 5, 6], Layout.UNIFORM)

    response = struct_from_binary(ua.PublishResponse, Buffer(body_of(items, 2)))

    assert response.ResponseHeader.RequestHandle == 3
    sent = response.Parameters.NotificationMessage.NotificationData[0]
    found = [(i.ClientHandle, i.Value.Value.Value) for i in sent.MonitoredItems]
    assert found == list(
        zip([4, 5, 6], values(np.arange(3), 2, Layout.UNIFORM), strict=True)
    )


def test_a_heartbeat_says_its_own_time() -> None:
    made = message(clock_item(0, NOON), 1, 1, NOON)
    publish = decode_publish(
        publish_response(1, 1, [], made), np.array([8], np.int32), NOON
    )

    assert publish.block.time.tolist() == [NOON]
    assert publish.block.text is not None
    assert publish.block.text.to_pylist() == ["2026-01-01T12:00:00.0000000Z"]


def test_chunks_hold_the_whole_message_and_only_the_last_is_final() -> None:
    body = bytes(range(250)) * 4
    parts = list(chunks(body, (1, 2), request=5, sequence=11, limit=324))

    assert [part[:4] for part in parts] == [b"MSGC"] * 3 + [b"MSGF"]
    assert b"".join(part[24:] for part in parts) == body
    assert [part[16:20] for part in parts] == [
        number.to_bytes(4, "little") for number in range(11, 15)
    ]


def test_acknowledgements_of_a_publish_request_are_understood() -> None:
    request = ua.PublishRequest()
    request.RequestHeader.RequestHandle = 77
    request.RequestHeader.AuthenticationToken = ua.NodeId(5, 1)
    request.Parameters.SubscriptionAcknowledgements = [
        ua.SubscriptionAcknowledgement(1, 12),
        ua.SubscriptionAcknowledgement(1, 13),
    ]

    assert publish_request(struct_to_binary(request)) == (77, [12, 13])
