"""Events to topic `events`, each exactly once over any number of restarts.

Every event is named by the record of `plant` that caused it and its number among that
record's events. The monitor makes the same events again after a restart; those up to
the last name on the log have been said and are left out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import google_crc32c

from shared.bus import Message, Position, Record
from shared.wire_events import encode_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from shared.bus import Bus, TopicPartition
    from shared.wire_events import Event

_log = logging.getLogger(__name__)

CAUSE_HEADER = "cause"
"""`<epoch>:<offset>:<number>` of the record on `plant`; events of the process itself,
such as its start, have none."""

_FETCH_BYTES = 1024 * 1024
_FETCH_S = 5.0


@dataclass(frozen=True, slots=True)
class Name:
    """Which event of which record; ordered within one epoch."""

    epoch: str
    offset: int
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}:{self.number}"

    def is_after(self, other: Name) -> bool:
        """Whether this event comes later; names of another log say nothing."""
        here, there = (self.offset, self.number), (other.offset, other.number)
        return self.epoch != other.epoch or here > there


def name_of(record: Record) -> Name | None:
    """Return the name of a record of `events`; None where it has none."""
    *epoch, offset, number = record.headers.get(CAUSE_HEADER, "::").split(":")
    if not (offset.isdecimal() and number.isdecimal()):
        return None
    return Name(":".join(epoch), int(offset), int(number))


def named(cause: Position, events: Sequence[Event]) -> list[tuple[Name, Message]]:
    """Return the records of the events that one record of `plant` caused."""
    messages = []
    for number, event in enumerate(events):
        name = Name(cause.epoch, cause.offset, number)
        headers, value = encode_event(event)
        messages.append((name, Message(headers | {CAUSE_HEADER: str(name)}, value)))
    return messages


@dataclass(slots=True)
class Said:
    """What is on `events` of one partition behind a checkpoint."""

    last: Name | None = None
    """The last name, of the epoch that `plant` has now."""
    sums: dict[str, int] = field(default_factory=dict)
    """CRC32C by name, to notice events that are made again differently."""


async def read_said(
    bus: Bus, at: TopicPartition, since: Position | None, place: Position
) -> Said:
    """Return what was said about this `plant`.

    Args:
        bus: the log.
        at: partition of `events`.
        since: where to read from; None: from the start.
        place: the place in `plant` from which events are made again.

    Raises:
        Unavailable: the log cannot be reached now.
    """
    said = Said()
    async for record in stored(bus, at, since):
        name = name_of(record)
        if name is not None and name.epoch == place.epoch:
            said.last = name
            if name.offset >= place.offset:
                said.sums[str(name)] = google_crc32c.value(record.value)
    return said


async def stored(
    bus: Bus, at: TopicPartition, since: Position | None
) -> AsyncIterator[Record]:
    """Yield the records from `since` to the head of now; damaged ones are passed over.

    A place that the log does not have any more means from its start.

    Raises:
        Unavailable: the log cannot be reached now.
    """
    start, head = await bus.start(at), await bus.head(at)
    kept = since is not None and since.epoch == start.epoch
    if since is None or not kept or not start.offset <= since.offset <= head.offset:
        since = start
    offset = since.offset
    async with bus.reader({at: since}) as reader:
        while offset < head.offset:
            for item in await reader.poll(max_bytes=_FETCH_BYTES, timeout_s=_FETCH_S):
                if isinstance(item, Record):
                    offset = item.position.offset + 1
                    if offset <= head.offset:
                        yield item
                else:
                    offset = max(offset, item.last.offset + 1)


class Publisher:
    """Says the events of one partition.

    Bounded by: the events of one fetch. When full: nothing is polled meanwhile. Order:
    as they were made. Duplicates: events that are on the log are left out. On cancel:
    the append may be stored; the next start finds it there.
    """

    def __init__(self, bus: Bus, at: TopicPartition, said: Said, end: Position) -> None:
        self.end = end
        """Behind everything that was said."""
        self._bus = bus
        self._at = at
        self._said = said
        self.skipped = 0
        """Events left out because they had been said."""
        self.different = 0
        """Of these, those that were made differently this time."""

    async def publish(self, made: Sequence[tuple[Name, Message]]) -> int:
        """Append what was not said yet; return how many that was.

        Raises:
            Unavailable: nothing is known to be appended; the same call may be repeated.
        """
        last = self._said.last
        new = [
            (name, message)
            for name, message in made
            if last is None or name.is_after(last)
        ]
        for name, message in made[: len(made) - len(new)]:
            self._compare(name, message)
        if new:
            await self._append([message for _, message in new])
            self._said.last = new[-1][0]
            self._said.sums.clear()
        return len(new)

    def _compare(self, name: Name, message: Message) -> None:
        self.skipped += 1
        found = self._said.sums.pop(str(name), None)
        if found == google_crc32c.value(message.value):
            return
        self.different += 1
        if self.different == 1:
            _log.warning(
                "%s-%d: event %s was said differently before; what was said stays",
                self._at.topic,
                self._at.partition,
                name,
            )

    async def say(self, event: Event) -> None:
        """Append an event of the process itself, which no record caused.

        Raises:
            Unavailable: nothing is known to be appended; the same call may be repeated.
        """
        await self._append([Message(*encode_event(event))])

    async def _append(self, messages: Sequence[Message]) -> None:
        first = await self._bus.append(self._at, messages)
        self.end = Position(first.epoch, first.offset + len(messages))
