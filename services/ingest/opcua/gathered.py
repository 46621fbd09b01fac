"""Several requests in one system call: sending costs more than making a small one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def gathered(protocol: Any) -> Iterator[None]:  # noqa: ANN401  asyncua's
    """Let what is sent within the block, which must not await, leave in one piece.

    Args:
        protocol: of a connected asyncua client.
    """
    transport = protocol.transport
    if transport is None:  # lost just now: sending says so
        yield
        return
    protocol.transport = held = _Held()
    try:
        yield
    finally:
        protocol.transport = transport
        transport.write(b"".join(held.pieces))


class _Held:
    """Stands for a transport while requests are put together."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        """Hold a piece."""
        self.pieces.append(piece)
