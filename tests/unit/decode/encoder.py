"""Encodes notifications by Part 6, independently of asyncua and of the decoder."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from services.ingest.opcua.decode import Publish, decode_publish

EPOCH = 116_444_736_000_000_000
NOW = EPOCH + 17_000_000_000_000_000
"""Ticks of a time in 2023."""
NOW_US = 1_700_000_000_000_000
PUBLISHED = NOW + 5_000_000
PUBLISHED_US = NOW_US + 500_000
RECEIVED = NOW_US + 700_000

GOOD, UNCERTAIN, BAD = 0, 0x4000_0000, 0x8000_0000


@dataclass(frozen=True)
class Sent:
    """A DataValue as a server sends it; None leaves a field out."""

    variant: bytes | None = None
    status: int | None = None
    source: int | None = NOW
    source_pico: int | None = None
    server: int | None = NOW
    server_pico: int | None = None

    def encoded(self) -> bytes:
        fields = [
            (0x01, "", self.variant),
            (0x02, "<I", self.status),
            (0x04, "<q", self.source),
            (0x10, "<H", self.source_pico),
            (0x08, "<q", self.server),
            (0x20, "<H", self.server_pico),
        ]
        mask = sum(bit for bit, _, value in fields if value is not None)
        return bytes([mask]) + b"".join(
            value if isinstance(value, bytes) else struct.pack(form, value)
            for _, form, value in fields
            if value is not None
        )


def double(value: float) -> bytes:
    return b"\x0b" + struct.pack("<d", value)


def number(type_id: int, form: str, value: float) -> bytes:
    return bytes([type_id]) + struct.pack(f"<{form}", value)


def octets(value: bytes | None) -> bytes:
    if value is None:
        return struct.pack("<i", -1)
    return struct.pack("<i", len(value)) + value


def string(value: bytes | None) -> bytes:
    return b"\x0c" + octets(value)


def items(sent: list[Sent], handles: list[int] | None = None) -> bytes:
    named = range(len(sent)) if handles is None else handles
    return struct.pack("<i", len(sent)) + b"".join(
        struct.pack("<I", handle) + value.encoded()
        for handle, value in zip(named, sent, strict=True)
    )


def extension(type_id: int, body: bytes, *, open_length: bool = False) -> bytes:
    length = struct.pack("<i", -1) if open_length else b""
    inner = length + body if open_length else octets(body)
    return b"\x01\x00" + struct.pack("<H", type_id) + b"\x01" + inner


def data_change(monitored: bytes, *, open_length: bool = False) -> bytes:
    no_diagnostics = struct.pack("<i", 0)
    return extension(811, monitored + no_diagnostics, open_length=open_length)


def header(type_id: int, result: int = 0) -> bytes:
    return (
        b"\x01\x00"
        + struct.pack("<H", type_id)
        + struct.pack("<qII", PUBLISHED, 1, result)
        + b"\x00"  # ServiceDiagnostics
        + struct.pack("<i", 0)  # StringTable
        + b"\x00\x00\x00"  # AdditionalHeader
    )


def message(notifications: list[bytes], sequence: int = 4) -> bytes:
    head = struct.pack("<Iqi", sequence, PUBLISHED, len(notifications))
    return head + b"".join(notifications)


def response(
    notifications: list[bytes],
    *,
    available: tuple[int, ...] = (3, 4),
    more: bool = False,
) -> bytes:
    return (
        header(829)
        + struct.pack(f"<Ii{len(available)}I?", 7, len(available), *available, more)
        + message(notifications)
        + struct.pack("<iIi", 1, 0, 0)  # Results, DiagnosticInfos
    )


def decoded(sent: list[Sent], tags: list[int] | None = None) -> Publish:
    named = [100 + row for row in range(len(sent))] if tags is None else tags
    body = response([data_change(items(sent))])
    return decode_publish(body, np.array(named, np.int32), RECEIVED)
