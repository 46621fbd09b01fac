"""Notifications that came in a burst: one pass over the rows of all of them.

A pass costs the same for a hundred rows as for a few, and after an outage, or where a
server has many subscriptions' worth to say, several answers wait together. Only for the
usual kind: one DataChangeNotification each, whose items all have one layout, a number
and a timestamp. Anything else is taken one by one, with the same outcome.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from services.ingest.opcua.decode.builtin import node_id
from services.ingest.opcua.decode.cursor import Cursor, MalformedNotification
from services.ingest.opcua.decode.publish import (
    DATA_CHANGE,
    Envelope,
    Publish,
    PublishRefused,
    body_of,
    enveloped,
    overflowing,
    pass_diagnostics,
    pass_results,
    tags_of,
)
from services.ingest.opcua.decode.readings import block_of, microseconds
from services.ingest.opcua.decode.rows import PADDING, alike, item_size
from shared.readings import COLUMNS, Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_BINARY = 1
_SMALLEST_ITEM = 5
_HANDLE = 4


class _Notification(NamedTuple):
    """One response, its items not decoded yet."""

    envelope: Envelope
    sequence: int
    publish_time: int
    rows: int
    items: bytes


def decode_together(
    bodies: Sequence[bytes], tags: NDArray[np.int32], received: Sequence[int]
) -> list[Publish] | None:
    """Return what PublishResponses say, as `decode_publish` of each does.

    Args:
        bodies: encoded responses from their type ids on.
        tags: tag id by client handle; negative, or beyond the end, means unknown.
        received: when each came, us UTC.

    Returns:
        One for each, in order; None where they are not of the usual kind.
    """
    found = list(_usual(bodies))
    if len(found) < len(bodies):
        return None
    counts = [each.rows for each in found]
    data = b"".join(each.items for each in found)
    cursor = Cursor(data + PADDING, 0, len(data))
    rows = alike(cursor, sum(counts), handle_size=_HANDLE)
    if rows is None or not (rows.source | rows.server).all():
        return None
    decoded = block_of(
        rows,
        tags_of(rows.handle, tags),
        received=np.repeat(np.array(received, np.int64), counts),
        otherwise=0,
    )
    if decoded.refused or decoded.unknown_handles:
        return None
    blocks = _parts(decoded.block, counts)
    return [_publish(*each) for each in zip(found, blocks, strict=True)]


def _usual(bodies: Iterable[bytes]) -> Iterable[_Notification]:
    """Yield the notifications up to the first that is not usual."""
    for body in bodies:
        try:
            one = _opened(body)
        except (PublishRefused, MalformedNotification):
            return
        if one is None:
            return
        yield one


def _opened(body: bytes) -> _Notification | None:
    """Return where a response's items are, if they all look like the first.

    That they do is yet to be shown; until then, what follows them may be misread.

    Raises:
        PublishRefused: a ServiceFault, or a Bad ServiceResult.
        MalformedNotification: the bytes are no PublishResponse.
    """
    cursor, envelope = enveloped(body)
    sequence = cursor.u32("SequenceNumber")
    publish_time = microseconds(cursor.i64("PublishTime"))
    if cursor.count(3, "notifications") != 1 or node_id(cursor) != DATA_CHANGE:
        return None
    if cursor.u8("ExtensionObject") != _BINARY:
        return None
    inner = body_of(cursor)
    count = inner.count(_SMALLEST_ITEM, "monitored items")
    size = count * item_size(inner, _HANDLE)
    if not size:
        return None
    start = inner.skip(size, "items")
    pass_diagnostics(inner)
    cursor.offset = max(cursor.offset, inner.offset)
    pass_results(cursor)
    items = inner.data[start : start + size]
    return _Notification(envelope, sequence, publish_time, count, items)


def _parts(block: Block, counts: Sequence[int]) -> Iterable[Block]:
    """Yield the block of each notification; views of the columns."""
    for start, end in pairwise(accumulate(counts, initial=0)):
        columns = {name: getattr(block, name)[start:end] for name in COLUMNS}
        text = None if block.text is None else block.text.slice(start, end - start)
        plain = text is None or text.null_count == len(text)
        yield Block(**columns, text=None if plain else text)


def _publish(one: _Notification, block: Block) -> Publish:
    return Publish(
        subscription=one.envelope.subscription,
        sequence=one.sequence,
        publish_time=one.publish_time,
        more=one.envelope.more,
        available=one.envelope.available,
        keep_alive=False,
        block=block,
        overflow=overflowing(block),
        status_change=None,
        refused=(),
        unknown_handles=0,
    )
