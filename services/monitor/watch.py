"""The loop of the monitor: log in, events out, checkpoints, and waiting for the log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from services.monitor.assigned import Part, Resumed, resume
from services.monitor.changes import STARTED
from services.monitor.checkpoint import Checkpoint, encode
from services.monitor.publish import Name, named
from shared.bus import Damaged, Message, Position, PositionUnknown, Record
from shared.bus.open import open_bus
from shared.configuration import create_topics, latest_configuration
from shared.domain import Topic, Unavailable
from shared.events import Change
from shared.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.monitor.settings import MonitorSettings
    from shared.bus import Bus, Consumer, TopicPartition

_log = logging.getLogger(__name__)

GROUP = "monitor"
IDLE_POLL_S = 1.0
COMMIT_S = 3.0
"""How often the group's positions are committed; they only show the lag."""
YIELD_RECORDS = 20
"""Records after which other tasks, such as the group's heartbeat, get their turn."""
REST = 10
"""A checkpoint takes at most one part in so many of the time."""


async def run_monitor(settings: MonitorSettings) -> None:
    """Watch until cancelled; waits for the log.

    Raises:
        Fenced: another monitor took over; start again to take what is left.
    """
    patience = Patience("start", settings.timeouts.retry.total_seconds())
    async with open_bus(settings.bus) as bus:
        await patience.until_done(lambda: create_topics(bus, settings.bus.partitions))
        await Monitor(bus, settings).run()


@dataclass(slots=True)
class Monitor:
    """One member of the group that watches what is on the log.

    Bounded by: `fetch_bytes` of records and their events. When full: it does not poll;
    the log keeps them. Order: kept within a partition. Duplicates: none are published.
    On cancel: a checkpoint of every partition whose events are all published. While the
    log is away it waits and tries again, for ever.
    """

    bus: Bus
    settings: MonitorSettings
    parts: dict[TopicPartition, Part] = field(default_factory=dict)
    _started: bool = False
    _committed_at: float = 0.0

    async def run(self) -> None:
        """Watch what comes until cancelled.

        Raises:
            Fenced: another monitor took over a partition.
        """
        patience = self._patience("group")
        while True:
            consumer = self.bus.consumer(
                GROUP,
                [Topic.PLANT],
                member=self.settings.member,
                assigned=self._assigned,
            )
            try:
                async with consumer:
                    patience.succeeded()
                    try:
                        await self._consume(consumer)
                    finally:
                        self._leave(consumer)
            except Unavailable as error:
                await patience.wait(error)

    def _patience(self, what: str) -> Patience:
        return Patience(what, self.settings.timeouts.retry.total_seconds())

    async def _consume(self, consumer: Consumer) -> None:
        patience = self._patience("log")
        while True:
            try:
                items = await consumer.poll(
                    max_bytes=self.settings.fetch_bytes, timeout_s=IDLE_POLL_S
                )
            except Unavailable as error:
                await patience.wait(error)
                continue
            except PositionUnknown as error:
                _log.warning("log: %s; going on with what it has", error)
                await self._start_again(consumer)
                continue
            patience.succeeded()
            await self._take(consumer, items)
            await self._commit_now_and_then(consumer)

    async def _take(
        self, consumer: Consumer, items: Sequence[Record | Damaged]
    ) -> None:
        arrived: dict[TopicPartition, list[Record | Damaged]] = {}
        for item in items:
            arrived.setdefault(item.at, []).append(item)
        for at, part_items in arrived.items():
            part = self.parts[at]
            part.settled = False
            made = await self._see(part, part_items)
            if made:
                await self._publish(consumer, part, made)
            part.settled = True
            await self._write_when_due(part)

    async def _see(
        self, part: Part, items: Sequence[Record | Damaged]
    ) -> list[tuple[Name, Message]]:
        made: list[tuple[Name, Message]] = []
        for number, item in enumerate(items, 1):
            made += _made(part, item)
            if number % YIELD_RECORDS == 0:
                await asyncio.sleep(0)
        if part.watch.unreadable and not part.told:
            part.told = True
            _log.warning(
                "%s-%d: passed over what cannot be understood: %s",
                part.at.topic,
                part.at.partition,
                part.watch.unreadable,
            )
        return made

    async def _publish(
        self, consumer: Consumer, part: Part, made: Sequence[tuple[Name, Message]]
    ) -> None:
        """Append the events; Fenced comes before, where another one is the owner."""
        with contextlib.suppress(Unavailable):
            await consumer.commit({part.at: part.next})
        await self._patience("events").until_done(lambda: part.publisher.publish(made))

    async def _commit_now_and_then(self, consumer: Consumer) -> None:
        if time.monotonic() - self._committed_at < COMMIT_S:
            return
        self._committed_at = time.monotonic()
        owned = consumer.assigned()
        places = {at: part.next for at, part in self.parts.items() if at in owned}
        with contextlib.suppress(Unavailable):  # polling says that the log is away
            await consumer.commit(places)

    async def _write_when_due(self, part: Part) -> None:
        clock = part.watch.clock
        every = self.settings.checkpoint_every.total_seconds() * 1_000_000
        if clock is None or time.monotonic() < part.rest_until:
            return
        if part.written_clock is None:
            part.written_clock = clock
        if clock - part.written_clock < every:
            return
        began = time.monotonic()
        content = encode(Checkpoint(part.watch, part.next, part.publisher.end))
        await asyncio.to_thread(_write, part, content)
        part.written_clock = clock
        part.rest_until = time.monotonic() + REST * (time.monotonic() - began)

    def _leave(self, consumer: Consumer) -> None:
        """Write what is known and published, so that the next start goes on there."""
        owned = consumer.assigned()
        for at, part in self.parts.items():
            if at in owned and part.settled and part.watch.clock is not None:
                _write(
                    part,
                    encode(Checkpoint(part.watch, part.next, part.publisher.end)),
                )

    async def _assigned(
        self, ats: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, Position | None]:
        """Return where the checkpoints say that each partition goes on."""
        for at in ats:
            self.parts.pop(at, None)
        for at in ats:
            resumed = await self._patience("log").until_done(
                lambda at=at: resume(self.bus, self.settings, at)  # type: ignore[misc]
            )
            self.parts[at] = await self._begin(resumed)
        return {at: self.parts[at].next for at in ats}

    async def _begin(self, resumed: Resumed) -> Part:
        part = resumed.part
        changes = [] if resumed.relearns is None else [resumed.relearns]
        if not self._started:
            self._started = True
            changes.append(await self._start_event(part))
        for change in changes:
            await self._patience("events").until_done(
                lambda change=change: part.publisher.say(change)  # type: ignore[misc]
            )
        return part

    async def _start_event(self, part: Part) -> Change:
        """Return that this process started, with what it knew and what holds now."""
        known = part.watch.configuration
        holds = await self._patience("log").until_done(
            lambda: latest_configuration(self.bus)
        )
        return Change(
            what=STARTED,
            time=time.time_ns() // 1_000,
            actor=self.settings.member,
            old="" if known is None else known.sha256,
            new="" if holds is None else holds.sha256,
            details={"version": version("fedbatch")},
        )

    async def _start_again(self, consumer: Consumer) -> None:
        places = await self._assigned(sorted(consumer.assigned()))
        for at, position in places.items():
            if position is not None:
                await consumer.seek(at, position)


def _made(part: Part, item: Record | Damaged) -> list[tuple[Name, Message]]:
    """Let the partition see what came, and return the events that it made."""
    if isinstance(item, Damaged):
        part.watch.miss(item)
        if item.last.offset >= part.next.offset:
            part.next = Position(item.last.epoch, item.last.offset + 1)
        return []
    if item.position.offset < part.next.offset:
        return []  # it was seen before
    events = part.watch.see(item)
    part.next = Position(item.position.epoch, item.position.offset + 1)
    return named(item.position, events)


def _write(part: Part, content: Sequence[bytes]) -> None:
    try:
        part.file.write(content)
    except OSError as error:
        if not part.unwritten:
            _log.warning("checkpoint %s: %s; going on", part.file.path, error)
        part.unwritten = True
    else:
        part.unwritten = False
