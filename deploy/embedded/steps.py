"""Progress while a plant starts: what is done now, and how long each step took."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

_NAME_WIDTH = 34


class Steps:
    """Says each step on its own line: with a spinner on a terminal, plainly elsewhere.

    Bounded by: one step at a time. When full: n/a. Order: as entered. Duplicates: n/a.
    On cancel: the step is left without its tick.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.began = time.monotonic()
        """When the command began; `time.monotonic` seconds."""

    @contextmanager
    def step(self, doing: str) -> Iterator[Callable[[str], None]]:
        """Say `doing` for the length of the block, then its seconds.

        Yields:
            A function that replaces what stands behind the step.
        """
        began = time.monotonic()
        detail = ""
        with self._console.status(f"{doing} ...") as status:

            def add(text: str) -> None:
                nonlocal detail
                detail = text
                status.update(f"{doing} ... {text}")

            yield add
        took = time.monotonic() - began
        self._console.print(
            f"[green]ok[/green] {doing:<{_NAME_WIDTH}} {took:5.1f} s  {detail}",
            highlight=False,
            soft_wrap=True,
        )

    def note(self, text: str) -> None:
        """Say something that is no step."""
        self._console.print(f"   {text}", highlight=False, markup=False, soft_wrap=True)

    def seconds(self) -> float:
        """Return the seconds since the command began."""
        return time.monotonic() - self.began
