"""Questions to a Kafka cluster: which topics there are, since when, and how far.

Connections are made when they are first needed, so that a service starts while the
broker is away and hears `Unavailable` instead of dying.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code

from shared.bus.interface import Position, PositionUnknown, TopicPartition
from shared.bus.topic_ids import TopicIdsRequest, topic_id
from shared.domain import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from shared.settings import BusSettings

REQUEST_TIMEOUT_S = 10.0
EPOCH_LIFE_S = 5.0
"""How long a topic's id is believed: after that it is asked for again."""

_UNKNOWN_TOPIC = 3


def connection_options(settings: BusSettings) -> dict[str, Any]:
    """Return what every aiokafka client is given: servers, TLS and SASL."""
    context = None
    if settings.tls:
        cafile = None if settings.ca_file is None else str(settings.ca_file)
        context = ssl.create_default_context(cafile=cafile)
    options: dict[str, Any] = {
        "bootstrap_servers": settings.url.removeprefix("kafka://").split(","),
        "request_timeout_ms": int(REQUEST_TIMEOUT_S * 1000),
        "retry_backoff_ms": 200,
        "metadata_max_age_ms": 10_000,
        "ssl_context": context,
        "security_protocol": "SSL" if settings.tls else "PLAINTEXT",
    }
    if settings.username is not None:
        secret = settings.password
        options |= {
            "security_protocol": "SASL_SSL" if settings.tls else "SASL_PLAINTEXT",
            "sasl_mechanism": settings.mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": secret.get_secret_value() if secret else "",
        }
    return options


@asynccontextmanager
async def reaching(
    what: str, timeout_s: float = REQUEST_TIMEOUT_S
) -> AsyncIterator[None]:
    """Turn every failure to reach Kafka, and a time-out, into Unavailable."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka, {what}: {error!r}") from error


class Cluster:
    """One bus's view of the cluster; names outside are ours, inside have the prefix."""

    def __init__(self, settings: BusSettings) -> None:
        self.options = connection_options(settings)
        self._prefix = settings.prefix
        self._admin: AIOKafkaAdminClient | None = None
        self._client: AIOKafkaClient | None = None
        self._asker: AIOKafkaConsumer | None = None
        self._connecting = asyncio.Lock()
        self._epochs: dict[str, tuple[float, str]] = {}

    def name(self, ours: str) -> str:
        """Return what a topic or group of ours is called on the cluster."""
        return self._prefix + ours

    def partition(self, at: TopicPartition) -> KafkaPartition:
        """Return aiokafka's name of a partition."""
        return KafkaPartition(self.name(at.topic), at.partition)

    def ours(self, partition: KafkaPartition) -> TopicPartition:
        """Return our name of a partition."""
        return TopicPartition(
            partition.topic.removeprefix(self._prefix), partition.partition
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._admin is not None:
            await self._admin.close()
        if self._client is not None:
            await self._client.close()
        if self._asker is not None:
            await self._asker.stop()

    async def admin(self) -> AIOKafkaAdminClient:
        """Return the connected administration client. Raises KafkaError."""
        async with self._connecting:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**self.options)
                await _start(admin.start, admin.close)
                self._admin = admin
        return self._admin

    async def describe(self, topic: str) -> tuple[str, int]:
        """Return a topic's id and number of partitions; ("", 0) when it is unknown.

        Raises:
            KafkaError: it cannot be asked now.
        """
        client = await self._connected_client()
        request = TopicIdsRequest(self.name(topic))
        response = await client.send(client.get_random_node(), request)
        error, identity, partitions = topic_id(response)
        if error == _UNKNOWN_TOPIC:
            return "", 0
        if error and not partitions:
            raise for_code(error)
        self._epochs[topic] = (time.monotonic(), identity)
        return identity, partitions

    async def epoch(self, topic: str) -> str:
        """Return the id that the topic got when it was made.

        Raises:
            Unavailable: the topic does not exist, or cannot be asked for now.
        """
        asked, identity = self._epochs.get(topic, (float("-inf"), ""))
        if time.monotonic() - asked > EPOCH_LIFE_S:
            async with reaching(f"topic {self.name(topic)!r}"):
                identity, _ = await self.describe(topic)
        if not identity:
            raise Unavailable(
                f"Kafka, topic {self.name(topic)!r} does not exist: create it first"
            )
        return identity

    async def range(self, at: TopicPartition) -> tuple[Position, Position]:
        """Return the oldest position kept and the next one. Raises Unavailable."""
        epoch = await self.epoch(at.topic)
        partition = self.partition(at)
        async with reaching(f"positions of {partition}"):
            asker = await self._connected_asker()
            first = await asker.beginning_offsets([partition])
            last = await asker.end_offsets([partition])
        return Position(epoch, first[partition]), Position(epoch, last[partition])

    async def check(self, at: TopicPartition, position: Position) -> None:
        """Raise PositionUnknown unless reading can start at `position`."""
        start, head = await self.range(at)
        within = start.offset <= position.offset <= head.offset
        if position.epoch != head.epoch or not within:
            raise PositionUnknown(
                f"{at.topic}/{at.partition}: position {position.offset} of epoch "
                f"{position.epoch}: expected {start.offset} to {head.offset} of epoch "
                f"{head.epoch}"
            )

    async def committed(self, group: str, at: TopicPartition) -> Position | None:
        """Return the group's stored position; None when it has none.

        The epoch travels in the commit's metadata. Raises Unavailable.
        """
        partition = self.partition(at)
        async with reaching(f"positions of group {self.name(group)!r}"):
            admin = await self.admin()
            stored = await admin.list_consumer_group_offsets(
                self.name(group), partitions=[partition]
            )
        found = stored.get(partition)
        if found is None or found.offset < 0:
            return None
        return Position(found.metadata, found.offset)

    async def _connected_client(self) -> AIOKafkaClient:
        async with self._connecting:
            if self._client is None:
                client = AIOKafkaClient(**self.options)
                await _start(client.bootstrap, client.close)
                self._client = client
        return self._client

    async def _connected_asker(self) -> AIOKafkaConsumer:
        async with self._connecting:
            if self._asker is None:
                asker = AIOKafkaConsumer(**self.options)
                await _start(asker.start, asker.stop)
                self._asker = asker
        return self._asker


async def _start(
    start: Callable[[], Awaitable[None]], close: Callable[[], Awaitable[None]]
) -> None:
    """Start a client, and close it again when that fails or is cancelled."""
    started = False
    try:
        await start()
        started = True
    finally:
        if not started:
            await close()


def raise_for(code: int, *harmless: type[Exception]) -> None:
    """Raise the KafkaError of a response's error code unless it is harmless."""
    error = for_code(code)
    if code and error not in harmless:
        raise error


async def connect_consumer(
    cluster: Cluster, topics: Sequence[str] = (), **options: object
) -> AIOKafkaConsumer:
    """Return a started consumer that never resets a position by itself.

    Raises:
        Unavailable: the cluster cannot be reached now.
    """
    consumer = AIOKafkaConsumer(
        *topics,
        **cluster.options,
        auto_offset_reset="none",
        enable_auto_commit=False,
        fetch_max_bytes=8 * 1024 * 1024,
        max_partition_fetch_bytes=1024 * 1024,
        **options,
    )
    async with reaching("consumer"):
        await _start(consumer.start, consumer.stop)
    return consumer


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, also while its fetches wait for a broker that is away.

    aiokafka 0.14 cancels a fetch that backs off, awaits it, and lets its cancellation
    out as if the caller were cancelled, with the connections left open.
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        await consumer._client.close()  # noqa: SLF001  nothing public closes it now
