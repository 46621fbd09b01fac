"""Reads the log on Kafka: as a member of a group, or without one."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    OffsetAndMetadata,
)
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from shared.bus.interface import (
    Damaged,
    Fenced,
    Position,
    PositionUnknown,
    Record,
    TopicPartition,
)
from shared.bus.kafka_cluster import Cluster, connect_consumer, reaching, stop_consumer
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aiokafka import ConsumerRecord

    from shared.bus.interface import Assigned

MOST_RECORDS = 500
"""Records taken from the driver at once; what exceeds a poll's bytes waits here."""

GRACE_S = 1.0
"""A poll's answer may come this much later than its timeout."""

EPOCH_CHECK_S = 10.0


class _Fetch:
    """Places in several partitions, and records that were fetched but not delivered."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._next: dict[TopicPartition, Position] = {}
        self._last_time: dict[TopicPartition, int] = {}
        self._waiting: deque[Record | Damaged] = deque()
        self._check_at = 0.0

    @property
    def placed(self) -> frozenset[TopicPartition]:
        """Partitions that are read."""
        return frozenset(self._next)

    async def place(
        self, consumer: AIOKafkaConsumer, at: TopicPartition, position: Position
    ) -> None:
        """Read from `position` on. Raises PositionUnknown, Unavailable, Fenced."""
        await self._cluster.check(at, position)
        self.forget([at])
        partition = self._cluster.partition(at)
        try:
            consumer.seek(partition, position.offset)
            consumer.resume(partition)
        except IllegalStateError as error:
            raise Fenced(f"{at.topic}/{at.partition} is not assigned to us") from error
        self._next[at] = position

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Deliver nothing more of these partitions until they are placed again."""
        gone = frozenset(partitions)
        self._waiting = deque(each for each in self._waiting if each.at not in gone)
        for at in gone:
            self._next.pop(at, None)
            self._last_time.pop(at, None)

    async def poll(
        self, consumer: AIOKafkaConsumer, max_bytes: int, timeout_s: float
    ) -> list[Record | Damaged]:
        """Return up to `max_bytes` of what arrived; at least one record if any did."""
        if not self._waiting:
            await self._check_epochs()
            await self._fetch(consumer, timeout_s)
        taken: list[Record | Damaged] = []
        size = 0
        while self._waiting and (not taken or size < max_bytes):
            found = self._waiting.popleft()
            size += len(found.value) if isinstance(found, Record) else 0
            taken.append(found)
        return taken

    async def _fetch(self, consumer: AIOKafkaConsumer, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                fetched = await consumer.getmany(
                    timeout_ms=int(timeout_s * 1000), max_records=MOST_RECORDS
                )
        except (TimeoutError, NoOffsetForPartitionError):
            return
        except OffsetOutOfRangeError as error:
            self._lost_places(error)
        for partition, records in fetched.items():
            at = self._cluster.ours(partition)
            for record in records:
                self._waiting.extend(self._received(at, record))

    def _lost_places(self, error: OffsetOutOfRangeError) -> None:
        lost = {self._cluster.ours(each): at for each, at in error.args[0].items()}
        self.forget(lost)
        raise PositionUnknown(
            "the log no longer holds "
            + ", ".join(
                f"position {offset} of {at.topic}/{at.partition}"
                for at, offset in lost.items()
            )
        ) from error

    def _received(
        self, at: TopicPartition, record: ConsumerRecord
    ) -> Iterator[Record | Damaged]:
        expected = self._next.get(at)
        if expected is None or record.offset < expected.offset:
            return  # fetched before the place was given up
        position = Position(expected.epoch, record.offset)
        time_us = record.timestamp * 1000
        if record.offset > expected.offset:
            yield Damaged(
                at=at,
                first=expected,
                last=Position(expected.epoch, record.offset - 1),
                reason=f"offsets {expected.offset} to {record.offset - 1} are missing "
                "from the partition",
                after=self._last_time.get(at),
                before=time_us,
            )
        headers = {key: value.decode(errors="replace") for key, value in record.headers}
        self._next[at] = Position(expected.epoch, record.offset + 1)
        self._last_time[at] = time_us
        yield Record(at, position, time_us, headers, record.value or b"")

    async def _check_epochs(self) -> None:
        """Notice that a topic was deleted and made again under our feet."""
        if time.monotonic() < self._check_at:
            return
        self._check_at = time.monotonic() + EPOCH_CHECK_S
        for at, position in list(self._next.items()):
            try:
                epoch = await self._cluster.epoch(at.topic)
            except Unavailable:
                return  # getmany says so, or recovers by itself
            if epoch != position.epoch:
                self.forget([at])
                raise PositionUnknown(
                    f"{at.topic}/{at.partition}: the topic was made anew: expected "
                    f"epoch {position.epoch}, found {epoch}"
                )


class KafkaReader:
    """Reads chosen partitions on Kafka; see Reader for its contract card."""

    def __init__(
        self, cluster: Cluster, positions: Mapping[TopicPartition, Position]
    ) -> None:
        self._cluster = cluster
        self._fetch = _Fetch(cluster)
        self._positions = dict(positions)
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._consumer is not None:
            await stop_consumer(self._consumer)

    async def poll(
        self, *, max_bytes: int, timeout_s: float
    ) -> Sequence[Record | Damaged]:
        """As Reader.poll."""
        if self._consumer is None:
            self._consumer = await connect_consumer(self._cluster)
            partitions = [self._cluster.partition(at) for at in self._positions]
            self._consumer.assign(partitions)
            self._consumer.pause(*partitions)
        for at in self._positions.keys() - self._fetch.placed:
            await self._fetch.place(self._consumer, at, self._positions[at])
        try:
            return await self._fetch.poll(self._consumer, max_bytes, timeout_s)
        except KafkaError as error:
            raise Unavailable(f"Kafka, reading: {error!r}") from error


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hears which partitions aiokafka was given; they wait, paused, to be placed."""

    def __init__(self, consumer: AIOKafkaConsumer, cluster: Cluster) -> None:
        self._consumer = consumer
        self._cluster = cluster
        self.owned: frozenset[TopicPartition] = frozenset()
        self.revoked: set[TopicPartition] = set()

    def on_partitions_revoked(self, revoked: Iterable[KafkaPartition]) -> None:
        ours = {self._cluster.ours(each) for each in revoked}
        self.revoked |= ours
        self.owned -= ours

    def on_partitions_assigned(self, assigned: Iterable[KafkaPartition]) -> None:
        given = list(assigned)
        self._consumer.pause(*given)
        self.owned = frozenset(self._cluster.ours(each) for each in given)


class KafkaConsumer:
    """A static member of a group on Kafka; see Consumer for its contract card.

    A member that stops keeps its partitions until its session expires, so that a
    restart within it moves nothing. Two processes under one member name take turns
    without end: the driver does not tell the older one; names must be unique.
    """

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: Sequence[str],
        *,
        member: str,
        session_s: float,
        assigned: Assigned | None,
    ) -> None:
        self._cluster = cluster
        self._group = group
        self._topics = [cluster.name(topic) for topic in topics]
        self._member = member
        self._session_s = session_s
        self._ask = assigned
        self._fetch = _Fetch(cluster)
        self._consumer: AIOKafkaConsumer | None = None
        self._assignment: _Assignment | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._disconnect()

    def assigned(self) -> frozenset[TopicPartition]:
        """As Consumer.assigned."""
        return frozenset() if self._assignment is None else self._assignment.owned

    async def poll(
        self, *, max_bytes: int, timeout_s: float
    ) -> Sequence[Record | Damaged]:
        """As Consumer.poll."""
        consumer, assignment = await self._connected()
        self._follow(assignment)
        if assignment.owned - self._fetch.placed:
            await self._place_new(consumer, assignment)
        try:
            found = await self._fetch.poll(consumer, max_bytes, timeout_s)
        except KafkaError as error:
            if not error.retriable:
                await self._disconnect()
            raise Unavailable(
                f"Kafka, group {self._group!r}, member {self._member!r}: {error!r}"
            ) from error
        if assignment.revoked:
            self._follow(assignment)
            found = [each for each in found if each.at in self._fetch.placed]
        return found

    async def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """As Consumer.commit.

        Raises:
            Fenced: one of the partitions is not ours any more; nothing is stored.
            Unavailable: the broker is away or the group is changing; commit later.
        """
        if not positions:
            return
        lost = positions.keys() - self.assigned()
        if lost or self._consumer is None:
            raise Fenced(
                f"commit by member {self._member!r} of group {self._group!r}: expected "
                "to own "
                + ", ".join(f"{at.topic}/{at.partition}" for at in sorted(lost))
            )
        offsets = {
            self._cluster.partition(at): OffsetAndMetadata(each.offset, each.epoch)
            for at, each in positions.items()
        }
        async with reaching(f"commit of group {self._group!r}"):
            await self._consumer.commit(offsets)

    async def seek(self, at: TopicPartition, position: Position) -> None:
        """As Consumer.seek. Raises PositionUnknown, Unavailable, Fenced."""
        if self._consumer is None or at not in self.assigned():
            raise Fenced(f"seek in {at.topic}/{at.partition}: not assigned to us")
        await self._fetch.place(self._consumer, at, position)

    async def _connected(self) -> tuple[AIOKafkaConsumer, _Assignment]:
        if self._consumer is None or self._assignment is None:
            consumer = await connect_consumer(
                self._cluster,
                group_id=self._cluster.name(self._group),
                group_instance_id=self._member,
                session_timeout_ms=int(self._session_s * 1000),
                heartbeat_interval_ms=int(self._session_s * 1000 / 5),
            )
            self._assignment = _Assignment(consumer, self._cluster)
            consumer.subscribe(self._topics, listener=self._assignment)
            self._consumer = consumer
        return self._consumer, self._assignment

    async def _disconnect(self) -> None:
        consumer, self._consumer, self._assignment = self._consumer, None, None
        self._fetch.forget(self._fetch.placed)
        if consumer is not None:
            await stop_consumer(consumer)

    def _follow(self, assignment: _Assignment) -> None:
        """Forget the places of what was revoked, also when it was assigned again."""
        self._fetch.forget(assignment.revoked)
        assignment.revoked.clear()

    async def _place_new(
        self, consumer: AIOKafkaConsumer, assignment: _Assignment
    ) -> None:
        new = sorted(assignment.owned - self._fetch.placed)
        starts = {} if self._ask is None else await self._ask(new)
        for at in new:
            position = starts.get(at)
            if position is None:
                position = await self._cluster.committed(self._group, at)
            if position is None:
                position = (await self._cluster.range(at))[0]
            if at in assignment.revoked:
                return
            await self._fetch.place(consumer, at, position)
