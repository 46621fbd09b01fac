"""How fast gaps are filled: a part of what the archiver stores, for all servers."""

from __future__ import annotations

import asyncio

SHARE = 4
"""A quarter of what is stored is filled; live readings have the rest."""


class Pace:
    """Lets readings go no faster than a rate, in the order of asking.

    Bounded by: nothing is held; who asks waits. On cancel: what was let go counts.
    """

    def __init__(self, rows_per_s: float) -> None:
        """Go by `rows_per_s`, readings a second, until a rate was measured."""
        self.rows_per_s = rows_per_s
        self._free = 0.0
        """When the next rows may go, seconds of the loop's clock."""

    def stores(self, rows_per_s: float) -> None:
        """Know how many readings a second one connection of the archiver stores."""
        self.rows_per_s = rows_per_s / SHARE

    async def go(self, rows: int) -> None:
        """Return when so many rows may go."""
        now = asyncio.get_running_loop().time()
        begin = max(now, self._free)
        self._free = begin + rows / self.rows_per_s
        await asyncio.sleep(begin - now)
