"""Whatever is sent, the fast path gives the slow path's block, byte for byte."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, variant_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.opcua.decode import block_from_data_values, decode_publish
from shared.readings import COLUMNS, Block
from tests.unit.decode.encoder import (
    PUBLISHED_US,
    RECEIVED,
    Sent,
    data_change,
    items,
    response,
)

V = ua.VariantType
INTEGERS = {
    V.SByte: (-(2**7), 2**7 - 1),
    V.Byte: (0, 2**8 - 1),
    V.Int16: (-(2**15), 2**15 - 1),
    V.UInt16: (0, 2**16 - 1),
    V.Int32: (-(2**31), 2**31 - 1),
    V.UInt32: (0, 2**32 - 1),
    V.Int64: (-(2**63), 2**63 - 1),
    V.UInt64: (0, 2**64 - 1),
}
names = st.text(max_size=20)
times = st.datetimes(datetime(1601, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001
node_ids = st.one_of(
    st.builds(ua.NodeId, st.integers(0, 2**32 - 1), st.integers(0, 9)),
    st.builds(ua.NodeId, names, st.integers(0, 9)),
    st.builds(ua.NodeId, st.binary(max_size=9), st.integers(0, 9)),
    st.builds(ua.NodeId, st.uuids(), st.integers(0, 9)),
)
VALUES = {
    **{kind: st.integers(*limits) for kind, limits in INTEGERS.items()},
    V.Boolean: st.booleans(),
    V.Float: st.floats(width=32),
    V.Double: st.floats(),
    V.String: st.one_of(names, st.just("\udcff"), st.just("a\0"), st.just("x" * 9000)),
    V.DateTime: times,
    V.Guid: st.uuids(),
    V.ByteString: st.binary(max_size=20),
    V.XmlElement: st.builds(ua.XmlElement, names),
    V.NodeId: node_ids,
    V.StatusCode: st.builds(ua.StatusCode, st.sampled_from([0, 0x80340000])),
    V.QualifiedName: st.builds(ua.QualifiedName, names, st.integers(0, 9)),
    V.LocalizedText: st.builds(ua.LocalizedText, names, st.sampled_from(["", "en"])),
    V.ExtensionObject: st.builds(ua.Range, st.floats(), st.floats()),
}


def scalar(kind: ua.VariantType) -> st.SearchStrategy[ua.Variant]:
    return VALUES[kind].map(lambda value: ua.Variant(value, kind))


def array(kind: ua.VariantType) -> st.SearchStrategy[ua.Variant]:
    lists = st.lists(VALUES[kind], max_size=3)
    return lists.map(lambda values: ua.Variant(values, kind, is_array=True))


kinds = st.sampled_from(list(VALUES))
variants = st.one_of(
    kinds.flatmap(scalar),
    kinds.flatmap(array),
    st.just(ua.Variant()),
    st.just(ua.Variant(None, V.String)),
    st.just(ua.Variant(None, V.ByteString)),
)
statuses = st.one_of(
    st.none(),
    st.sampled_from([0, 0x0480, 0x40000000, 0x80000000, 0x803400C0, 0xFFFFFFFF]),
    st.integers(0, 2**32 - 1),
)
stamps = st.one_of(st.none(), st.just(datetime(1601, 1, 1)), times)  # noqa: DTZ001
picoseconds = st.one_of(st.none(), st.integers(0, 2**16 - 1))


@st.composite
def data_values(draw: st.DrawFn) -> ua.DataValue:
    status = draw(statuses)
    return ua.DataValue(
        draw(st.one_of(st.none(), variants)),
        None if status is None else ua.StatusCode(status),
        draw(stamps),
        draw(stamps),
        draw(picoseconds),
        draw(picoseconds),
    )


@st.composite
def series(draw: st.DrawFn) -> list[ua.DataValue]:
    """One layout in every item, as from a server of nothing but Doubles."""
    kind = draw(st.sampled_from([*INTEGERS, V.Boolean, V.Float, V.Double]))
    first = draw(data_values())
    again = st.builds(replace, st.just(first), Value=scalar(kind))
    return draw(st.lists(again, min_size=1, max_size=20))


def ticks(when: datetime | None) -> int | None:
    if when is None:
        return None
    since = when.replace(tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 10


def as_sent(value: ua.DataValue) -> Sent:
    null = value.Value is None or value.Value.VariantType == V.Null
    return Sent(
        None if null else variant_to_binary(value.Value),
        None if value.StatusCode is None else value.StatusCode.value,
        ticks(value.SourceTimestamp),
        value.SourcePicoseconds,
        ticks(value.ServerTimestamp),
        value.ServerPicoseconds,
    )


def assert_same(block: Block, other: Block) -> None:
    for name in COLUMNS:
        assert getattr(block, name).tobytes() == getattr(other, name).tobytes(), name
    texts = [column and column.to_pylist() for column in (block.text, other.text)]
    assert texts[0] == texts[1]


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(data_values(), max_size=12), series()))
def test_bytes_and_objects_give_one_block(values: list[ua.DataValue]) -> None:
    tags = np.arange(len(values), dtype=np.int32)
    body = response([data_change(items([as_sent(value) for value in values]))])
    publish = decode_publish(body, tags, RECEIVED)
    block, refused = block_from_data_values(
        tags.tolist(), values, RECEIVED, otherwise=PUBLISHED_US
    )
    assert_same(publish.block, block)
    assert publish.refused == refused


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.lists(data_values(), max_size=12), series()))
def test_asyncua_reads_the_same_from_the_same_bytes(values: list[ua.DataValue]) -> None:
    plain = [
        replace(as_sent(value), source_pico=None, server_pico=None) for value in values
    ]
    body = response([data_change(items(plain))])
    publish = decode_publish(body, np.arange(len(values), dtype=np.int32), RECEIVED)
    answer = struct_from_binary(ua.PublishResponse, Buffer(body)).Parameters
    monitored = answer.NotificationMessage.NotificationData[0].MonitoredItems
    block, refused = block_from_data_values(
        [item.ClientHandle for item in monitored],
        [item.Value for item in monitored],
        RECEIVED,
        otherwise=PUBLISHED_US,
    )
    assert_same(publish.block, block)
    assert publish.refused == refused


def test_a_message_of_mixed_items_equals_its_items_one_by_one() -> None:
    forms = [struct.pack("<Bd", 11, 1.5), struct.pack("<Bi", 6, 7), None]
    sent = [
        Sent(forms[row % 3], status=[None, 0, 0x40000000][row % 5 % 3])
        for row in range(3000)
    ]
    tags = np.arange(len(sent), dtype=np.int32)
    whole = decode_publish(response([data_change(items(sent))]), tags, RECEIVED).block
    for row in range(0, len(sent), 97):
        one = response([data_change(items([sent[row]], [row]))])
        single = decode_publish(one, tags, RECEIVED).block
        assert_same(whole.take(np.array([row])), single)
