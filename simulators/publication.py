"""Which values of the plant leave at an instant, and with which status. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.instants import Instant
from simulators.outlet import Changes
from simulators.tags import CONTEXT, TAGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.faults.effects import Effects
    from simulators.instants import Value

BAD_NO_COMMUNICATION = 0x80310000
BAD_OUT_OF_SERVICE = 0x808D0000
WIDTH = len(TAGS) + len(CONTEXT)
"""Variables of a vessel."""


class Publication:
    """Knows what was published last of each vessel's variables."""

    def __init__(self, vessels: int, first: int) -> None:
        """`first`: place of the first vessel's first variable in the server's list."""
        self._first = first
        self._count = vessels
        self._told = [False] * vessels
        """Whether a silent vessel's clients were told."""
        each = [tag.each for tag in (*TAGS, *CONTEXT)] * vessels
        self._changes = Changes([True] * first + each)

    def instant(
        self, time: int, values: Sequence[Sequence[Value]], effects: Effects | None
    ) -> Instant:
        """Return what is worth publishing at `time`.

        Args:
            time: source time, us UTC.
            values: per vessel, its variables in the server's order.
            effects: of the faults at work; None: there are none.
        """
        if effects is None:
            self._told = [False] * self._count
            return self._whole(time, values)
        nodes: list[int] = []
        kept: list[Value] = []
        statuses: list[int] = []
        for vessel, row in enumerate(values):
            self._add(vessel, row, effects, nodes, kept, statuses)
        return Instant(time, nodes, kept, statuses if any(statuses) else None)

    def _whole(self, time: int, values: Sequence[Sequence[Value]]) -> Instant:
        flat = [value for row in values for value in row]
        chosen = [
            (node, value)
            for node, value in enumerate(flat, self._first)
            if self._changes.worth_sending(node, value)
        ]
        return Instant(time, [n for n, _ in chosen], [v for _, v in chosen])

    def _add(
        self,
        vessel: int,
        row: Sequence[Value],
        effects: Effects,
        nodes: list[int],
        kept: list[Value],
        statuses: list[int],
    ) -> None:
        first = self._first + vessel * WIDTH
        silent = bool(effects.silent[vessel])
        if silent and effects.announced[vessel] and not self._told[vessel]:
            nodes += range(first, first + WIDTH)
            kept += [None] * WIDTH
            statuses += [BAD_NO_COMMUNICATION] * WIDTH
            for node in range(first, first + WIDTH):
                self._changes.forget(node)
        self._told[vessel] = silent
        if silent:
            return
        out = effects.out_of_service[vessel]
        for column, value in enumerate(row):
            node = first + column
            if column < len(TAGS) and out[column]:
                self._changes.forget(node)
                nodes.append(node)
                kept.append(None)
                statuses.append(BAD_OUT_OF_SERVICE)
            elif self._changes.worth_sending(node, value):
                nodes.append(node)
                kept.append(value)
                statuses.append(0)
