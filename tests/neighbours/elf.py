"""Lets a shared library built for a newer system be loaded on this one.

Debian's TimescaleDB asks for two things that an older system or a server without
OpenSSL does not have, and that it never uses here:

* symbols at version GLIBC_2.38: `strlcpy` (the server has its own) and
  `__isoc23_strtol`, `__isoc23_sscanf` (the old `strtol`, `sscanf` with one more radix
  prefix). They lose the version, and the two lose their prefix.
* OpenSSL functions, called by the telemetry client only, which is switched off. They
  become weak: absent instead of an error.

Facts of the format: System V ABI, chapters 4 and 5; LSB 5.0, "Symbol Versioning".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHT_DYNSYM = 11
_SHT_VERNEED = 0x6FFFFFFE
_SHT_VERSYM = 0x6FFFFFFF
_SYMBOL_BYTES = 24
_UNVERSIONED = 1  # VER_NDX_GLOBAL
_WEAK_NEED = 2  # VER_FLG_WEAK
_GLOBAL, _WEAK = 1, 2  # symbol binding
_NEWER = b"GLIBC_2.38"
_PREFIX = b"__isoc23_"
_ABSENT = (b"SSL_", b"ERR_", b"TLS_", b"OPENSSL_")


class _Library:
    """The dynamic symbols of one 64-bit little-endian shared library."""

    def __init__(self, image: bytearray) -> None:
        self.image = image
        if image[:6] != b"\x7fELF\x02\x01":
            raise ValueError("expected a 64-bit little-endian ELF file")
        (table,) = struct.unpack_from("<Q", image, 0x28)
        size, count = struct.unpack_from("<HH", image, 0x3A)
        sections = [
            struct.unpack_from("<IIQQQQII", image, table + n * size)
            for n in range(count)
        ]
        of_type = {section[1]: section for section in sections}
        self.symbols: int = of_type[_SHT_DYNSYM][4]
        self.count: int = of_type[_SHT_DYNSYM][5] // _SYMBOL_BYTES
        self.versions: int = of_type[_SHT_VERSYM][4]
        self.needs: int = of_type[_SHT_VERNEED][4]
        self._names: int = sections[of_type[_SHT_DYNSYM][6]][4]

    def name(self, offset: int) -> bytes:
        """Return the string at `offset` of the string table."""
        start = self._names + offset
        return bytes(self.image[start : self.image.index(0, start)])

    def needed_versions(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield place, version index and name of each needed symbol version."""
        file = self.needs
        while True:
            _, count, _, first, following = struct.unpack_from(
                "<HHIII", self.image, file
            )
            entry = file + first
            for _ in range(count):
                _, _, index, name, step = struct.unpack_from(
                    "<IHHII", self.image, entry
                )
                yield entry, index, self.name(name)
                entry += step
            if not following:
                return
            file += following


def relax(file: Path) -> int:
    """Change the library in place; return how many symbols were changed."""
    library = _Library(bytearray(file.read_bytes()))
    newer = set()
    for place, index, name in library.needed_versions():
        if name == _NEWER:
            (flags,) = struct.unpack_from("<H", library.image, place + 4)
            struct.pack_into("<H", library.image, place + 4, flags | _WEAK_NEED)
            newer.add(index)
    changed = sum(_relax_symbol(library, n, newer) for n in range(library.count))
    file.write_bytes(library.image)
    return changed


def _relax_symbol(library: _Library, number: int, newer: set[int]) -> bool:
    place = library.symbols + number * _SYMBOL_BYTES
    version_at = library.versions + 2 * number
    (name_at, info, _, section) = struct.unpack_from("<IBBH", library.image, place)
    (version,) = struct.unpack_from("<H", library.image, version_at)
    name = library.name(name_at)
    undefined = section == 0 and info >> 4 == _GLOBAL
    if undefined and name.startswith(_ABSENT):
        library.image[place + 4] = (_WEAK << 4) | (info & 0xF)
        return True
    if version & 0x7FFF not in newer:
        return False
    struct.pack_into("<H", library.image, version_at, _UNVERSIONED)
    if name.startswith(_PREFIX):
        struct.pack_into("<I", library.image, place, name_at + len(_PREFIX))
    return True
