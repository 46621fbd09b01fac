"""In which order and when instants go out; nothing is changed without a trouble.

Pure. Bounded by: one instant held back while shuffling. When full: it goes out. Order:
as given, but for `shuffle`. Duplicates: none. On cancel: what is held back goes out
with the next instant.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simulators.instants import Columns

if TYPE_CHECKING:
    from simulators.instants import Instant


class Outgoing:
    """Turns what a plant publishes into what a troubled server publishes."""

    def __init__(self) -> None:
        self.skew_us = 0
        """How far the server's clock is ahead."""
        self.shuffle = 0
        """1 while instants change places two by two."""
        self.hidden: frozenset[int] = frozenset()
        """Places of variables that are not there."""
        self._held: Instant | None = None

    def skewed(self, instant: Instant) -> Instant:
        """Return the instant as the server's clock dates it."""
        if not self.skew_us:
            return instant
        return replace(instant, time=instant.time + self.skew_us)

    def pass_on(self, instant: Instant) -> list[Instant]:
        """Return what goes out now."""
        going = [instant]
        if self._held is not None:
            going, self._held = [instant, self._held], None
        elif self.shuffle:
            going, self._held = [], instant
        return going

    def shown(self, columns: Columns) -> Columns:
        """Return the rows of variables that are there."""
        if not self.hidden:
            return columns
        left = np.flatnonzero(~np.isin(columns.nodes, list(self.hidden)))
        rows = {int(row): at for at, row in enumerate(left)}
        texts = {rows[row]: t for row, t in columns.texts.items() if row in rows}
        return Columns(
            columns.nodes[left], columns.numbers[left], columns.statuses[left], texts
        )
