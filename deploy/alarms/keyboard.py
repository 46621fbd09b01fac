"""The keys of a terminal, one by one, while something is shown on it."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY_BYTES = 64
"""Most that is taken at once."""


@contextmanager
def keyboard(take: Callable[[str], None]) -> Iterator[None]:
    """Give what is typed, unechoed, for the length of the block; `q` at its end.

    Where standard input is no terminal nothing is given.
    """
    if not sys.stdin.isatty():
        yield
        return
    loop, source = asyncio.get_running_loop(), sys.stdin.fileno()
    before = termios.tcgetattr(source)

    def read() -> None:
        typed = os.read(source, KEY_BYTES).decode("utf-8", "replace")
        if not typed:
            loop.remove_reader(source)
        take(typed or "q")

    tty.setcbreak(source)
    loop.add_reader(source, read)
    try:
        yield
    finally:
        loop.remove_reader(source)
        termios.tcsetattr(source, termios.TCSADRAIN, before)
