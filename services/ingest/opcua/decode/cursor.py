"""Bounded reading of OPC UA Binary (Part 6, 5.2): every length is checked first.

Nothing here allocates, loops or recurses by a number that the bytes claim but do not
hold; whatever does not fit is MalformedNotification with its offset.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from shared.domain import FedbatchError

MAX_DEPTH = 32
"""Deepest nesting of Variants and DiagnosticInfos that is followed."""

_U16 = struct.Struct("<H").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_I64 = struct.Struct("<q").unpack_from


class MalformedNotification(FedbatchError):  # noqa: N818
    """Bytes that are not the OPC UA Binary message they should be."""

    def __init__(self, offset: int, expected: str, found: str) -> None:
        super().__init__(f"offset {offset}: expected {expected}, found {found}")
        self.offset = offset
        """Where, in bytes from the start of the message."""
        self.expected = expected
        """What should have been there."""


@dataclass(slots=True)
class Cursor:
    """A place in a message; reading moves it and never passes `end`."""

    data: bytes
    offset: int
    end: int
    """First offset that must not be read; at most len(data)."""

    def skip(self, size: int, what: str) -> int:
        """Pass `size` bytes and return the offset where they start.

        Raises:
            MalformedNotification: fewer bytes are left.
        """
        start = self.offset
        if size > self.end - start:
            raise MalformedNotification(
                start, f"{what} of {size} bytes", f"{self.end - start} bytes"
            )
        self.offset = start + size
        return start

    def u8(self, what: str) -> int:
        """Return an unsigned byte."""
        return self.data[self.skip(1, what)]

    def u16(self, what: str) -> int:
        """Return an unsigned 16-bit integer."""
        value: int = _U16(self.data, self.skip(2, what))[0]
        return value

    def u32(self, what: str) -> int:
        """Return an unsigned 32-bit integer."""
        value: int = _U32(self.data, self.skip(4, what))[0]
        return value

    def i32(self, what: str) -> int:
        """Return a signed 32-bit integer."""
        value: int = _I32(self.data, self.skip(4, what))[0]
        return value

    def i64(self, what: str) -> int:
        """Return a signed 64-bit integer."""
        value: int = _I64(self.data, self.skip(8, what))[0]
        return value

    def octets(self, what: str) -> bytes | None:
        """Return the bytes of a String or ByteString; None when it is null."""
        size = self.i32(f"length of {what}")
        if size < 0:
            return None
        start = self.skip(size, what)
        return self.data[start : start + size]

    def count(self, smallest: int, what: str) -> int:
        """Return the length of an array whose items take at least `smallest` bytes.

        A null array counts as empty.

        Raises:
            MalformedNotification: so many items cannot be left.
        """
        start = self.offset
        count = self.i32(f"number of {what}")
        room = self.end - self.offset
        if count * smallest > room:
            raise MalformedNotification(
                start, f"at most {room // smallest} {what}", f"{count}"
            )
        return max(count, 0)
