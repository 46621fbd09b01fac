"""What a killed collector had put on the log and not yet counted.

A ledger record says before which place of its partition it has counted a server's
readings. What lies behind the last such place is counted again at the next start, so
that `kill -9` costs the ledger nothing. Readings that were not durable at that moment
were counted nowhere, as nobody had acknowledged them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.bus import Message, Position, Record, TopicPartition
from shared.domain import Kind, Origin, Topic
from shared.wire import NotUnderstood, decode_readings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.bus import Bus, Damaged
    from shared.readings import Block

_log = logging.getLogger(__name__)

COUNTED_HEADER = "counted"
"""`<epoch>:<offset>` in a ledger record: what lies before is counted."""
FIRST_LOOK = 1_000
"""Records read back first; more, eight times each, while a server's mark is missing."""
LAST_LOOK = 64_000
"""Records read back at most: an hour of one busy partition."""
_FETCH_BYTES = 8 * 1024 * 1024
_FETCH_S = 5.0

Uncounted = dict[str, list["Block"]]
"""Per server, the readings on the log that no ledger record counts."""


def marked(
    record: tuple[dict[str, str], bytes], server: str, counted: Position
) -> Message:
    """Return a ledger record that says how far it counts."""
    headers, value = record
    mark = f"{counted.epoch}:{counted.offset}"
    return Message({**headers, "server": server, COUNTED_HEADER: mark}, value)


async def read_uncounted(bus: Bus, partitions: Iterable[int]) -> Uncounted:
    """Return what is on the log and was not counted, of every server.

    Raises:
        Unavailable: the log cannot be read.
    """
    uncounted: Uncounted = {}
    for partition in partitions:
        at = TopicPartition(Topic.PLANT, partition)
        for server, blocks in (await _of_partition(bus, at)).items():
            uncounted.setdefault(server, []).extend(blocks)
    return uncounted


async def _of_partition(bus: Bus, at: TopicPartition) -> Uncounted:
    head, start = await bus.head(at), await bus.start(at)
    look = FIRST_LOOK
    while True:
        first = max(start.offset, head.offset - look)
        stretch = await _read(bus, at, Position(head.epoch, first), head.offset)
        whole = first == start.offset
        if whole or look >= LAST_LOOK or stretch.is_enough:
            break
        look *= 8
    for server in sorted(stretch.unmarked) if not whole else ():
        _log.warning(
            "ledger of %s: no count on partition %d within %d records; its last "
            "readings are not counted again",
            server,
            at.partition,
            look,
        )
    return stretch.uncounted(whole=whole)


async def _read(bus: Bus, at: TopicPartition, first: Position, end: int) -> _Stretch:
    stretch = _Stretch(first)
    offset = first.offset
    async with bus.reader({at: first}) as reader:
        while offset < end:
            items = await reader.poll(max_bytes=_FETCH_BYTES, timeout_s=_FETCH_S)
            if not items:
                break
            for item in items:
                stretch.add(item)
            last = items[-1]
            place = last.position if isinstance(last, Record) else last.last
            offset = place.offset + 1
    return stretch


@dataclass(slots=True)
class _Stretch:
    """The end of one partition, from `first` on."""

    first: Position
    marks: dict[str, int] = field(default_factory=dict)
    """Offset before which a server's readings are counted."""
    blocks: dict[str, list[tuple[int, Block]]] = field(default_factory=dict)
    """Readings with the offsets of their records."""

    def add(self, item: Record | Damaged) -> None:
        """Take one record; what is damaged cannot be counted."""
        if not isinstance(item, Record):
            return
        kind = item.headers.get("kind")
        if kind == Kind.LEDGER:
            epoch, _, offset = item.headers.get(COUNTED_HEADER, "").rpartition(":")
            if epoch == self.first.epoch:  # a full spool appends old ones again
                server = item.headers["server"]
                self.marks[server] = max(self.marks.get(server, 0), int(offset))
        elif kind == Kind.READINGS:
            self._add_readings(item)

    def _add_readings(self, record: Record) -> None:
        try:
            header, block = decode_readings(record.headers, record.value)
        except NotUnderstood:
            return
        if header.origin in {Origin.LIVE, Origin.REPUBLISHED} and len(block):
            found = self.blocks.setdefault(header.server, [])
            found.append((record.position.offset, block))

    @property
    def unmarked(self) -> frozenset[str]:
        """Servers whose last mark lies before the stretch, as far as it goes."""
        late = {s for s, mark in self.marks.items() if mark < self.first.offset}
        return frozenset(late | (self.blocks.keys() - self.marks.keys()))

    @property
    def is_enough(self) -> bool:
        """Whether every server's last mark lies within the stretch."""
        return not self.unmarked

    def uncounted(self, *, whole: bool) -> dict[str, list[Block]]:
        """Return the readings behind the marks; `whole`: nothing lies before."""
        found = {}
        for server, blocks in self.blocks.items():
            if whole or server not in self.unmarked:
                mark = self.marks.get(server, 0)
                found[server] = [block for at, block in blocks if at >= mark]
        return found
