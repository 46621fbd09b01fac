"""Built-in types (Part 6, 5.2.2) that are not plain numbers: passed over, or as text.

A reading's `text` of such a type is exact and has one form: String and XmlElement as
sent, LocalizedText its text, DateTime ISO 8601 with seven digits, ByteString base64,
Guid, NodeId and StatusCode in their usual notation, QualifiedName `index:name`.
Structures (and arrays of anything) have none; they are passed over and named.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from services.ingest.opcua.decode.cursor import (
    MAX_DEPTH,
    Cursor,
    MalformedNotification,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class BuiltIn(IntEnum):
    """Ids of the built-in types in a Variant (Part 6, table 1)."""

    NULL = 0
    BOOLEAN = 1
    SBYTE = 2
    BYTE = 3
    INT16 = 4
    UINT16 = 5
    INT32 = 6
    UINT32 = 7
    INT64 = 8
    UINT64 = 9
    FLOAT = 10
    DOUBLE = 11
    STRING = 12
    DATETIME = 13
    GUID = 14
    BYTESTRING = 15
    XMLELEMENT = 16
    NODEID = 17
    EXPANDEDNODEID = 18
    STATUSCODE = 19
    QUALIFIEDNAME = 20
    LOCALIZEDTEXT = 21
    EXTENSIONOBJECT = 22
    DATAVALUE = 23
    VARIANT = 24
    DIAGNOSTICINFO = 25
    RESERVED_26 = 26
    RESERVED_27 = 27
    RESERVED_28 = 28
    RESERVED_29 = 29
    RESERVED_30 = 30
    RESERVED_31 = 31


TYPE_BITS = 0x3F
"""Bits of a Variant's encoding byte that name its type."""
ARRAY_BITS = 0xC0
"""Bits of a Variant's encoding byte that say array, and dimensions."""

NUMBER_SIZE: dict[int, int] = {
    BuiltIn.BOOLEAN: 1,
    BuiltIn.SBYTE: 1,
    BuiltIn.BYTE: 1,
    BuiltIn.INT16: 2,
    BuiltIn.UINT16: 2,
    BuiltIn.INT32: 4,
    BuiltIn.UINT32: 4,
    BuiltIn.INT64: 8,
    BuiltIn.UINT64: 8,
    BuiltIn.FLOAT: 4,
    BuiltIn.DOUBLE: 8,
}
"""Encoded bytes of the types that become `value`."""

FIXED_SIZE: dict[int, int] = {
    BuiltIn.NULL: 0,
    **NUMBER_SIZE,
    BuiltIn.DATETIME: 8,
    BuiltIn.GUID: 16,
    BuiltIn.STATUSCODE: 4,
}
"""Encoded bytes of every type that has only one size."""

LAST_TICKS = 2_650_467_743_990_000_000
"""9999-12-31T23:59:59Z: this and all later mean the end of time (Part 6, 5.2.2.5)."""

_EPOCH = datetime(1601, 1, 1)  # noqa: DTZ001  UTC by definition; written with Z


def datetime_text(ticks: int) -> str:
    """Return a DateTime (100 ns since 1601) as ISO 8601 with seven digits, UTC.

    Ticks outside 1601 to 9999 mean the first and the last instant (Part 6, 5.2.2.5).

    >>> datetime_text(116444736000000001)
    '1970-01-01T00:00:00.0000001Z'
    """
    exact = min(max(ticks, 0), LAST_TICKS)
    when = _EPOCH + timedelta(microseconds=exact // 10)
    return (
        f"{when.replace(tzinfo=None).isoformat(timespec='microseconds')}{exact % 10}Z"
    )


def status_text(code: int) -> str:
    """Return a StatusCode as eight hexadecimal digits.

    >>> status_text(0x80340000)
    '0x80340000'
    """
    return f"0x{code:08X}"


def node_id_text(namespace: int, kind: str, identifier: bytes) -> bytes:
    """Return `ns=2;s=name`, without `ns=0;`; `kind` is one of i, s, g, b.

    >>> node_id_text(2, "s", b"pH")
    b'ns=2;s=pH'
    """
    prefix = f"ns={namespace};" if namespace else ""
    return f"{prefix}{kind}=".encode() + identifier


def expanded_text(node_id: bytes, uri: bytes | None, server: int) -> bytes:
    """Return `svr=1;nsu=uri;i=1`; parts that are absent (None, 0) are left out."""
    if uri is not None:
        node_id = b"nsu=" + uri + b";" + node_id
    return f"svr={server};".encode() + node_id if server else node_id


@dataclass(frozen=True, slots=True)
class NotNumber:
    """A value that is no number: its text, or why it is not representable."""

    text: bytes | None
    """UTF-8 if the sender kept to the specification; None for a null value."""
    refused: str | None = None
    """What it is instead, for a person: `array of Double`, `ExtensionObject`."""


def guid_text(cursor: Cursor) -> bytes:
    """Return a Guid in its usual notation."""
    start = cursor.skip(16, "Guid")
    return str(uuid.UUID(bytes_le=cursor.data[start : start + 16])).encode()


def node_id(cursor: Cursor) -> bytes:
    """Return a NodeId or ExpandedNodeId as text.

    Raises:
        MalformedNotification: it is none, or cut off.
    """
    start = cursor.offset
    usual = _USUAL.get(cursor.data[start : start + 4])
    if usual is not None and start + 4 <= cursor.end:
        cursor.offset = start + 4
        return usual
    encoding = cursor.u8("NodeId")
    form = _NODE_ID_FORMS.get(encoding & 0x3F)
    if form is None:
        raise MalformedNotification(
            start, "a NodeId encoding from 0 to 5", hex(encoding)
        )
    text = form(cursor)
    uri = cursor.octets("namespace URI") if encoding & 0x80 else None
    server = cursor.u32("server index") if encoding & 0x40 else 0
    return expanded_text(text, uri, server)


_USUAL = {
    bytes((1, 0, *number.to_bytes(2, "little"))): f"i={number}".encode()
    for number in (811, 820, 829, 835)
}
"""Four-byte NodeIds of every notification: data change, status change, responses."""


def _two_byte(cursor: Cursor) -> bytes:
    return node_id_text(0, "i", b"%d" % cursor.u8("NodeId identifier"))


def _four_byte(cursor: Cursor) -> bytes:
    namespace = cursor.u8("NodeId namespace")
    return node_id_text(namespace, "i", b"%d" % cursor.u16("NodeId identifier"))


def _numeric(cursor: Cursor) -> bytes:
    namespace = cursor.u16("NodeId namespace")
    return node_id_text(namespace, "i", b"%d" % cursor.u32("NodeId identifier"))


def _named(cursor: Cursor) -> bytes:
    namespace = cursor.u16("NodeId namespace")
    return node_id_text(namespace, "s", cursor.octets("NodeId identifier") or b"")


def _guid(cursor: Cursor) -> bytes:
    namespace = cursor.u16("NodeId namespace")
    return node_id_text(namespace, "g", guid_text(cursor))


def _opaque(cursor: Cursor) -> bytes:
    namespace = cursor.u16("NodeId namespace")
    identifier = cursor.octets("NodeId identifier") or b""
    return node_id_text(namespace, "b", base64.b64encode(identifier))


_NODE_ID_FORMS: dict[int, Callable[[Cursor], bytes]] = {
    0: _two_byte,
    1: _four_byte,
    2: _numeric,
    3: _named,
    4: _guid,
    5: _opaque,
}


def qualified_name(cursor: Cursor) -> bytes:
    """Return a QualifiedName as `index:name`."""
    namespace = cursor.u16("QualifiedName namespace")
    return b"%d:" % namespace + (cursor.octets("QualifiedName") or b"")


def localized_text(cursor: Cursor) -> bytes | None:
    """Return the text of a LocalizedText; its locale is passed over."""
    encoding = cursor.u8("LocalizedText")
    if encoding & 0x01:
        cursor.octets("locale")
    return cursor.octets("text") if encoding & 0x02 else None


def _datetime(cursor: Cursor) -> bytes:
    return datetime_text(cursor.i64("DateTime")).encode()


def _status(cursor: Cursor) -> bytes:
    return status_text(cursor.u32("StatusCode")).encode()


def _string(cursor: Cursor) -> bytes | None:
    return cursor.octets("String")


def _bytestring(cursor: Cursor) -> bytes | None:
    octets = cursor.octets("ByteString")
    return None if octets is None else base64.b64encode(octets)


_TEXTS: dict[int, Callable[[Cursor], bytes | None]] = {
    BuiltIn.STRING: _string,
    BuiltIn.DATETIME: _datetime,
    BuiltIn.GUID: guid_text,
    BuiltIn.BYTESTRING: _bytestring,
    BuiltIn.XMLELEMENT: _string,
    BuiltIn.NODEID: node_id,
    BuiltIn.EXPANDEDNODEID: node_id,
    BuiltIn.STATUSCODE: _status,
    BuiltIn.QUALIFIEDNAME: qualified_name,
    BuiltIn.LOCALIZEDTEXT: localized_text,
    **dict.fromkeys(range(BuiltIn.RESERVED_26, BuiltIn.RESERVED_31 + 1), _bytestring),
}
# ids 26 to 31 are reserved and read as ByteString (Part 6, 5.2.2.16)


def not_number(cursor: Cursor, encoding: int) -> NotNumber:
    """Return what follows a Variant's encoding byte, for all but scalar numbers.

    Raises:
        MalformedNotification: the type does not exist, or its bytes are cut off.
    """
    type_id = encoding & TYPE_BITS
    text = _TEXTS.get(type_id)
    if encoding & ARRAY_BITS or text is None:
        pass_variant_body(cursor, encoding, depth=0)
        return NotNumber(None, refusal(type_id, is_array=bool(encoding & ARRAY_BITS)))
    return NotNumber(text(cursor))


def refusal(type_id: int, *, is_array: bool) -> str:
    """Return what a person calls a value that no reading can hold.

    >>> refusal(11, is_array=True)
    'array of DOUBLE'
    """
    name = BuiltIn(type_id).name
    return f"array of {name}" if is_array else name


def pass_variant_body(cursor: Cursor, encoding: int, depth: int) -> None:
    """Move past what follows a Variant's encoding byte."""
    if depth > MAX_DEPTH:
        raise MalformedNotification(
            cursor.offset, f"at most {MAX_DEPTH} nested values", "more"
        )
    type_id = encoding & TYPE_BITS
    if type_id > BuiltIn.RESERVED_31:
        raise MalformedNotification(
            cursor.offset - 1, "a built-in type from 0 to 31", f"{type_id}"
        )
    if encoding & 0x80:
        _pass_array(cursor, type_id, depth)
    else:
        _pass_value(cursor, type_id, depth)
    if encoding & 0x40:
        _pass_array(cursor, BuiltIn.INT32, depth)


def _pass_array(cursor: Cursor, type_id: int, depth: int) -> None:
    size = FIXED_SIZE.get(type_id)
    count = cursor.count(1 if size is None else size, "array items")
    if size is not None:
        cursor.skip(count * size, "array items")
        return
    for _ in range(count):
        _pass_value(cursor, type_id, depth)


def _pass_value(cursor: Cursor, type_id: int, depth: int) -> None:
    if type_id in FIXED_SIZE:
        cursor.skip(FIXED_SIZE[type_id], BuiltIn(type_id).name)
    elif type_id in _TEXTS:
        _TEXTS[type_id](cursor)
    else:
        _PASSES[type_id](cursor, depth + 1)


def _pass_variant(cursor: Cursor, depth: int) -> None:
    pass_variant_body(cursor, cursor.u8("Variant"), depth)


def _pass_data_value(cursor: Cursor, depth: int) -> None:
    mask = cursor.u8("DataValue")
    if mask & 0x01:
        _pass_variant(cursor, depth)
    sizes = {0x02: 4, 0x04: 8, 0x10: 2, 0x08: 8, 0x20: 2}
    cursor.skip(sum(size for bit, size in sizes.items() if mask & bit), "DataValue")


def pass_extension_object(cursor: Cursor, _depth: int = 0) -> None:
    """Move past an ExtensionObject of any kind."""
    node_id(cursor)
    if cursor.u8("ExtensionObject") & 0x03:
        cursor.octets("ExtensionObject body")


def pass_diagnostic_info(cursor: Cursor, depth: int = 0) -> None:
    """Move past a DiagnosticInfo and those inside it."""
    mask = cursor.u8("DiagnosticInfo")
    cursor.skip(4 * (mask & 0x0F).bit_count(), "DiagnosticInfo")
    if mask & 0x10:
        cursor.octets("additional info")
    if mask & 0x20:
        cursor.skip(4, "inner StatusCode")
    if mask & 0x40:
        if depth > MAX_DEPTH:
            raise MalformedNotification(
                cursor.offset, f"at most {MAX_DEPTH} inner DiagnosticInfos", "more"
            )
        pass_diagnostic_info(cursor, depth + 1)


_PASSES: dict[int, Callable[[Cursor, int], None]] = {
    BuiltIn.EXTENSIONOBJECT: pass_extension_object,
    BuiltIn.DATAVALUE: _pass_data_value,
    BuiltIn.VARIANT: _pass_variant,
    BuiltIn.DIAGNOSTICINFO: pass_diagnostic_info,
}
