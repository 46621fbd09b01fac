"""From the log to the database: polls, prepares, stores, and waits for neighbours."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.ingest.archive.contents import (
    Known,
    Prepared,
    from_reached,
    prepare,
    servers_of,
)
from services.ingest.archive.entries import (
    Entry,
    Unreadable,
    not_stored,
    portions,
    read,
)
from services.ingest.archive.telling import Pace, asked
from shared.bus import (
    Damaged,
    Fenced,
    Position,
    PositionUnknown,
    Record,
    TopicPartition,
)
from shared.domain import Gap, GapCause, Topic, Unavailable
from shared.patience import Patience
from shared.readings import empty
from shared.store.acceptance import EARLIEST_US
from shared.store.configuration import KnownPlant
from shared.store.latest import Newest
from shared.store.transaction import (
    AlreadyStored,
    Content,
    ContentRefused,
    Outcome,
    Quarantined,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.ingest.archive.settings import ArchiverSettings
    from shared.bus import Bus, Consumer
    from shared.store.archive import Archive
    from shared.store.batches import Context

_log = logging.getLogger(__name__)

GROUP = "archiver"
TOPICS = (Topic.PLANT, Topic.BACKFILL, Topic.EVENTS)
STAGED_BLOCKS = 100
"""Blocks that go through staging after one met readings that were stored already."""
IDLE_POLL_S = 1.0
COMMIT_S = 3.0
"""How often the group's positions are committed; they only show the lag."""


@dataclass(slots=True)
class Counters:
    """What was done since the start."""

    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    transactions: int = 0

    def add(self, content: Content, outcome: Outcome) -> None:
        """Count one transaction."""
        self.stored += outcome.stored
        self.duplicates += outcome.duplicates
        self.quarantined += content.refused.total
        self.transactions += 1


@dataclass(slots=True)
class _Partition:
    """What is known of an assigned partition."""

    expected: Position | None
    """Where the database has it; None when it does not know it."""
    start: Position
    """What lies before is stored already."""
    staged: int = 0
    """Blocks that still go through staging."""


_Arrival = tuple[_Partition, "Record | Damaged"]
"""What came, and the partition's state when it came: another assignment in between
makes it void."""


@dataclass(slots=True)
class Archiver:
    """One member of the group that stores what is on the log.

    Bounded by: `fetch_bytes` of records. When full: it does not poll; the log keeps
    them. Order: kept within a partition; partitions are stored side by side.
    Duplicates: none are stored. On cancel: the transaction under way is rolled back.
    While the log or the database is away it waits and tries again, for ever.
    """

    bus: Bus
    archive: Archive
    settings: ArchiverSettings
    counters: Counters = field(default_factory=Counters)
    newest: Newest = field(default_factory=Newest)
    _plant: KnownPlant = field(default_factory=KnownPlant)
    _contexts: dict[str, Context] = field(default_factory=dict)
    _partitions: dict[TopicPartition, _Partition] = field(default_factory=dict)
    _committed_at: float = 0.0
    _pace: Pace = field(default_factory=Pace)

    async def run(self) -> None:
        """Store what comes until cancelled.

        Raises:
            Fenced: another archiver took over a partition.
        """
        await self._patience("plant").until_done(self._load)
        patience = self._patience("group")
        while True:
            consumer = self.bus.consumer(
                GROUP,
                TOPICS,
                member=self.settings.member,
                assigned=self._assigned,
            )
            try:
                async with consumer:
                    patience.succeeded()
                    await self._consume(consumer)
            except Unavailable as error:
                await patience.wait(error)

    def _patience(self, what: str) -> Patience:
        return Patience(what, self.settings.timeouts.retry.total_seconds())

    async def _load(self) -> None:
        self._plant = await self.archive.plant()
        self._contexts = await self.archive.contexts(self._plant.context)

    async def _consume(self, consumer: Consumer) -> None:
        patience = self._patience("log")
        while True:
            arrived: list[_Arrival] = []
            failure: PositionUnknown | Unavailable | None = None
            try:
                await self._collect(consumer, arrived)
            except (PositionUnknown, Unavailable) as error:
                failure = error
            await self._archive(arrived)
            if isinstance(failure, PositionUnknown):
                _log.warning("log: %s; starting from what it has", failure)
                await self._start_again(consumer)
            elif failure is not None:
                await patience.wait(failure)
            else:
                patience.succeeded()
                await self._commit_now_and_then(consumer)

    async def _collect(self, consumer: Consumer, arrived: list[_Arrival]) -> None:
        """Add what comes within `merge_wait` of the first record, within bounds.

        What was added before an error stays: the log does not give it again.
        """
        held, end = 0, None
        while held < self.settings.fetch_bytes:
            left = IDLE_POLL_S if end is None else end - time.monotonic()
            if left <= 0:
                return
            room = self.settings.fetch_bytes - held
            items = await consumer.poll(max_bytes=room, timeout_s=left)
            arrived += [(self._partitions[item.at], item) for item in items]
            held += sum(_size(item) for item in items)
            if end is None:
                if not items:
                    return
                end = time.monotonic() + self.settings.merge_wait.total_seconds()

    async def _commit_now_and_then(self, consumer: Consumer) -> None:
        if time.monotonic() - self._committed_at < COMMIT_S:
            return
        self._committed_at = time.monotonic()
        owned = consumer.assigned()
        places = {at: p.start for at, p in self._partitions.items() if at in owned}
        with contextlib.suppress(Unavailable):  # polling says that the log is away
            await consumer.commit(places)

    async def _archive(self, arrived: Sequence[_Arrival]) -> None:
        by_partition: dict[TopicPartition, list[Entry]] = {}
        for state, item in arrived:
            if state is self._partitions[item.at]:  # else it comes again
                by_partition.setdefault(item.at, []).append(read(item))
        async with asyncio.TaskGroup() as tasks:
            for at, entries in by_partition.items():
                tasks.create_task(self._archive_partition(at, entries))

    async def _archive_partition(
        self, at: TopicPartition, entries: Sequence[Entry]
    ) -> None:
        state = self._partitions[at]
        new = not_stored(entries, state.start)
        for portion in portions(new, self.settings.merge_rows):
            await self._store_portion(state, portion)

    async def _store_portion(self, state: _Partition, portion: Sequence[Entry]) -> None:
        known = await self._known(state, portion)
        prepared = prepare(portion, known)
        await self._send_letters(prepared)
        await self._ask(prepared.content)
        try:
            outcome = await self._store(state, prepared.content)
        except ContentRefused as error:
            for part in smaller(portion, error):
                await self._store_portion(state, part)
            return
        self._note(state, prepared, outcome)
        if prepared.content.configuration is not None:
            await self._patience("plant").until_done(self._load)

    async def _known(self, state: _Partition, portion: Sequence[Entry]) -> Known:
        known = Known(self._plant, self._contexts, state.expected, _now(), EARLIEST_US)
        if not portion[0].tells_damage:
            return known
        at, patience = portion[0].source.at, self._patience("database")
        stored = await patience.until_done(lambda: self.archive.last_stored(at))
        reached = await patience.until_done(lambda: self.archive.reached(at.partition))
        return replace(known, last_stored=stored or EARLIEST_US, reached=reached)

    async def _send_letters(self, prepared: Prepared) -> None:
        if prepared.letters:
            to = TopicPartition(Topic.DEAD_LETTER, 0)
            await self._patience("dead-letter").until_done(
                lambda: self.bus.append(to, prepared.letters)
            )

    async def _ask(self, content: Content) -> None:
        """Have servers asked for what is missing; again where this is stored again."""
        gaps = asked(content)
        if gaps:
            to = TopicPartition(Topic.BACKFILL, content.at.partition)
            await self._patience("backfill").until_done(
                lambda: self.bus.append(to, gaps)
            )

    async def _store(self, state: _Partition, content: Content) -> Outcome:
        """Store, through staging where needed, until it is known to be done."""
        patience, unsure = self._patience("database"), False
        while True:
            staging = content.may_repeat or state.staged > 0
            began = time.monotonic()
            try:
                outcome = await self.archive.store(content, through_staging=staging)
            except AlreadyStored:
                state.staged = STAGED_BLOCKS
            except Unavailable as error:
                unsure = True
                await patience.wait(error)
            except Fenced:
                if not unsure or not await self._is_stored(content):
                    raise
                patience.succeeded()
                return Outcome(len(content.block), content.repeated.total, None)
            else:
                patience.succeeded()
                state.staged = max(0, state.staged - 1)
                self._pace.stored(len(content.block), time.monotonic() - began)
                await self._pace.tell(self.bus, content)
                return outcome

    async def _is_stored(self, content: Content) -> bool:
        """Whether the transaction whose answer was lost was committed after all."""
        found = await self._patience("database").until_done(
            lambda: self.archive.positions([content.at])
        )
        return found.get(content.at) == content.next

    def _note(self, state: _Partition, prepared: Prepared, outcome: Outcome) -> None:
        content = prepared.content
        state.expected = state.start = content.next
        self._contexts.update(prepared.contexts)
        self.newest.add(content.block)
        self.counters.add(content, outcome)

    async def lag(self) -> dict[TopicPartition, int]:
        """Return how many records of each partition are not stored yet."""
        return {
            at: (await self.bus.head(at)).offset - state.start.offset
            for at, state in self._partitions.items()
        }

    async def _assigned(
        self, ats: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, Position | None]:
        """Return where the database says each partition goes on."""
        stored = await self._patience("database").until_done(
            lambda: self.archive.positions(ats)
        )
        for at in ats:
            self._partitions[at] = await self._place(at, stored.get(at))
        return {at: self._partitions[at].start for at in ats}

    async def _place(self, at: TopicPartition, stored: Position | None) -> _Partition:
        """Return where to start; a place the log does not have is a declared loss."""
        patience = self._patience("log")
        start = await patience.until_done(lambda: self.bus.start(at))
        head = await patience.until_done(lambda: self.bus.head(at))
        if stored is None:
            return _Partition(None, start)
        if stored.epoch == start.epoch and start.offset <= stored.offset <= head.offset:
            return _Partition(stored, stored)
        reason = f"the log has {start} to {head}, the database is at {stored}"
        _log.warning("%s-%d: %s; declaring a gap", at.topic, at.partition, reason)
        state = _Partition(stored, start, staged=STAGED_BLOCKS)
        lost = await self._lost(at, stored, start, reason)
        await self._ask(lost)
        await self._store(state, lost)
        return _Partition(start, start, staged=STAGED_BLOCKS)

    async def _lost(
        self, at: TopicPartition, stored: Position, start: Position, reason: str
    ) -> Content:
        if at.topic == Topic.EVENTS:  # that holds no readings
            unknown = Quarantined(stored.offset, f"events may be lost: {reason}")
            return Content(at, stored, stored, start, empty(), quarantined=(unknown,))
        patience = self._patience("database")
        since = await patience.until_done(lambda: self.archive.last_stored(at))
        reached = await patience.until_done(lambda: self.archive.reached(at.partition))
        now = _now()
        gaps = [
            gap
            for server in servers_of(at, self._plant)
            for gap in from_reached(
                Gap(server, GapCause.LOG_DAMAGED, since or now, now, detail=reason),
                reached,
            )
        ]
        return Content(at, stored, stored, start, empty(), gaps=tuple(gaps))

    async def _start_again(self, consumer: Consumer) -> None:
        places = await self._assigned(sorted(consumer.assigned()))
        for at, position in places.items():
            if position is not None:
                await consumer.seek(at, position)


def smaller(portion: Sequence[Entry], error: ContentRefused) -> list[Sequence[Entry]]:
    """Return halves of what the database refused, or one record as a dead letter.

    A gap is never given up: without its tags it says more than was lost, never less.
    """
    if len(portion) > 1:
        half = len(portion) // 2
        return [portion[:half], portion[half:]]
    (entry,) = portion
    if isinstance(entry.meaning, Unreadable):
        raise error
    if isinstance(entry.meaning, Gap) and entry.meaning.tags is not None:
        wider = replace(entry.meaning, tags=None, count=None)
        return [[Entry(entry.source, wider)]]
    return [[Entry(portion[0].source, Unreadable(str(error)))]]


def _size(item: Record | Damaged) -> int:
    return len(item.value) if isinstance(item, Record) else len(item.raw)


def _now() -> int:
    return time.time_ns() // 1_000
