"""The slow path: asyncua's DataValue objects to the same readings.

For single reads and as a second opinion in tests. asyncua keeps whole microseconds of
a timestamp; where a server sends finer ones, only the bytes tell (`decode_publish`).
"""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from asyncua import ua

from services.ingest.opcua.decode.builtin import (
    NUMBER_SIZE,
    BuiltIn,
    NotNumber,
    datetime_text,
    expanded_text,
    node_id_text,
    refusal,
    status_text,
)
from services.ingest.opcua.decode.readings import Refused, block_of
from services.ingest.opcua.decode.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.readings import Block

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def block_from_data_values(
    tags: Sequence[int],
    values: Sequence[ua.DataValue],
    received: int,
    *,
    otherwise: int | None = None,
) -> tuple[Block, tuple[Refused, ...]]:
    """Return the readings that `values` are, one per tag, in order.

    Args:
        tags: tag id per value.
        values: as asyncua decoded them.
        received: when they came, us UTC.
        otherwise: time of values without any timestamp, us UTC; `received` if None.
    """
    rows = _rows(values)
    decoded = block_of(
        rows,
        np.array(tags, np.int32),
        received=received,
        otherwise=received if otherwise is None else otherwise,
    )
    return decoded.block, decoded.refused


def _rows(values: Sequence[ua.DataValue]) -> Rows:
    sent = [_variant(value.Value) for value in values]
    return Rows(
        handle=np.zeros(len(values), np.uint32),
        type_id=np.array([type_id for type_id, _ in sent], np.uint8),
        bits=np.array(
            [0 if isinstance(what, NotNumber) else what for _, what in sent], np.uint64
        ),
        status=np.array([_status(value.StatusCode) for value in values], np.uint32),
        source=np.array([_ticks(value.SourceTimestamp) for value in values], np.int64),
        source_pico=np.array(
            [value.SourcePicoseconds or 0 for value in values], np.uint16
        ),
        server=np.array([_ticks(value.ServerTimestamp) for value in values], np.int64),
        server_pico=np.array(
            [value.ServerPicoseconds or 0 for value in values], np.uint16
        ),
        others={
            row: what
            for row, (_, what) in enumerate(sent)
            if isinstance(what, NotNumber)
        },
    )


def _status(status: ua.StatusCode | None) -> int:
    return 0 if status is None else int(status.value)


def _ticks(when: datetime | None) -> int:
    """Return 100 ns since 1601, 0 for none; a naive time is UTC, as asyncua's are."""
    if when is None:
        return 0
    since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 10


def _variant(variant: ua.Variant | None) -> tuple[int, int | NotNumber]:
    """Return the type and either a number's bits or what it is instead."""
    if variant is None:
        return BuiltIn.NULL, 0
    type_id = int(variant.VariantType.value)
    is_array = bool(variant.is_array)
    if type_id == BuiltIn.NULL and not is_array:
        return BuiltIn.NULL, 0
    if is_array or type_id not in {*NUMBER_SIZE, *_TEXTS}:
        return type_id, NotNumber(None, refusal(type_id, is_array=is_array))
    if type_id in NUMBER_SIZE:
        return type_id, _bits(type_id, variant.Value)
    if variant.Value is None:
        return type_id, NotNumber(None)
    return type_id, NotNumber(_TEXTS[type_id](variant.Value))


def _bits(type_id: int, number: float) -> int:
    if type_id in {BuiltIn.FLOAT, BuiltIn.DOUBLE}:
        packed = struct.pack("<f" if type_id == BuiltIn.FLOAT else "<d", number)
        return int.from_bytes(packed, "little")
    return int(number) & ((1 << 8 * NUMBER_SIZE[type_id]) - 1)


def _utf8(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _node_id(node_id: ua.NodeId) -> bytes:
    identifier = node_id.Identifier
    kind = node_id.NodeIdType
    if kind == ua.NodeIdType.String:
        text = node_id_text(node_id.NamespaceIndex, "s", _utf8(identifier or ""))
    elif kind == ua.NodeIdType.Guid:
        text = node_id_text(node_id.NamespaceIndex, "g", str(identifier).encode())
    elif kind == ua.NodeIdType.ByteString:
        opaque = base64.b64encode(identifier or b"")
        text = node_id_text(node_id.NamespaceIndex, "b", opaque)
    else:
        text = node_id_text(node_id.NamespaceIndex, "i", b"%d" % identifier)
    if not isinstance(node_id, ua.ExpandedNodeId):
        return text
    uri = None if node_id.NamespaceUri is None else _utf8(node_id.NamespaceUri)
    return expanded_text(text, uri, node_id.ServerIndex or 0)


def _qualified_name(name: ua.QualifiedName) -> bytes:
    return b"%d:" % name.NamespaceIndex + _utf8(name.Name or "")


def _localized_text(text: ua.LocalizedText) -> bytes | None:
    return None if text.Text is None else _utf8(text.Text)


_TEXTS: dict[int, Callable[..., bytes | None]] = {
    BuiltIn.STRING: _utf8,
    BuiltIn.DATETIME: lambda when: datetime_text(_ticks(when)).encode(),
    BuiltIn.GUID: lambda guid: str(guid).encode(),
    BuiltIn.BYTESTRING: base64.b64encode,
    BuiltIn.XMLELEMENT: lambda xml: _utf8(xml.Value or ""),
    BuiltIn.NODEID: _node_id,
    BuiltIn.EXPANDEDNODEID: _node_id,
    BuiltIn.STATUSCODE: lambda status: status_text(_status(status)).encode(),
    BuiltIn.QUALIFIEDNAME: _qualified_name,
    BuiltIn.LOCALIZEDTEXT: _localized_text,
    **dict.fromkeys(
        range(BuiltIn.RESERVED_26, BuiltIn.RESERVED_31 + 1), base64.b64encode
    ),
}
