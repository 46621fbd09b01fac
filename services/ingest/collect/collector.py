"""The whole collector: one task per server, one writer, one beat, one configuration."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from services.ingest.backfill.backfill import Backfill
from services.ingest.collect.beat import Beat
from services.ingest.collect.intake import Intake
from services.ingest.collect.ledger import Ledger
from services.ingest.collect.losses import Losses
from services.ingest.collect.memory import MemoryFile, ServerMemory, recall
from services.ingest.collect.plan import Layout, Plan, plans
from services.ingest.collect.recount import read_uncounted
from services.ingest.collect.recovery import read_tail
from services.ingest.collect.server import Collection
from services.ingest.collect.writer import Writer
from services.ingest.last_readings import LastReadings
from services.ingest.opcua.security import own_identity
from services.ingest.opcua.session import Session
from shared.bus import Message, TopicPartition
from shared.domain import FedbatchError, Gap, SubscriptionState, Topic, Unavailable
from shared.plant import parse_plant
from shared.wire import encode_gap, encode_subscriptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from services.ingest.collect.recount import Uncounted
    from services.ingest.collect.recovery import Tail
    from services.ingest.collect.settings import CollectorSettings
    from services.ingest.opcua.security import Identity
    from shared.bus import Bus, Position
    from shared.wire import ConfigurationRecord

_log = logging.getLogger(__name__)

_STATES_PER_RECORD = 1000


class PartitionUnknown(FedbatchError):  # noqa: N818
    """A vessel is placed on a partition that the log does not have."""


class Collector:
    """Owns the servers' tasks and follows the configuration.

    Invariant: `_collections` holds exactly the servers of the configuration that
    holds; each has one task in `_group`.
    """

    def __init__(  # noqa: PLR0913  composed in one place
        self,
        settings: CollectorSettings,
        writer: Writer,
        *,
        last: LastReadings,
        group: asyncio.TaskGroup,
        dead_letter: Callable[[dict[str, str], bytes], None],
        tail: Tail,
        uncounted: Uncounted,
        backfill: Backfill,
    ) -> None:
        self._settings = settings
        self._backfill = backfill
        self._writer = writer
        self._last = last
        self._group = group
        self._dead_letter = dead_letter
        self._tail = tail
        self._uncounted = uncounted
        self._identity: Identity = own_identity(settings.spool / "certificates")
        self._memories = recall(settings.spool)
        self._collections: dict[str, Collection] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.beat = Beat(
            writer,
            self._collections,
            ledgers=self._ledgers,
            memories=self._memories,
            file=MemoryFile(settings.spool),
        )

    def switch(self, record: ConfigurationRecord) -> None:
        """Collect what `record` says from now on; what stays the same is not touched.

        Raises:
            PartitionUnknown: nothing was changed.
            PlantInvalid: nothing was changed.
        """
        wanted = plans(parse_plant(record.text), record.version)
        for plan in wanted.values():
            beyond = set(plan.partitions) - self._writer.partitions
            if beyond:
                raise PartitionUnknown(
                    f"server {plan.server.name}: partition {sorted(beyond)[0]} of "
                    f"`plant`: expected one of {sorted(self._writer.partitions)}"
                )
        for name in [*self._collections]:
            after = wanted.get(name)
            before = self._collections[name].plan
            if after is None or not before.same_connection(after):
                self._tasks.pop(name).cancel()
                self._backfill.stop(name)
                self.beat.remember()
                del self._collections[name]
        for name, plan in wanted.items():
            if name in self._collections:
                self._collections[name].want(plan)
            else:
                self._start(plan)
        _log.info("configuration %d: %d servers", record.version, len(wanted))

    def _start(self, plan: Plan) -> None:
        name = plan.server.name
        memory = self._memories.setdefault(name, ServerMemory())
        ledger = self._ledgers.setdefault(name, Ledger())
        layout = Layout()
        losses = Losses(name, layout, memory, lambda gap: self._declare(plan, gap))
        intake = Intake(
            layout,
            self._writer,
            last=self._last,
            ledger=ledger,
            losses=losses,
            dead_letter=self._dead_letter,
        )
        collection = Collection(
            plan,
            self._session(plan),
            writer=self._writer,
            intake=intake,
            losses=losses,
            memory=memory,
            show=self._show,
            dead_letter=self._dead_letter,
            tail=self._tail.pop(name, ()),
            keep_alive_s=self._settings.keep_alive.total_seconds(),
        )
        intake.recount(self._uncounted.pop(name, ()))
        self._collections[name] = collection
        self._tasks[name] = self._group.create_task(collection.run(), name=name)
        self._backfill.start(name, lambda: collection.plan, self._session(plan))

    def _session(self, plan: Plan) -> Session:
        return Session(
            plan.server,
            folder=self._settings.spool / "certificates",
            identity=self._identity,
            password=self._settings.password(plan.server.name),
            timeout_s=self._settings.timeouts.neighbour.total_seconds(),
        )

    def _declare(self, plan: Plan, gap: Gap) -> None:
        collection = self._collections.get(gap.server)
        plan = plan if collection is None else collection.plan
        self._backfill.want(gap)
        message = Message(*encode_gap(gap))
        partitions = plan.partitions
        if gap.tags is not None:
            known = {plan.partition[t] for t in gap.tags if t in plan.partition}
            partitions = tuple(sorted(known)) or partitions
        for partition in partitions:
            self._writer.put(partition, message)
        until = "open" if gap.end is None else f"{gap.end} us"
        _log.info("gap %s %s: %d us to %s", gap.server, gap.cause, gap.start, until)

    def _show(self, plan: Plan, states: Sequence[SubscriptionState]) -> None:
        of: dict[int, list[SubscriptionState]] = {}
        for state in states:
            partition = plan.partition.get(state.tag, plan.partitions[0])
            of.setdefault(partition, []).append(state)
        for partition, mine in of.items():
            for start in range(0, len(mine), _STATES_PER_RECORD):
                part = mine[start : start + _STATES_PER_RECORD]
                message = encode_subscriptions(plan.server.name, part)
                self._writer.put(partition, Message(*message))


async def collect(
    settings: CollectorSettings,
    *,
    plant: Bus,
    backfill: Bus,
    append: Callable[[TopicPartition, Sequence[Message]], Awaitable[Position]],
    first: ConfigurationRecord,
    configurations: Callable[[int], Awaitable[ConfigurationRecord]],
) -> None:
    """Collect until cancelled.

    Args:
        settings: of the collector; its folder exists.
        plant: the log that `append` writes to first: what it holds already is read.
        backfill: the log with topic `backfill`.
        append: makes records of `plant` durable.
        first: the configuration to begin with.
        configurations: returns the next configuration after a version.
    """
    partitions = range(await plant.partitions(Topic.PLANT))
    last = LastReadings()
    tail = await read_tail(plant, partitions, last)
    heads = {p: await plant.head(TopicPartition(Topic.PLANT, p)) for p in partitions}
    uncounted = await read_uncounted(plant, partitions)
    async with Writer(append, heads) as writer:
        group = asyncio.TaskGroup()
        letters = _DeadLetters(plant, group)
        filling = Backfill(
            settings.spool,
            backfill,
            group,
            writer.room,
            rows_per_s=settings.backfill_rows_per_s,
        )
        collector = Collector(
            settings,
            writer,
            last=last,
            group=group,
            dead_letter=letters.put,
            tail=tail,
            uncounted=uncounted,
            backfill=filling,
        )
        try:
            async with group:
                group.create_task(collector.beat.run())
                group.create_task(filling.hear())
                await _follow(collector, first, configurations)
        finally:
            await writer.settle()
            collector.beat.write_ledgers()


async def _follow(
    collector: Collector,
    first: ConfigurationRecord,
    configurations: Callable[[int], Awaitable[ConfigurationRecord]],
) -> None:
    """Switch to each configuration, for ever; one that is not possible is said."""
    collector.switch(first)
    record = first
    while True:
        record = await configurations(record.version)
        try:
            collector.switch(record)
        except FedbatchError as error:
            _log.error("configuration %d is not taken: %s", record.version, error)


class _DeadLetters:
    """Keeps what was not understood.

    Bounded by: MOST on their way. When full: the oldest stay, the new are counted by
    the ledger only. Order: none. Duplicates: none. On cancel: what is on its way.
    """

    MOST = 16

    def __init__(self, bus: Bus, group: asyncio.TaskGroup) -> None:
        self._bus = bus
        self._group = group
        self._on_their_way = 0

    def put(self, headers: dict[str, str], value: bytes) -> None:
        """Append a letter, as soon as it can be."""
        if self._on_their_way < self.MOST:
            self._on_their_way += 1
            self._group.create_task(self._append(Message(headers, value)))

    async def _append(self, letter: Message) -> None:
        try:
            await self._bus.append(TopicPartition(Topic.DEAD_LETTER, 0), [letter])
        except Unavailable as error:
            _log.warning("a dead letter was not kept: %s", error)
        finally:
            self._on_their_way -= 1
