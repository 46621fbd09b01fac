"""The envelope: PublishResponse and RepublishResponse (Part 4, 5.14.5 and 5.14.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from asyncua.ua.status_codes import get_name_and_doc

from services.ingest.opcua.decode.builtin import (
    node_id,
    pass_diagnostic_info,
    pass_extension_object,
)
from services.ingest.opcua.decode.cursor import Cursor, MalformedNotification
from services.ingest.opcua.decode.readings import (
    Decoded,
    Refused,
    block_of,
    microseconds,
)
from services.ingest.opcua.decode.rows import PADDING, data_values
from shared.domain import FedbatchError
from shared.readings import SEVERITY_SHIFT, Block, empty, merge

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SERVICE_FAULT = b"i=397"
_PUBLISH_RESPONSE = b"i=829"
_REPUBLISH_RESPONSE = b"i=835"
DATA_CHANGE = b"i=811"
"""A DataChangeNotification."""
_STATUS_CHANGE = b"i=820"
# ids of the DefaultBinary encodings in namespace 0 (Part 6, NodeIds.csv)

_SMALLEST_ITEM = 5
"""Client handle and an empty DataValue."""

_INFO_TYPE = 0x0C00
_INFO_DATA_VALUE = 0x0400
_OVERFLOW = 0x0080
# InfoType and Overflow of a StatusCode (Part 4, 7.39): the bit counts only with it


class PublishRefused(FedbatchError):  # noqa: N818
    """The server answered a Publish or Republish with an error."""

    def __init__(self, status_code: int) -> None:
        name, _ = get_name_and_doc(status_code)
        super().__init__(f"the server refused with {name} (0x{status_code:08X})")
        self.status_code = status_code
        """All bits, for example 0x80790000 BadNoSubscription."""


@dataclass(frozen=True, slots=True)
class Publish:
    """One answer of the server: its readings and what to acknowledge."""

    subscription: int
    sequence: int
    """Number of this notification; of the next one if `keep_alive`."""
    publish_time: int
    """When the server sent it, by its clock, us UTC."""
    more: bool
    """Whether more notifications are waiting."""
    available: tuple[int, ...]
    """Sequence numbers that Republish can still deliver."""
    keep_alive: bool
    """Whether it holds no notification: proof of life only."""
    block: Block
    """Readings in wire order."""
    overflow: NDArray[np.int32]
    """Tags whose queue on the server dropped values, ascending, each once."""
    status_change: int | None
    """Status of a StatusChangeNotification: the subscription ended or moved."""
    refused: tuple[Refused, ...]
    """Values that no reading can hold, in wire order."""
    unknown_handles: int
    """Rows whose client handle names no tag; they are not in `block`."""


def decode_publish(
    body: bytes | memoryview, tags: NDArray[np.int32], received: int
) -> Publish:
    """Return what a PublishResponse says.

    Args:
        body: the encoded response from its TypeId on; nothing of it is kept.
        tags: tag id by client handle; negative, or beyond the end, means unknown.
        received: when it came, us UTC.

    Raises:
        PublishRefused: a ServiceFault, or a Bad ServiceResult.
        MalformedNotification: the bytes are no PublishResponse.
    """
    cursor, envelope = enveloped(body)
    publish = _message(cursor, envelope, tags, received)
    pass_results(cursor)
    return publish


def enveloped(body: bytes | memoryview) -> tuple[Cursor, Envelope]:
    """Return a cursor at the NotificationMessage, and what stands before it."""
    cursor = opened(body, _PUBLISH_RESPONSE, "a PublishResponse (i=829)")
    subscription = cursor.u32("SubscriptionId")
    count = cursor.count(4, "available sequence numbers")
    available = tuple(cursor.u32("sequence number") for _ in range(count))
    more = cursor.u8("MoreNotifications") != 0
    return cursor, Envelope(subscription, available, more)


def pass_results(cursor: Cursor) -> None:
    """Pass what follows the message: the acknowledgements' results."""
    cursor.skip(4 * cursor.count(4, "Results"), "Results")
    pass_diagnostics(cursor)


def decode_republish(
    body: bytes | memoryview,
    tags: NDArray[np.int32],
    received: int,
    subscription: int,
) -> Publish:
    """Return what a RepublishResponse says; it names no subscription itself.

    Raises:
        PublishRefused: a ServiceFault, or a Bad ServiceResult
            (BadMessageNotAvailable: the server no longer has it).
        MalformedNotification: the bytes are no RepublishResponse.
    """
    cursor = opened(body, _REPUBLISH_RESPONSE, "a RepublishResponse (i=835)")
    envelope = Envelope(subscription, (), more=False)
    return _message(cursor, envelope, tags, received)


class Envelope(NamedTuple):
    """What a response says before its message."""

    subscription: int
    available: tuple[int, ...]
    more: bool


def opened(body: bytes | memoryview, expected: bytes, name: str) -> Cursor:
    """Return a cursor behind the ResponseHeader.

    Raises:
        PublishRefused: a ServiceFault, or a Bad ServiceResult.
        MalformedNotification: another message than `expected`, or cut off.
    """
    data = bytes(body) + PADDING
    cursor = Cursor(data, 0, len(body))
    found = node_id(cursor)
    if found not in {expected, _SERVICE_FAULT}:
        raise MalformedNotification(0, name, found.decode(errors="replace"))
    cursor.skip(8 + 4, "Timestamp and RequestHandle")
    result = cursor.u32("ServiceResult")
    if result >> SEVERITY_SHIFT or found == _SERVICE_FAULT:
        raise PublishRefused(result)
    pass_diagnostic_info(cursor)
    for _ in range(cursor.count(4, "strings")):
        cursor.octets("string")
    pass_extension_object(cursor)
    return cursor


def pass_diagnostics(cursor: Cursor) -> None:
    """Pass an array of DiagnosticInfo."""
    for _ in range(cursor.count(1, "DiagnosticInfos")):
        pass_diagnostic_info(cursor)


def _message(
    cursor: Cursor, envelope: Envelope, tags: NDArray[np.int32], received: int
) -> Publish:
    """Return the NotificationMessage at the cursor."""
    sequence = cursor.u32("SequenceNumber")
    publish_time = microseconds(cursor.i64("PublishTime"))
    count = cursor.count(3, "notifications")
    parts: list[Decoded] = []
    status_change = None
    for _ in range(count):
        part = _notification(cursor, tags, received, publish_time)
        if isinstance(part, Decoded):
            parts.append(part)
        elif part is not None:
            status_change = part
    block = merge([part.block for part in parts]) if parts else empty()
    return Publish(
        subscription=envelope.subscription,
        sequence=sequence,
        publish_time=publish_time,
        more=envelope.more,
        available=envelope.available,
        keep_alive=count == 0,
        block=block,
        overflow=overflowing(block),
        status_change=status_change,
        refused=tuple(what for part in parts for what in part.refused),
        unknown_handles=sum(part.unknown_handles for part in parts),
    )


def _notification(
    cursor: Cursor, tags: NDArray[np.int32], received: int, publish_time: int
) -> Decoded | int | None:
    """Return readings, the status of a status change, or None for any other kind."""
    kind = node_id(cursor)
    start = cursor.offset
    encoding = cursor.u8("ExtensionObject")
    if kind not in {DATA_CHANGE, _STATUS_CHANGE} or encoding != 1:
        if kind in {DATA_CHANGE, _STATUS_CHANGE}:
            raise MalformedNotification(start, "a binary body (1)", f"{encoding}")
        if encoding & 0x03:
            cursor.octets("notification")
        return None
    inner = body_of(cursor)
    if kind == _STATUS_CHANGE:
        status = inner.u32("StatusChangeNotification")
        pass_diagnostic_info(inner)
        part: Decoded | int = status
    else:
        part = _data_change(inner, tags, received, publish_time)
    cursor.offset = max(cursor.offset, inner.offset)
    return part


def body_of(cursor: Cursor) -> Cursor:
    """Return a cursor over an ExtensionObject's body and move behind it.

    Some servers leave the length open (-1): then the body ends where it is decoded.
    """
    size = cursor.i32("length of the notification")
    if size < 0:
        return Cursor(cursor.data, cursor.offset, cursor.end)
    start = cursor.skip(size, "notification")
    return Cursor(cursor.data, start, cursor.offset)


def _data_change(
    cursor: Cursor, tags: NDArray[np.int32], received: int, publish_time: int
) -> Decoded:
    count = cursor.count(_SMALLEST_ITEM, "monitored items")
    rows = data_values(cursor, count, handle_size=4)
    pass_diagnostics(cursor)
    return block_of(
        rows, tags_of(rows.handle, tags), received=received, otherwise=publish_time
    )


def tags_of(handles: NDArray[np.uint32], tags: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return tag ids by client handle; -1 where it is beyond the end of `tags`."""
    if not len(handles) or handles.max() < len(tags):
        return tags[handles]
    known = handles < len(tags)
    found = np.full(len(handles), -1, np.int32)
    found[known] = tags[handles[known]]
    return found


def overflowing(block: Block) -> NDArray[np.int32]:
    """Return the tags whose queue dropped values, ascending, each once."""
    if not block.status.any():
        return np.empty(0, np.int32)
    bits = block.status & np.uint32(_INFO_TYPE | _OVERFLOW)
    overflow = bits == np.uint32(_INFO_DATA_VALUE | _OVERFLOW)
    if not overflow.any():
        return np.empty(0, np.int32)
    return np.unique(block.tag[overflow])
