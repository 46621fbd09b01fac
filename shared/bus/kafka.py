"""The log on Apache Kafka: topics and appends; see `kafka_fetch` for reading."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from shared.bus.interface import Position
from shared.bus.kafka_cluster import Cluster, raise_for, reaching
from shared.bus.kafka_fetch import KafkaConsumer, KafkaReader
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.bus.interface import Assigned, Message, TopicPartition
    from shared.settings import BusSettings

APPEND_TIMEOUT_S = 20.0
LARGEST_APPEND_BYTES = 16 * 1024 * 1024
"""Values and headers of one append: one Kafka batch, stored whole or not at all."""

SESSION_S = 10.0
"""A member that died is replaced after this; one that restarts faster is not."""

TOPIC_SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(LARGEST_APPEND_BYTES + 64 * 1024),
}
"""Nothing is deleted unless the plant decides so."""

_STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Delivery:
    """An append whose fate is not known yet: the driver goes on trying."""

    messages: list[Message]
    done: asyncio.Future[Any]


class KafkaBus:
    """The log on Kafka; see Bus.

    Bounded by: one append per partition at a time; others wait for their turn. When
    full (the broker is away): append raises Unavailable after `APPEND_TIMEOUT_S`.
    Order: kept within a partition. Duplicates: the idempotent producer drops its own
    repeats, and the same append repeated after Unavailable waits for the first one's
    fate; a process that dies before the acknowledgement may append again. On cancel:
    the append may be stored; the next one to the partition waits for it first.
    """

    def __init__(
        self,
        settings: BusSettings,
        *,
        topic_settings: Mapping[str, str] | None = None,
        session_s: float = SESSION_S,
        append_timeout_s: float = APPEND_TIMEOUT_S,
    ) -> None:
        self._cluster = Cluster(settings)
        self._topic_settings = TOPIC_SETTINGS | dict(topic_settings or {})
        self._session_s = session_s
        self._append_timeout_s = append_timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._turns: dict[TopicPartition, asyncio.Lock] = {}
        self._doubtful: dict[TopicPartition, _Delivery] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._drop_producer()
        await self._cluster.close()

    async def create_topic(self, topic: str, partitions: int) -> None:
        """As Bus.create_topic. Raises Unavailable."""
        name = self._cluster.name(topic)
        async with reaching(f"topic {name!r}"):
            admin = await self._cluster.admin()
            existing = (await self._cluster.describe(topic))[1]
            if existing == 0:
                new = NewTopic(name, partitions, -1, {}, self._topic_settings)
                response = await admin.create_topics([new])
                raise_for(response.topic_errors[0][1], TopicAlreadyExistsError)
            elif existing < partitions:
                more = {name: NewPartitions(total_count=partitions)}
                response = await admin.create_partitions(more)
                raise_for(response.topic_errors[0][1])
            # brokers hear of it a moment later and tell nobody
            while (await self._cluster.describe(topic))[1] < partitions:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def partitions(self, topic: str) -> int:
        """As Bus.partitions. Raises Unavailable."""
        async with reaching(f"topic {self._cluster.name(topic)!r}"):
            return (await self._cluster.describe(topic))[1]

    async def append(self, at: TopicPartition, messages: Sequence[Message]) -> Position:
        """As Bus.append.

        Raises:
            ValueError: the messages are larger than `LARGEST_APPEND_BYTES`.
        """
        size = sum(_size(message) for message in messages)
        if size > LARGEST_APPEND_BYTES:
            raise ValueError(
                f"append to {at.topic}/{at.partition}: {size} bytes, expected at most "
                f"{LARGEST_APPEND_BYTES}"
            )
        if not messages:
            return await self.head(at)
        async with self._turns.setdefault(at, asyncio.Lock()):
            epoch = await self._cluster.epoch(at.topic)
            return Position(epoch, await self._deliver(at, list(messages)))

    async def head(self, at: TopicPartition) -> Position:
        """As Bus.head. Raises Unavailable."""
        return (await self._cluster.range(at))[1]

    async def start(self, at: TopicPartition) -> Position:
        """As Bus.start. Raises Unavailable."""
        return (await self._cluster.range(at))[0]

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        member: str,
        assigned: Assigned | None = None,
    ) -> KafkaConsumer:
        """As Bus.consumer; `member` is of letters, digits, '.', '_' and '-'."""
        return KafkaConsumer(
            self._cluster,
            group,
            topics,
            member=member,
            session_s=self._session_s,
            assigned=assigned,
        )

    def reader(self, positions: Mapping[TopicPartition, Position]) -> KafkaReader:
        """As Bus.reader."""
        return KafkaReader(self._cluster, positions)

    async def _deliver(self, at: TopicPartition, messages: list[Message]) -> int:
        """Return the offset of the first message, after what is still in doubt."""
        earlier = self._doubtful.get(at)
        if earlier is not None:
            offset = await self._fate(at, earlier)
            if earlier.messages == messages:
                return offset
        return await self._fate(at, await self._send(at, messages))

    async def _send(self, at: TopicPartition, messages: list[Message]) -> _Delivery:
        async with reaching(f"append to {at.topic}/{at.partition}"):
            producer = await self._connected()
            batch = producer.create_batch()
            now_ms = time.time_ns() // 1_000_000
            for message in messages:
                headers = [
                    (key, text.encode()) for key, text in message.headers.items()
                ]
                batch.append(
                    timestamp=now_ms, key=None, value=message.value, headers=headers
                )
            batch.close()
            delivery = _Delivery(
                messages,
                await producer.send_batch(
                    batch, self._cluster.name(at.topic), partition=at.partition
                ),
            )
        self._doubtful[at] = delivery
        return delivery

    async def _fate(self, at: TopicPartition, delivery: _Delivery) -> int:
        """Wait for the acknowledgement; return the first offset."""
        done, _ = await asyncio.wait([delivery.done], timeout=self._append_timeout_s)
        if not done:
            raise Unavailable(
                f"Kafka, append to {at.topic}/{at.partition}: not acknowledged within "
                f"{self._append_timeout_s:.0f} s; still trying"
            )
        self._doubtful.pop(at, None)
        try:
            return int(delivery.done.result().offset)
        except KafkaError as error:
            await self._drop_producer()
            raise Unavailable(
                f"Kafka, append to {at.topic}/{at.partition}: {error!r}"
            ) from error

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._cluster.options,
                    enable_idempotence=True,
                    acks="all",
                    compression_type="zstd",
                    max_batch_size=LARGEST_APPEND_BYTES * 2,
                    max_request_size=LARGEST_APPEND_BYTES * 2,
                )
                try:
                    await producer.start()
                    self._producer = producer
                finally:
                    if self._producer is None:
                        await producer.stop()
            return self._producer

    async def _drop_producer(self) -> None:
        """Give up the producer and what it still tries; its appends stay in doubt."""
        producer, self._producer = self._producer, None
        self._doubtful.clear()
        if producer is None:
            return
        # stop() alone waits for the broker, for ever if need be
        producer._message_accumulator.fail_all(KafkaError("closed"))  # noqa: SLF001
        await producer.stop()


def _size(message: Message) -> int:
    headers = sum(len(key) + len(text) for key, text in message.headers.items())
    return headers + len(message.value) + 64
