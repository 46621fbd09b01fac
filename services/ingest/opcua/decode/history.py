"""HistoryReadResponse (Part 4, 5.11.3; Part 11, 6.6.2) to the readings that it holds.

From the bytes, like notifications, so that a reading that comes twice, live and from
history, has one identity: asyncua keeps whole microseconds and misreads picoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.ingest.opcua.decode.builtin import node_id, pass_extension_object
from services.ingest.opcua.decode.cursor import Cursor, MalformedNotification
from services.ingest.opcua.decode.publish import opened
from services.ingest.opcua.decode.readings import Refused, block_of
from services.ingest.opcua.decode.rows import data_values
from shared.readings import Block, empty

if TYPE_CHECKING:
    from collections.abc import Sequence

_HISTORY_READ_RESPONSE = b"i=667"
_HISTORY_DATA = frozenset({b"i=658", b"i=11226"})
"""HistoryData and HistoryModifiedData, DefaultBinary."""
_SMALLEST_RESULT = 4 + 4 + 3


@dataclass(frozen=True, slots=True)
class NodeHistory:
    """What a server answered about one node."""

    status: int
    """StatusCode of the node's result."""
    point: bytes | None
    """To go on with; None when that was all."""
    block: Block
    """Readings as they came: forwards or backwards in time."""
    refused: tuple[Refused, ...]
    """Values that no reading can hold."""


def decode_history(
    body: bytes | memoryview, tags: Sequence[int], received: int
) -> list[NodeHistory]:
    """Return what a HistoryReadResponse says, one part per node that was asked for.

    Args:
        body: the encoded response from its TypeId on; nothing of it is kept.
        tags: tag id of each node, in the order of the request.
        received: when it came, us UTC.

    Raises:
        PublishRefused: a ServiceFault, or a Bad ServiceResult.
        MalformedNotification: the bytes are no HistoryReadResponse to this request.
    """
    name = "a HistoryReadResponse (i=667)"
    cursor = opened(body, _HISTORY_READ_RESPONSE, name)
    count = cursor.count(_SMALLEST_RESULT, "results")
    if count != len(tags):
        raise MalformedNotification(
            cursor.offset, f"{len(tags)} results", f"{count} results"
        )
    return [_node_history(cursor, tag, received) for tag in tags]


def _node_history(cursor: Cursor, tag: int, received: int) -> NodeHistory:
    status = cursor.u32("StatusCode")
    point = cursor.octets("ContinuationPoint")
    start = cursor.offset
    kind = node_id(cursor)
    if kind not in _HISTORY_DATA:
        cursor.offset = start
        pass_extension_object(cursor)
        return NodeHistory(status, point or None, empty(), ())
    if cursor.u8("ExtensionObject") != 1:
        return NodeHistory(status, point or None, empty(), ())
    size = cursor.i32("length of HistoryData")
    if size < 0:
        raise MalformedNotification(cursor.offset, "a length of HistoryData", f"{size}")
    begin = cursor.skip(size, "HistoryData")
    inner = Cursor(cursor.data, begin, cursor.offset)
    count = inner.count(1, "values")
    if not count:
        return NodeHistory(status, point or None, empty(), ())
    decoded = block_of(
        data_values(inner, count, handle_size=0),
        np.full(count, tag, np.int32),
        received=received,
        otherwise=received,
    )
    return NodeHistory(status, point or None, decoded.block, decoded.refused)
