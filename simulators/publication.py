"""Which values of the plant leave at an instant, and with which status. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from simulators.instants import Instant
from simulators.outlet import Changes
from simulators.tags import ASSAYS, COLUMN, CONTEXT, TAGS, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.faults.effects import Effects
    from simulators.instants import Value
    from simulators.laboratory import Result

BAD_NO_COMMUNICATION = 0x80310000
BAD_OUT_OF_SERVICE = 0x808D0000
BAD_WAITING_FOR_INITIAL_DATA = 0x80320000
_BAD = 0x80000000


@dataclass(slots=True)
class _Sending:
    """What is to leave at one source time."""

    nodes: list[int]
    values: list[Value]
    statuses: list[int]

    def add(self, node: int, value: Value, status: int = 0) -> None:
        self.nodes.append(node)
        self.values.append(None if status & _BAD else value)
        self.statuses.append(status)

    def at(self, time: int) -> Instant:
        statuses = self.statuses if any(self.statuses) else None
        return Instant(time, self.nodes, self.values, statuses)


class Publication:
    """Knows what was published last of each vessel's variables.

    A vessel's variables are its tags, then its context, then its assays.
    """

    def __init__(self, vessels: int, first: int, tags: Sequence[Tag] = TAGS) -> None:
        """Begin anew.

        Args:
            vessels: of the plant.
            first: place of the first vessel's first variable in the server's list.
            tags: those the server has, in its order.
        """
        self._first, self._count = first, vessels
        self._tags = tuple(tags)
        self._columns = [COLUMN[tag.name] for tag in self._tags]
        self._periods = [round(tag.period_s * 1e6) for tag in self._tags]
        self.width = len(self._tags) + len(CONTEXT) + len(ASSAYS)
        """Variables of a vessel."""
        self._assays = len(self._tags) + len(CONTEXT)
        self._told = [False] * vessels
        """Whether a silent vessel's clients were told."""
        each = [tag.each for tag in (*self._tags, *CONTEXT, *ASSAYS)] * vessels
        self._changes = Changes([True] * first + each)
        self._last: int | None = None

    def assays_unknown(self, time: int) -> Instant:
        """Return that the laboratory has said nothing yet."""
        sending = _Sending([], [], [])
        for vessel in range(self._count):
            begin = self._first + vessel * self.width + self._assays
            for node in range(begin, begin + len(ASSAYS)):
                sending.add(node, None, BAD_WAITING_FOR_INITIAL_DATA)
        return sending.at(time)

    def assays(self, result: Result) -> Instant:
        """Return what the laboratory says of one sample, at the time it was drawn."""
        begin = self._first + result.vessel * self.width + self._assays
        found = [
            (node, value)
            for node, value in enumerate(result.values, begin)
            if not isnan(value)
        ]
        return Instant(result.drawn, [n for n, _ in found], [v for _, v in found])

    def instants(
        self,
        time: int,
        values: Sequence[Sequence[float]],
        context: Sequence[Sequence[str]],
        effects: Effects | None,
    ) -> list[Instant]:
        """Return what is worth publishing at `time`.

        Vessels whose clock is wrong come apart, with their own source time.

        Args:
            time: source time, us UTC.
            values: per vessel, of all tags of simulators.tags.
            context: per vessel, its words of context.
            effects: of the faults at work; None: there are none.
        """
        due = self._due(time)
        common, apart = _Sending([], [], []), []
        for vessel, row in enumerate(values):
            skew = 0 if effects is None else int(effects.skew_us[vessel])
            sending = _Sending([], [], []) if skew else common
            words = context[vessel]
            if effects is None:
                self._told[vessel] = False
                self._add(vessel, due, row, words, sending)
            else:
                self._add_with(vessel, due, row, words, effects, sending)
            if skew:
                apart.append(sending.at(time + skew))
        return [common.at(time), *apart]

    def _due(self, time: int) -> list[int]:
        """Return the places of the tags whose instruments have a new value."""
        last, self._last = self._last, time
        return [
            place
            for place, period in enumerate(self._periods)
            if not period or last is None or time // period != last // period
        ]

    def _add(
        self,
        vessel: int,
        due: list[int],
        row: Sequence[float],
        words: Sequence[str],
        sending: _Sending,
    ) -> None:
        first, worth = self._first + vessel * self.width, self._changes.worth_sending
        columns = self._columns
        for place in due:
            value = row[columns[place]]
            if worth(first + place, value):
                sending.add(first + place, value)
        for node, word in enumerate(words, first + len(columns)):
            if worth(node, word):
                sending.add(node, word)

    def _add_with(
        self,
        vessel: int,
        due: list[int],
        row: Sequence[float],
        words: Sequence[str],
        effects: Effects,
        sending: _Sending,
    ) -> None:
        first = self._first + vessel * self.width
        silent = bool(effects.silent[vessel])
        if silent and effects.announced[vessel] and not self._told[vessel]:
            for node in range(first, first + self._assays):
                sending.add(node, None, BAD_NO_COMMUNICATION)
                self._changes.forget(node)
        self._told[vessel] = silent
        if silent:
            return
        status = effects.status[vessel]
        if not status.any():
            self._add(vessel, due, row, words, sending)
            return
        wrong = {p for p, column in enumerate(self._columns) if status[column]}
        for place in (p for p in due if p in wrong):
            self._changes.forget(first + place)
            column = self._columns[place]
            sending.add(first + place, row[column], int(status[column]))
        fine = [place for place in due if place not in wrong]
        self._add(vessel, fine, row, words, sending)
