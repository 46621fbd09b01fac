"""Hears the archiver on topic `backfill`: gaps to fill, and how fast it stores.

The archiver knows of losses that no connection to a server noticed. It puts their gaps
on the topic to which the answers go; whoever collects the server fills them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.bus import Damaged, Position, PositionUnknown, TopicPartition
from shared.domain import Kind, Topic, Unavailable
from shared.wire import NotUnderstood, decode_gap
from shared.wire_filled import decode_storing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.ingest.backfill.jobs import Jobs
    from shared.bus import Bus, Reader, Record
    from shared.domain import Gap

_log = logging.getLogger(__name__)

FETCH_BYTES = 1024 * 1024
EVERY_S = 1.0
"""How often the topic is looked at."""
RETRY_S = 5.0
_SKIPPED = "what the archiver asked for meanwhile stays declared"


class Heard:
    """Reads topic `backfill` from where it was read last.

    Bounded by: FETCH_BYTES. When full: the log keeps the rest. Order: kept within a
    partition. Duplicates: after a crash; a gap asked for again is the same work. On
    cancel: what was not noted is read again.
    """

    def __init__(
        self,
        bus: Bus,
        jobs: Jobs,
        *,
        want: Callable[[Sequence[Gap]], None],
        stores: Callable[[float], None],
    ) -> None:
        """Tell `want` of gaps, and `stores` how many readings a second are stored."""
        self._bus, self._jobs = bus, jobs
        self._want, self._stores = want, stores
        self._said = ""

    async def run(self) -> None:
        """Hear until cancelled."""
        while True:
            try:
                positions = await self._positions()
                if positions:
                    async with self._bus.reader(positions) as reader:
                        await self._listen(reader)
            except PositionUnknown as error:
                _log.warning("topic backfill: %s; %s", error, _SKIPPED)
                self._jobs.heard.clear()
            except Unavailable as error:
                if str(error) != self._said:
                    self._said = str(error)
                    _log.warning("topic backfill is not heard: %s", error)
            await asyncio.sleep(RETRY_S)

    async def _positions(self) -> dict[TopicPartition, Position]:
        """Return where to go on; at the end of what was never heard."""
        found = {}
        for number in range(await self._bus.partitions(Topic.BACKFILL)):
            at = TopicPartition(Topic.BACKFILL, number)
            found[at] = self._jobs.heard.get(number) or await self._bus.head(at)
            self._jobs.heard[number] = found[at]
        self._jobs.keep()
        return found

    async def _listen(self, reader: Reader) -> None:
        while True:
            found = await reader.poll(max_bytes=FETCH_BYTES, timeout_s=0)
            self._said = ""
            gaps: list[Gap] = []
            for each in found:
                if isinstance(each, Damaged):
                    self._note(each.at, each.last)
                else:
                    gaps += self._gaps(each)
                    self._note(each.at, each.position)
            if found:
                self._want(gaps)  # which keeps the places, too
            else:
                await asyncio.sleep(EVERY_S)

    def _note(self, at: TopicPartition, last: Position) -> None:
        self._jobs.heard[at.partition] = Position(last.epoch, last.offset + 1)

    def _gaps(self, record: Record) -> list[Gap]:
        kind = record.headers.get("kind")
        try:
            if kind == Kind.GAP:
                return [decode_gap(record.value)]
            if kind == Kind.STORING:
                self._stores(decode_storing(record.value))
        except NotUnderstood:
            pass  # the archiver keeps it as a dead letter
        return []
