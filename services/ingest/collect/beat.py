"""Once a second: clock, liveness and memory; once a minute: a server's ledger."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING

from services.ingest.collect.recount import marked
from services.ingest.opcua.subscription import utc_now
from shared.bus import Message
from shared.wire import Clock, encode_clock, encode_ledger, encode_liveness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.ingest.collect.ledger import Ledger
    from services.ingest.collect.memory import MemoryFile, ServerMemory
    from services.ingest.collect.server import Collection
    from services.ingest.collect.writer import Writer

_log = logging.getLogger(__name__)

LEDGER_S = 60


class Beat:
    """Writes the collector's own records.

    Bounded by: one clock record on its way per partition. When full: the second is
    left out; the next record says all it would have said; while the disk is full the
    memory stays as it was. Order: with the readings of its partition. Duplicates: none.
    On cancel: nothing; whoever stops all calls `write_ledgers` last.
    """

    def __init__(
        self,
        writer: Writer,
        collections: Mapping[str, Collection],
        *,
        ledgers: Mapping[str, Ledger],
        memories: dict[str, ServerMemory],
        file: MemoryFile,
    ) -> None:
        self._writer = writer
        self._collections = collections
        self._ledgers = ledgers
        self._memories = memories
        self._file = file
        self._waiting: set[int] = set()
        self._kept = True

    async def run(self) -> None:
        """Beat until cancelled."""
        loop = asyncio.get_running_loop()
        beats = 0
        due = loop.time()
        while True:
            self.beat()
            beats += 1
            self._write_due(beats)
            due = max(due + 1.0, loop.time())
            await asyncio.sleep(due - loop.time())

    def beat(self) -> None:
        """Write clock and liveness records, and what must survive a crash."""
        for name, ledger in self._ledgers.items():
            if ledger.is_full:
                self._write_ledger(name)
        self.remember()
        heard = {n: c.heard for n, c in self._collections.items() if c.heard}
        clock = Message(*encode_clock(Clock(utc_now(), heard)))
        for partition in self._writer.partitions - self._waiting:
            self._waiting.add(partition)
            written = functools.partial(self._waiting.discard, partition)
            self._writer.put(partition, clock, written)
        if self._writer.has_room:
            self._write_liveness()

    def remember(self) -> None:
        """Write to the file how far the log reaches."""
        for name, collection in self._collections.items():
            reached = collection.reached()
            if reached is not None:
                self._memories[name].reached = reached
        try:
            self._file.keep(self._memories)
        except OSError as error:
            if self._kept:
                _log.warning("what a crash must not forget is not written: %s", error)
            self._kept = False
        else:
            self._kept = True

    def _write_liveness(self) -> None:
        for collection in self._collections.values():
            liveness = collection.liveness()
            if liveness is None:
                continue
            message = Message(*encode_liveness(liveness))
            for partition in collection.plan.partitions:
                self._writer.put(partition, message)

    def _write_due(self, beats: int) -> None:
        """Write each server's counts once in LEDGER_S beats, one after another.

        All at once would hold readings up for 0.3 s at a thousand vessels.
        """
        servers = len(self._ledgers)
        for place, name in enumerate(self._ledgers):
            if beats % LEDGER_S == place * LEDGER_S // servers:
                self._write_ledger(name)

    def write_ledgers(self) -> None:
        """Write the counts of every server since the last time."""
        for name in self._ledgers:
            self._write_ledger(name)

    def _write_ledger(self, name: str) -> None:
        collection = self._collections.get(name)
        if collection is None:
            return
        plan = collection.plan
        partition = {plan.vessel[t]: plan.partition[t] for t in plan.vessel}
        counts = self._ledgers[name].take(plan.vessel)
        for number in {partition[count.vessel] for count in counts}:
            mine = [c for c in counts if partition[c.vessel] == number]
            counted = self._writer.done_before(number)
            self._writer.put(number, marked(encode_ledger(mine), name, counted))
