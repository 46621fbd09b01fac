"""Runs a collector in this process and reads what it put on the log."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from services.ingest.collect.collector import collect
from services.ingest.collect.configurations import Configurations
from services.ingest.collect.settings import CollectorSettings
from services.ingest.opcua.subscription import utc_now
from shared.bus import Record, TopicPartition
from shared.bus.local import LocalBus
from shared.configuration import apply_configuration, create_topics
from shared.domain import Actual, Gap, GapCause, Kind, SubscriptionState, Topic
from shared.plant import Heartbeat, Plant, Security, Server, Tag, Vessel, render_plant
from shared.settings import BusSettings
from shared.wire import (
    decode_gap,
    decode_ledger,
    decode_readings,
    decode_subscriptions,
)
from tests.neighbours.instrument import URI

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from shared.bus import Message, Position
    from shared.readings import Block
    from shared.wire import ReadingsHeader

PARTITIONS = 2
HEARTBEAT = 9000


def plant_of(
    url: str,
    count: int,
    *,
    name: str = "A",
    simulated: bool = False,
    interval_ms: int = 200,
    security: Security | None = None,
    queue: int = 100,
) -> Plant:
    """Return a plant with tags 1..count on two vessels of two partitions."""
    server = Server(
        name=name,
        url=url,
        simulated=simulated,
        security=security or Security(),
        heartbeat=Heartbeat(id=HEARTBEAT),
        publishing_interval_ms=interval_ms,
        sampling_interval_ms=50,
        queue_size=queue,
    )
    tags = [Tag(id=i + 1, name=f"T{i}", node=f"nsu={URI};s=T{i}") for i in range(count)]
    half = (count + 1) // 2
    vessels = [
        Vessel(name="V0", server=name, partition=0, tags=tuple(tags[:half])),
        Vessel(name="V1", server=name, partition=1, tags=tuple(tags[half:])),
    ]
    return Plant(site="test", servers=(server,), vessels=tuple(vessels))


@dataclass(frozen=True)
class Seen:
    """One reading as it is on the log."""

    tag: int
    time: int
    value: float
    status: int
    tie: int
    text: str | None
    origin: str
    partition: int


class Collected:
    """A local log, a collector's folder, and what the collector wrote."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self._settings = settings
        self.bus = LocalBus(folder / "log")
        self._task: asyncio.Task[None] | None = None
        self._positions: dict[int, Position] = {}
        self.headers: list[ReadingsHeader] = []
        self.readings: list[Seen] = []
        self.gaps: list[Gap] = []
        self.states: dict[int, SubscriptionState] = {}
        self.kinds: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.append: Callable[[TopicPartition, Sequence[Message]], Awaitable[Any]]
        self.append = self.bus.append

    @property
    def settings(self) -> CollectorSettings:
        url = f"local:{self.folder / 'log'}"
        return CollectorSettings(
            bus=BusSettings(url=url), spool=self.folder / "spool", **self._settings
        )

    async def __aenter__(self) -> Self:
        await self.bus.__aenter__()
        await create_topics(self.bus, PARTITIONS)
        self.settings.spool.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()
        await self.bus.__aexit__(*exc)

    async def apply(self, plant: Plant) -> None:
        """Publish a configuration."""
        text = render_plant(plant)
        await apply_configuration(
            self.bus, text, source="plant.yaml", actor="test", now=utc_now()
        )

    async def start(self) -> None:
        """Start the collector."""
        settings = self.settings
        configurations = Configurations(
            self.bus,
            settings.spool / "configuration.json",
            partitions=PARTITIONS,
        )
        first = await configurations.first()
        self._task = asyncio.create_task(
            collect(
                settings,
                plant=self.bus,
                backfill=self.bus,
                append=self.append,
                first=first,
                configurations=configurations.after,
            )
        )

    async def stop(self) -> None:
        """Stop the collector, if it runs; raise what it died of."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def read(self) -> None:
        """Take what is new on the log."""
        for partition in range(PARTITIONS):
            at = TopicPartition(Topic.PLANT, partition)
            start = self._positions.get(partition) or await self.bus.start(at)
            head = await self.bus.head(at)
            async with self.bus.reader({at: start}) as reader:
                offset = start.offset
                while offset < head.offset:
                    for item in await reader.poll(max_bytes=1 << 22, timeout_s=1):
                        assert isinstance(item, Record), item
                        self._take(item, partition)
                        offset = item.position.offset + 1
            self._positions[partition] = type(head)(head.epoch, offset)

    def _take(self, record: Record, partition: int) -> None:
        kind = record.headers["kind"]
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == Kind.READINGS:
            header, block = decode_readings(record.headers, record.value)
            self.headers.append(header)
            self.readings += rows(block, header.origin.value, partition)
        elif kind == Kind.GAP:
            self.gaps.append(decode_gap(record.value))
        elif kind == Kind.LEDGER:
            for part in decode_ledger(record.value):
                self.counts[part.hop] += sum(part.counts)
        elif kind == Kind.SUBSCRIPTIONS:
            _, states = decode_subscriptions(record.value)
            self.states |= {state.tag: state for state in states}

    async def until(self, holds: Callable[[], bool], *, within_s: float = 30) -> None:
        """Read the log until `holds`; the collector must live."""
        async with asyncio.timeout(within_s):
            while True:
                await self.read()
                if holds():
                    return
                assert self._task is None or not self._task.done(), self._task
                await asyncio.sleep(0.05)

    def process(self) -> list[Seen]:
        """Return the readings of tags, without heartbeats and without values."""
        return [
            r for r in self.readings if r.tag != HEARTBEAT and r.status != 0x80320000
        ]

    def whole_gaps(self) -> list[Gap]:
        """Return the last word on each gap of a whole server, by its first word."""
        last = {(g.server, g.cause, g.start): g for g in self.gaps if g.tags is None}
        return list(last.values())

    def closed(self, cause: GapCause) -> list[Gap]:
        """Return the gaps of one cause that have an end."""
        return [g for g in self.whole_gaps() if g.cause is cause and g.end is not None]

    def all_subscribed(self, count: int) -> bool:
        """Whether tags 1..count are subscribed."""
        found = [self.states.get(i + 1) for i in range(count)]
        return all(s is not None and s.actual is Actual.SUBSCRIBED for s in found)


def rows(block: Block, origin: str, partition: int) -> list[Seen]:
    """Return a block's rows one by one, as only tests do."""
    texts = [None] * len(block) if block.text is None else block.text.to_pylist()
    return [
        Seen(*numbers, text, origin, partition)
        for numbers, text in zip(
            zip(
                block.tag.tolist(),
                block.time.tolist(),
                block.value.tolist(),
                block.status.tolist(),
                block.tie.tolist(),
                strict=True,
            ),
            texts,
            strict=True,
        )
    ]


def check_balance(
    collected: Collected,
    sent: Sequence[tuple[int, int, float]],
    server: str = "A",
    *,
    due: slice = slice(None),
) -> None:
    """Check: sent = on the log + inside a declared gap, and nothing twice or invented.

    Only the readings in `due` must be accounted for; others may be on their way.

    Readings repeated with origin republished are the archiver's to drop: equal key.
    """
    tags = {i + 1 for i, _, _ in sent}
    process = [r for r in collected.process() if r.tag in tags]
    found = {(r.tag - 1, r.time, r.value) for r in process}
    assert found <= set(sent), sorted(found - set(sent))[:5]
    live = [(r.tag, r.time, r.tie) for r in process if r.origin == "live"]
    assert len(live) == len(set(live))
    missing = [s for s in sent[due] if s not in found]
    gaps = [g for g in final(collected.gaps) if g.server == server]
    bounds = [(g.start, g.end, g.tags) for g in gaps]
    for i, time, _ in missing:
        assert any(
            start <= time
            and (end is None or time < end)
            and (not tags or i + 1 in tags)
            for start, end, tags in bounds
        ), (i, time, bounds)


def final(gaps: Sequence[Gap]) -> list[Gap]:
    """Return the last word on every gap."""
    return list({(g.server, g.cause, g.start, g.tags): g for g in gaps}.values())
