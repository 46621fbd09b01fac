"""TCP ports of this machine, one owner each, also between plants side by side."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
_TRIES = 100
"""How many ports after the preferred one are looked at."""


class NoFreePort(FedbatchError):  # noqa: N818
    """Neither the preferred port nor the next hundred can be listened on."""


@contextmanager
def reserved_port(preferred: int) -> Iterator[int]:
    """Own `preferred`, or else the next free port, for the length of the block.

    The port itself stays unbound, so that a child process can listen on it at once;
    the reservation is a name in the kernel that ends with this process, however it
    ends, and that another fedbatch on this machine meets before it picks the port.

    Raises:
        NoFreePort: the preferred port and the hundred after it are all taken.
    """
    last = min(preferred + _TRIES, 65535)
    for port in range(preferred, last + 1):
        reservation = _reserve(port)
        if reservation is not None:
            with reservation:
                yield port
            return
    raise NoFreePort(
        f"ports {preferred} to {last} on {LOOPBACK}: expected one that is free; "
        "stop a program that listens there or choose another with --port"
    )


def _reserve(port: int) -> socket.socket | None:
    reservation = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        reservation.bind(f"\0fedbatch-port-{port}")
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            probe.listen(1)
    except OSError:
        reservation.close()
        return None
    return reservation
