"""Readings and small records to the log, batched by partition."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from shared.bus import Message, Position, TopicPartition
from shared.domain import Origin, Topic, Unavailable
from shared.readings import MAX_ROWS, Block, merge
from shared.wire import ReadingsHeader, encode_readings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

_log = logging.getLogger(__name__)

HELD_BYTES = 64 * 1024 * 1024
"""Readings held before the servers are no longer asked for more."""
FLUSH_BYTES = 512 * 1024
FLUSH_S = 0.1
FEW_ROWS = 50
FEW_FLUSH_S = 0.25
APPEND_BYTES = 4 * 1024 * 1024
"""Most bytes of one append while catching up."""
_RETRY_FIRST_S = 0.2
_RETRY_LAST_S = 5.0
_CLOSE_S = 5.0
"""How long a stop waits for what is held."""
_MESSAGE_BYTES = 256
"""What a small record counts for beside its value."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings of one partition, session and origin."""

    block: Block
    server: str
    session: str
    sequence: int
    origin: Origin
    configuration: int

    @property
    def key(self) -> tuple[str, str, Origin, int]:
        """What one record must have in common."""
        return self.server, self.session, self.origin, self.configuration

    def size(self) -> int:
        """Return about how many bytes it takes."""
        text = 0 if self.block.text is None else self.block.text.nbytes
        return len(self.block) * 36 + text + _MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class _Held:
    what: Rows | Message
    size: int
    done: Callable[[], None] | None


class _Lane:
    """What waits for one partition."""

    def __init__(self) -> None:
        self.held: list[_Held] = []
        self.rows = 0
        self.size = 0
        self.since = 0.0
        self.some = asyncio.Event()
        self.enough = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def put(self, held: _Held, now: float) -> None:
        if not self.held:
            self.since = now
        self.held.append(held)
        self.size += held.size
        if isinstance(held.what, Rows):
            self.rows += len(held.what.block)
        self.some.set()
        self.idle.clear()
        if self.rows >= MAX_ROWS or self.size >= FLUSH_BYTES:
            self.enough.set()

    def take(self) -> list[_Held]:
        """Return the oldest, at most APPEND_BYTES of them."""
        taken, size = 0, 0
        while taken < len(self.held) and (taken == 0 or size < APPEND_BYTES):
            size += self.held[taken].size
            taken += 1
        out, self.held = self.held[:taken], self.held[taken:]
        self.size -= size
        self.rows -= sum(len(h.what.block) for h in out if isinstance(h.what, Rows))
        if not self.held:
            self.some.clear()
            self.enough.clear()
        return out

    async def ripe(self) -> None:
        """Return when enough waits, or has waited long enough."""
        await self.some.wait()
        for pause in (FLUSH_S, FEW_FLUSH_S):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self.since + pause):
                    await self.enough.wait()
                return
            if self.rows >= FEW_ROWS:
                return


class Writer:
    """Carries to the log what the servers sent.

    Bounded by: HELD_BYTES over all partitions, soft by one notification per server.
    When full: `room` waits, so that no server is asked for more; servers then queue.
    Order: kept within a partition and session. Duplicates: a repeated append is
    recognised by the log. On cancel: waits up to 5 s for what is held, then leaves it:
    it was never acknowledged.
    """

    def __init__(
        self,
        append: Callable[[TopicPartition, Sequence[Message]], Awaitable[Position]],
        heads: Mapping[int, Position],
    ) -> None:
        """Write to the partitions of `heads`, which says where each ends now."""
        self._append = append
        self._done = dict(heads)
        self._lanes = {partition: _Lane() for partition in heads}
        self._held = 0
        self._room = asyncio.Event()
        self._room.set()
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self._refused: set[TopicPartition] = set()
        """Where the log takes nothing now."""

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions it can write to."""
        return frozenset(self._lanes)

    def done_before(self, partition: int) -> Position:
        """Return the place before which every `done` of the partition was called."""
        return self._done[partition]

    @property
    def has_room(self) -> bool:
        """Whether less than HELD_BYTES wait."""
        return self._room.is_set()

    async def room(self) -> None:
        """Return when less than HELD_BYTES wait."""
        await self._room.wait()

    def put(
        self,
        partition: int,
        what: Rows | Message,
        done: Callable[[], None] | None = None,
    ) -> None:
        """Hold readings or a record; `done` is called once it is durable."""
        size = (
            what.size() if isinstance(what, Rows) else _MESSAGE_BYTES + len(what.value)
        )
        self._held += size
        if self._held >= HELD_BYTES:
            self._room.clear()
        now = asyncio.get_running_loop().time()
        self._lanes[partition].put(_Held(what, size, done), now)

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._tasks = [
            self._group.create_task(self._carry(partition, lane))
            for partition, lane in self._lanes.items()
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: object,
    ) -> None:
        await self.settle()
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(kind, error, trace)  # type: ignore[arg-type]

    async def settle(self) -> None:
        """Return when nothing is held any more, or nothing more can be written soon."""
        if any(task.done() for task in self._tasks):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self.flush()

    async def flush(self) -> None:
        """Return when nothing is held any more."""
        for lane in self._lanes.values():
            lane.enough.set()
        for lane in self._lanes.values():
            await lane.idle.wait()

    async def _carry(self, partition: int, lane: _Lane) -> None:
        at = TopicPartition(Topic.PLANT, partition)
        while True:
            await lane.ripe()
            taken = lane.take()
            await self._append_until_durable(at, messages(taken))
            # nothing may await between here and the last `done` below
            self._held -= sum(held.size for held in taken)
            if self._held < HELD_BYTES:
                self._room.set()
            for held in taken:
                if held.done is not None:
                    held.done()
            if not lane.held:
                lane.idle.set()

    async def _append_until_durable(
        self, at: TopicPartition, records: Sequence[Message]
    ) -> None:
        pause = _RETRY_FIRST_S
        while True:
            try:
                first = await self._append(at, records)
            except Unavailable as error:
                if not self._refused:
                    _log.warning("the log takes nothing; holding readings: %s", error)
                self._refused.add(at)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_LAST_S)
            else:
                break
        after = first.offset + len(records)
        self._done[at.partition] = Position(first.epoch, after)
        if at in self._refused:
            self._refused.remove(at)
            if not self._refused:
                _log.info("the log takes readings again")


def messages(held: Sequence[_Held]) -> list[Message]:
    """Return the records of what is held: readings merged by session and origin."""
    groups: dict[tuple[str, str, Origin, int], list[Rows]] = {}
    small: list[Message] = []
    for one in held:
        if isinstance(one.what, Rows):
            groups.setdefault(one.what.key, []).append(one.what)
        else:
            small.append(one.what)
    records = [record for rows in groups.values() for record in _records(rows)]
    return records + small


def _records(rows: Sequence[Rows]) -> Iterable[Message]:
    first = rows[0]
    numbers = [part.sequence for part in rows]
    header = ReadingsHeader(
        origin=first.origin,
        server=first.server,
        session=first.session,
        sequence=(min(numbers), max(numbers)),
        configuration=first.configuration,
    )
    block = merge([part.block for part in rows])
    if len(block) <= MAX_ROWS:
        yield Message(*encode_readings(block, header))
        return
    for start in range(0, len(block), MAX_ROWS):
        part = block.take(np.arange(start, min(start + MAX_ROWS, len(block))))
        yield Message(*encode_readings(part, header))
