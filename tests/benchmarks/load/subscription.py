"""The one subscription of a load server: samples by its clock, or one per request."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.load.loads import MOST_ITEMS, Load, Sent
from tests.benchmarks.load.notifications import (
    Encoded,
    clock_item,
    message,
    publish_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SLOTS = 20
"""Instants of a period at which a part of the items is sampled."""
TAGS = 30
"""Items of a vessel, which are sampled together."""
STEP_US = 100
"""Source time between two notifications of a saturating load."""
_KEPT = 64
"""Notifications kept for Republish."""


class Subscription:
    """Samples, queues and delivers.

    Bounded by: nothing but the client, which decides when notifications go; `waiting`
    says how many had to stay. When full: never. Order: by sequence number. Duplicates:
    only by Republish. On cancel (`end`): what waits is lost with the subscription.
    """

    def __init__(
        self,
        number: int,
        load: Load,
        sent: Sent,
        *,
        interval_s: float,
        keep_alive: int,
        send: Callable[[int, bytes], None],
    ) -> None:
        self.id = number
        self.interval_s = interval_s
        self.keep_alive = keep_alive
        """Publishing intervals of silence before a keep-alive."""
        self.stopping = False
        self._load = load
        self._sent = sent
        self._send = send
        self._handles: dict[int, int] = {}
        self._clock: int | None = None
        self._sequence = 0
        self._kept: dict[int, bytes] = {}
        self._waiting: deque[bytes] = deque()
        self._requests: deque[tuple[int, int]] = deque()
        self._groups: list[Encoded] = []
        self._turn = 0
        self._task = asyncio.create_task(self._live())

    def end(self) -> None:
        """Send nothing more."""
        self._task.cancel()

    def monitor(self, index: int | None, handle: int) -> None:
        """Take an item by index, or the server's clock (None)."""
        if index is None:
            self._clock = handle
        else:
            self._handles[index] = handle

    def items_complete(self) -> None:
        """Begin to send once every item of the load is monitored."""
        if len(self._handles) < self._load.items or self._groups:
            return
        index = np.array(sorted(self._handles), np.int64)
        self._sent.begun += 1
        if self._load.period_us:
            slots = index // TAGS % SLOTS
            self._groups = [self._encoded(index[slots == n]) for n in range(SLOTS)]
            return
        self._sent.first = time.time_ns() // 1000 // STEP_US
        size = self._load.per_message
        self._groups = [
            self._encoded(index[start : start + size])
            for start in range(0, len(index), size)
        ]
        if self._requests:
            self._saturate()

    def _encoded(self, index: Any) -> Encoded:
        handles = [self._handles[i] for i in index.tolist()]
        return Encoded(index, handles, self._load.layout)

    def take_request(
        self, request: int, handle: int, acknowledged: Sequence[int]
    ) -> None:
        """Take a PublishRequest; a saturating load answers it at once."""
        self._requests.append((request, handle))
        for number in acknowledged:
            if self._kept.pop(number, None) is not None:
                self._sent.acknowledged += 1
        if self._waiting:
            self._deliver()
        elif self._groups and not self._load.period_us:
            self._sent.stopped = self.stopping
            if not self.stopping:
                self._saturate()

    def kept(self, number: int) -> bytes | None:
        """Return a NotificationMessage that is not acknowledged yet."""
        return self._kept.get(number)

    def _queue(self, items: bytes, count: int) -> None:
        self._sequence += 1
        made = message(items, count, self._sequence, time.time_ns() // 1000)
        self._kept[self._sequence] = made
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        self._waiting.append(made)
        self._sent.notifications += 1
        self._sent.readings += count

    def _deliver(self) -> None:
        while self._waiting and self._requests:
            self._answer(self._waiting.popleft())
        self._sent.waiting = max(self._sent.waiting, len(self._waiting))

    def _answer(self, made: bytes) -> None:
        request, handle = self._requests.popleft()
        available = list(self._kept)
        self._send(request, publish_response(handle, self.id, available, made))

    def _keep_alive(self) -> None:
        if self._requests:
            now = time.time_ns() // 1000
            self._answer(message(b"", 0, self._sequence + 1, now))

    def _saturate(self) -> None:
        turn, which = divmod(self._turn, len(self._groups))
        tick = self._sent.last = self._sent.first + turn
        self._turn += 1
        group = self._groups[which]
        self._queue(group.at(tick, tick * STEP_US), len(group))
        self._deliver()

    async def _live(self) -> None:
        """Say that the subscription lives until all items are there; then pace."""
        beat_s = self.interval_s * self.keep_alive
        while not (self._groups and self._load.period_us):
            await asyncio.sleep(min(beat_s, 0.2 if self._load.period_us else beat_s))
            if not self._groups:
                self._keep_alive()
        await self._pace()
        while True:
            await asyncio.sleep(beat_s)
            self._keep_alive()

    async def _pace(self) -> None:
        """Sample at each instant of each tick; publish at each publishing interval."""
        period = self._load.period_us
        tick = self._sent.first = time.time_ns() // 1000 // period + 1
        slot = silent = 0
        publish_at = tick * period / 1e6 + self.interval_s
        while not self._sent.stopped:
            await asyncio.sleep(publish_at - time.time())
            late_ms = (time.time() - publish_at) * 1000
            self._sent.late_ms = max(self._sent.late_ms, late_ms)
            parts: list[tuple[bytes, int]] = []
            while (at := instant(tick, slot, period)) < publish_at * 1e6:
                parts += self._sampled(tick, slot, at)
                slot = (slot + 1) % SLOTS
                if slot == 0:
                    self._sent.last, tick = tick, tick + 1
                    if self.stopping:
                        self._sent.stopped = True
                        break
            for items, count in packed(parts):
                self._queue(items, count)
            silent = 0 if parts else silent + 1
            if silent >= self.keep_alive:
                self._keep_alive()
                silent = 0
            self._deliver()
            publish_at += self.interval_s

    def _sampled(self, tick: int, slot: int, at: int) -> list[tuple[bytes, int]]:
        group = self._groups[slot]
        parts = [(group.at(tick, at), len(group))] if len(group) else []
        if slot == 0 and self._clock is not None:
            parts.append((clock_item(self._clock, at), 1))
        return parts


def instant(tick: int, slot: int, period_us: int) -> int:
    """Return when the vessels of a slot are sampled, us UTC.

    >>> instant(3, 10, 1_000_000)
    3500000
    """
    return tick * period_us + slot * period_us // SLOTS


def packed(
    parts: Sequence[tuple[bytes, int]], most: int = MOST_ITEMS
) -> list[tuple[bytes, int]]:
    """Join items of several instants to notifications of at most `most` items.

    >>> packed([(b"a", 2), (b"b", 2), (b"c", 3)], most=4)
    [(b'ab', 4), (b'c', 3)]
    """
    joined: list[tuple[bytes, int]] = []
    held: list[bytes] = []
    count = 0
    for items, number in parts:
        if held and count + number > most:
            joined.append((b"".join(held), count))
            held, count = [], 0
        held.append(items)
        count += number
    return [*joined, (b"".join(held), count)] if held else joined
