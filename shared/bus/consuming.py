"""Polls partitions of the local log: for a member of a group, or without one."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from shared.bus.interface import (
    Damaged,
    Fenced,
    Position,
    PositionUnknown,
    Record,
    TopicPartition,
)
from shared.bus.leases import FRESH
from shared.bus.reading import LogReader
from shared.bus.segments import Witness
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from shared.bus.interface import Assigned
    from shared.bus.leases import Leases

POLL_INTERVAL_S = 0.02
"""How often a waiting reader looks at the witness: one small file, no query."""

LOOK_INTERVAL_S = 1.0
"""How often it looks at the log itself: a writer may die before it told the witness."""

HOLD_INTERVAL_S = 0.5
"""How often a member looks for partitions without an owner, and renews its leases."""

_T = TypeVar("_T")


class _Tail:
    """A place in one partition that moves as records are delivered."""

    def __init__(self, at: TopicPartition, folder: Path, position: Position) -> None:
        self.position = position
        self._reader = LogReader(at, folder)
        self._witness = Witness(folder)
        self._idle_at = b""
        self._look_at = 0.0

    def may_have_more(self) -> bool:
        """Return whether reading is worth a query; cheap enough for the event loop."""
        now = time.monotonic()
        return now >= self._look_at or self._witness.stored() != self._idle_at

    def read(self, most: int) -> list[Record | Damaged]:
        """As LogReader.read, from this place."""
        look_at = time.monotonic() + LOOK_INTERVAL_S
        stored = self._witness.stored()  # before the records it speaks of
        found = self._reader.read(self.position, most)
        if not found:
            self._look_at, self._idle_at = look_at, stored
        return found

    def move_past(self, found: Sequence[Record | Damaged]) -> None:
        """Go on after what was delivered."""
        if found:
            self.position = _after(found[-1])

    def check(self) -> None:
        self._reader.check(self.position)

    def close(self) -> None:
        self._reader.close()
        self._witness.close()


def _after(delivered: Record | Damaged) -> Position:
    last = delivered.last if isinstance(delivered, Damaged) else delivered.position
    return Position(last.epoch, last.offset + 1)


Fetched = tuple[_Tail, list[Record | Damaged]]


class Tails:
    """Places in several partitions, read in turn by one thread."""

    def __init__(self, folder: Callable[[TopicPartition], Path], name: str) -> None:
        self._folder = folder
        self._tails: dict[TopicPartition, _Tail] = {}
        self._thread = ThreadPoolExecutor(1, f"read-{name}")
        self._turn = 0

    async def run(self, call: Callable[[], _T]) -> _T:
        """Run a blocking call on the thread that reads, after what it does now."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def place(self, at: TopicPartition, position: Position) -> None:
        """Read from `position` on; where that fails, nothing changes.

        Raises:
            PositionUnknown, Unavailable: as LogReader.check.
        """
        tail = _Tail(at, self._folder(at), position)
        await self.run(tail.check)
        await self.remove(at)
        self._tails[at] = tail

    async def remove(self, at: TopicPartition) -> None:
        """Read this partition no more."""
        tail = self._tails.pop(at, None)
        if tail is not None:
            await self.run(tail.close)

    async def start_of(self, at: TopicPartition) -> Position:
        """Return the oldest position kept. Raises Unavailable."""
        return await self.run(LogReader(at, self._folder(at)).start)

    async def fetch(self, most: int) -> list[Fetched]:
        """Return what has arrived, in turn from every partition, about `most` bytes.

        No place moves before `deliver`, so that a cancelled poll loses nothing.

        Raises:
            PositionUnknown, Unavailable: nothing was read before a place failed.
        """
        order = sorted(self._tails)
        self._turn += 1
        fetched: list[Fetched] = []
        size = 0
        for index in range(len(order)):
            at = order[(index + self._turn) % len(order)]
            tail = self._tails[at]
            if size >= most or not tail.may_have_more():
                continue
            try:
                part = await self.run(partial(tail.read, most - size))
            except (PositionUnknown, Unavailable):
                if not fetched:
                    raise
                break  # it fails again when its turn comes first
            if part:
                fetched.append((tail, part))
                size += sum(
                    len(each.value) for each in part if isinstance(each, Record)
                )
        return fetched

    def deliver(self, fetched: list[Fetched]) -> list[Record | Damaged]:
        """Move past what was fetched, and return it; without what is read no more."""
        places = self._tails.values()
        delivered: list[Record | Damaged] = []
        for tail, part in fetched:
            if tail in places:
                tail.move_past(part)
                delivered += part
        return delivered

    async def close(self) -> None:
        """Close every file."""
        for at in list(self._tails):
            await self.remove(at)
        self._thread.shutdown()


async def _until(
    deadline: float, attempt: Callable[[], Awaitable[list[Record | Damaged]]]
) -> list[Record | Damaged]:
    """Repeat `attempt` until it finds something or the deadline (loop time) passes."""
    clock = asyncio.get_running_loop().time
    while True:
        found = await attempt()
        left = deadline - clock()
        if found or left <= 0:
            return found
        await asyncio.sleep(min(POLL_INTERVAL_S, left))


class LocalReader:
    """Reads chosen partitions of the local log; see Reader for its contract card."""

    def __init__(
        self, tails: Tails, positions: Mapping[TopicPartition, Position]
    ) -> None:
        self._tails = tails
        self._unplaced = dict(positions)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._tails.close()

    async def poll(
        self, *, max_bytes: int, timeout_s: float
    ) -> Sequence[Record | Damaged]:
        """As Reader.poll."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        for at, position in list(self._unplaced.items()):
            await self._tails.place(at, position)
            del self._unplaced[at]
        return await _until(deadline, lambda: self._fetch(max_bytes))

    async def _fetch(self, most: int) -> list[Record | Damaged]:
        return self._tails.deliver(await self._tails.fetch(most))


class LocalConsumer:
    """A member of a group on the local log; see Consumer for its contract card.

    A member keeps what it owns while it polls; partitions without an owner go to the
    member that polls first. There is no rebalancing: a second member is a stand-by.
    """

    def __init__(
        self,
        tails: Tails,
        leases: Leases,
        wanted: Callable[[], list[TopicPartition]],
        *,
        lease_s: float,
        assigned: Assigned | None,
    ) -> None:
        self._tails = tails
        self._leases = leases
        self._wanted = wanted
        self._lease_s = lease_s
        self._ask = assigned
        self._owned: frozenset[TopicPartition] = frozenset()
        self._placed: set[TopicPartition] = set()
        self._hold_at = 0.0
        self._held_until = 0.0

    async def __aenter__(self) -> Self:
        await self._tails.run(self._leases.join)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._tails.run(self._leases.leave)
        await self._tails.close()

    def assigned(self) -> frozenset[TopicPartition]:
        """As Consumer.assigned."""
        return self._owned

    async def poll(
        self, *, max_bytes: int, timeout_s: float
    ) -> Sequence[Record | Damaged]:
        """As Consumer.poll."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        return await _until(deadline, lambda: self._fetch(max_bytes))

    async def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """As Consumer.commit. Raises Fenced where another member is the owner now."""
        await self._tails.run(lambda: self._leases.commit(positions))

    async def seek(self, at: TopicPartition, position: Position) -> None:
        """As Consumer.seek. Raises PositionUnknown, or Fenced when not the owner."""
        if at not in self._owned:
            raise Fenced(f"seek in {at.topic}/{at.partition}: not assigned to us")
        await self._tails.place(at, position)
        self._placed.add(at)

    async def _fetch(self, most: int) -> list[Record | Damaged]:
        if time.monotonic() >= self._hold_at:
            await self._hold()
        if self._owned - self._placed:
            await self._place_new()
        fetched = await self._tails.fetch(most)
        if time.monotonic() >= self._held_until:
            await self._hold()
        return self._tails.deliver(fetched)

    async def _hold(self) -> None:
        asked = time.monotonic()
        wanted = await self._tails.run(self._wanted)
        self._owned = await self._tails.run(lambda: self._leases.hold(wanted))
        self._hold_at = asked + min(HOLD_INTERVAL_S, self._lease_s / 3)
        self._held_until = asked + self._lease_s * FRESH
        for at in self._placed - self._owned:
            self._placed.discard(at)
            await self._tails.remove(at)

    async def _place_new(self) -> None:
        new = sorted(self._owned - self._placed)
        starts = {} if self._ask is None else await self._ask(new)
        for at in new:
            position = starts.get(at)
            if position is None:
                stored = partial(self._leases.committed, at)
                position = await self._tails.run(stored)
            if position is None:
                position = await self._tails.start_of(at)
            await self._tails.place(at, position)
            self._placed.add(at)
