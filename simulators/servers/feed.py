"""The monitored items of one subscription, and what waits to be sent to it. Pure.

Items stand in slots of arrays, so that an instant of a whole plant is taken by a few
array operations instead of one call per item.

Bounded by: each item's queue size. When full: the item's oldest value goes, and the
oldest that stays gets the Overflow bit (Part 4, 5.12.1.5) unless it is the only one.
Order: of each item, as taken. Duplicates: none. On cancel: what waits is forgotten with
the subscription.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulators.servers.notifications import OVERFLOW, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.instants import Columns

    Mask = NDArray[np.bool_]
    Slots = NDArray[np.int64]

_ROOM = 64


@dataclass(frozen=True, slots=True)
class Item:
    """What a client asked for."""

    node: int
    """Place of the variable in the server's list."""
    handle: int
    """The client's name for it."""
    size: int
    """Of its queue."""
    each: bool
    """Whether every value is reported; else only changes."""
    deadband: float = 0.0
    """Changes up to this are not reported, in the variable's unit; 0: all are."""


class Feed:
    """Takes instants and gives notifications; see the module."""

    def __init__(self, types: NDArray[np.uint8]) -> None:
        """Serve variables of these built-in types, by place."""
        self._types = types
        self._row_of = np.full(len(types), -1, np.int64)
        self._used = 0
        self._free: list[int] = []
        self._node = np.zeros(_ROOM, np.int64)
        self._handle = np.zeros(_ROOM, np.uint32)
        self._size = np.zeros(_ROOM, np.int64)
        self._each = np.zeros(_ROOM, bool)
        self._deadband = np.zeros(_ROOM)
        self._on = np.zeros(_ROOM, bool)
        self._number = np.zeros(_ROOM)
        """Reported last, with its status."""
        self._status = np.zeros(_ROOM, np.uint32)
        self._text: dict[int, str] = {}
        self._fresh = np.zeros(_ROOM, bool)
        """Items that have reported nothing yet."""
        self._waiting = np.zeros(_ROOM, np.int64)
        self._chunks: list[Rows] = []
        self.dropped = 0
        """Values that left a full queue unsent."""

    def add(self, item: Item) -> int:
        """Return the slot of a new item; it reports from the next instant on."""
        if self._free and not self._chunks:
            slot = self._free.pop()
        else:
            slot, self._used = self._used, self._used + 1
            if slot == len(self._node):
                self._grow()
        self.change(slot, item)
        self._on[slot] = self._fresh[slot] = True
        self._waiting[slot] = 0
        return slot

    def change(self, slot: int, item: Item) -> None:
        """Give an item other parameters."""
        self._node[slot], self._handle[slot] = item.node, item.handle
        self._size[slot], self._each[slot] = max(item.size, 1), item.each
        self._deadband[slot] = item.deadband

    def switch(self, slot: int, *, on: bool) -> None:
        """Let an item report or not."""
        self._on[slot] = on

    def remove(self, slot: int) -> None:
        """Forget an item."""
        self._on[slot] = False
        self._text.pop(slot, None)
        self._free.append(slot)

    def _grow(self) -> None:
        for name in (
            "_node", "_handle", "_size", "_each", "_deadband", "_on", "_number",
            "_status", "_fresh", "_waiting",
        ):  # fmt: skip
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros_like(column)]))

    @property
    def waits(self) -> bool:
        """Whether there is something to send."""
        return bool(self._chunks)

    @property
    def nodes(self) -> NDArray[np.int64]:
        """Return the places of the variables that are monitored."""
        return self._node[: self._used][self._on[: self._used]]

    def fullest(self) -> float:
        """Return the fill level of the fullest queue, 0 to 1."""
        if not self._chunks:
            return 0.0
        used = slice(0, self._used)
        return float((self._waiting[used] / self._size[used]).max())

    def take(
        self, columns: Columns, source: int, server: int, *, times: int = 1
    ) -> None:
        """Queue an instant for the items it concerns.

        Args:
            columns: the instant.
            source: its time, OPC UA DateTime.
            server: the clock, alike.
            times: how often; more than once when a server is to send duplicates.
        """
        self._row_of[columns.nodes] = np.arange(len(columns.nodes))
        rows = self._row_of[self._node[: self._used]]
        self._row_of[columns.nodes] = -1
        slots = np.flatnonzero((rows >= 0) & self._on[: self._used])
        self._queue(slots, rows[slots], columns, source, server, times)

    def take_one(self, slot: int, columns: Columns, source: int, server: int) -> None:
        """Queue the first value of a new item; `columns` has one row."""
        self._queue(
            np.array([slot]), np.zeros(1, np.int64), columns, source, server, times=1
        )

    def _queue(
        self,
        slots: Slots,
        rows: Slots,
        columns: Columns,
        source: int,
        server: int,
        times: int,
    ) -> None:
        texts = self._texts(slots, rows, columns)
        worth = self._worth(slots, rows, columns, texts)
        if not worth.all():
            kept = np.cumsum(worth) - 1
            texts = {int(kept[at]): text for at, text in texts.items() if worth[at]}
            slots, rows = slots[worth], rows[worth]
        if not len(slots):
            return
        made = Rows(
            slots.astype(np.int32), self._handle[slots], self._types[self._node[slots]],
            columns.numbers[rows], columns.statuses[rows], source, server, texts,
        )  # fmt: skip
        self._number[slots], self._status[slots] = made.numbers, made.statuses
        self._fresh[slots] = False
        self._text.update({int(slots[at]): text for at, text in texts.items()})
        for _ in range(times):
            self._append(replace(made, statuses=made.statuses.copy()))

    def _texts(self, slots: Slots, rows: Slots, columns: Columns) -> dict[int, str]:
        """Return the texts by place in `slots`."""
        if not columns.texts:
            return {}
        known = columns.texts
        wordy = np.isin(rows, np.fromiter(known, np.int64, len(known)))
        return {int(at): known[int(rows[at])] for at in np.flatnonzero(wordy)}

    def _worth(
        self, slots: Slots, rows: Slots, columns: Columns, texts: dict[int, str]
    ) -> Mask:
        """Return which of `slots` report this value."""
        each = self._each[slots]
        if each.all():
            return each
        number, before = columns.numbers[rows], self._number[slots]
        same = (number == before) | (np.isnan(number) & np.isnan(before))
        same |= np.abs(number - before) <= self._deadband[slots]
        for at, text in texts.items():
            same[at] = self._text.get(int(slots[at])) == text
        changed = ~same | (columns.statuses[rows] != self._status[slots])
        worth: Mask = each | changed | self._fresh[slots]
        return worth

    def _append(self, rows: Rows) -> None:
        self._chunks.append(rows)
        slots = rows.slots
        self._waiting[slots] += 1
        over = slots[self._waiting[slots] > self._size[slots]]
        if len(over):
            self._drop_oldest(over)

    def _drop_oldest(self, over: NDArray[np.int32]) -> None:
        self.dropped += len(over)
        self._waiting[over] -= 1
        wanted = np.zeros(self._used, bool)
        wanted[over] = True
        for at, rows in enumerate(self._chunks):
            gone = wanted[rows.slots]
            if gone.any():
                wanted[rows.slots[gone]] = False
                self._chunks[at] = rows.without(gone)
            if not wanted.any():
                break
        self._chunks = [rows for rows in self._chunks if len(rows.slots)]
        self._mark_oldest(over[self._size[over] > 1])

    def _mark_oldest(self, slots: NDArray[np.int32]) -> None:
        wanted = np.zeros(self._used, bool)
        wanted[slots] = True
        for rows in self._chunks:
            if not wanted.any():
                return
            first = wanted[rows.slots]
            rows.statuses[first] |= OVERFLOW
            wanted[rows.slots[first]] = False

    def give(self) -> list[Rows]:
        """Return, once, all that waits, in order."""
        chunks, self._chunks = self._chunks, []
        self._waiting[: self._used] = 0
        return chunks
