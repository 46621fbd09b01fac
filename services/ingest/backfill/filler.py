"""Fills one server's gaps from its history, one window after the other, for ever.

Bounded by: one window of one gap in memory (a record per partition). When full: waits.
Order: see `jobs`. Duplicates: a window that broke off is read again; the store keeps
each reading once. On cancel: the session is closed; the file says what is left. It
yields to live readings: while the collector holds too much, and by the pace that all
servers share.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from asyncua import ua

from services.ingest.backfill.windows import Outbox, fill, nodes_of
from services.ingest.opcua import history
from services.ingest.opcua.situations import AccessRefused, ServiceRefused
from shared.bus import Message, TopicPartition
from shared.domain import Topic, Unavailable
from shared.wire_filled import Filled, encode_filled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.ingest.backfill.jobs import Job, Jobs
    from services.ingest.backfill.pace import Pace
    from services.ingest.collect.plan import Plan
    from services.ingest.opcua.session import Session
    from shared.bus import Bus

_log = logging.getLogger(__name__)

SETTLE_S = 2.0
"""Given to a server to put its newest values into its history."""
RETRY_FIRST_S = 2.0
RETRY_LAST_S = 60.0
MOST_TRIES = 10
"""Refusals of one gap in a row after which it stays as it is declared."""
_NO_HISTORY = frozenset(
    {
        ua.StatusCodes.BadHistoryOperationUnsupported,
        ua.StatusCodes.BadHistoryOperationInvalid,
        ua.StatusCodes.BadServiceUnsupported,
        ua.StatusCodes.BadNotImplemented,
        ua.StatusCodes.BadNotSupported,
        ua.StatusCodes.BadUserAccessDenied,
    }
)


@dataclass(slots=True)
class Filler:
    """One server's back-fill; see the module."""

    jobs: Jobs
    bus: Bus
    session: Session
    """Its own: a long answer does not hold up notifications."""
    plan: Callable[[], Plan]
    room: Callable[[], Awaitable[None]]
    """Returns when live readings do not need the machine."""
    pace: Pace
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a gap has ended."""
    _name: str = field(default_factory=lambda: secrets.token_hex(8))
    _said: str = ""

    async def run(self) -> None:
        """Fill until cancelled."""
        server, pause = self.plan().server.name, RETRY_FIRST_S
        try:
            while True:
                self.wake.clear()
                job = self.jobs.next(server)
                if job is None:
                    await self.session.close()
                    await self.wake.wait()
                    await asyncio.sleep(SETTLE_S)
                    continue
                try:
                    await self._go_on(job)
                except Unavailable as error:
                    self._tell(job, error)
                    self.session.drop()
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, RETRY_LAST_S)
                else:
                    pause, self._said = RETRY_FIRST_S, ""
        finally:
            await self.session.close()

    def _tell(self, job: Job, error: Unavailable) -> None:
        if isinstance(error, ServiceRefused):
            self.jobs.postpone(job)
        if str(error) != self._said:
            self._said = str(error)
            _log.warning("back-fill waits: %s", error)

    async def _go_on(self, job: Job) -> None:
        """Open the session where needed; read what is known before, or one window."""
        nodes = nodes_of(self.plan(), job.gap.tags)
        if job.tries >= MOST_TRIES:
            await self._finish(job, nodes, self._said or "the server refuses")
            return
        await self._open()
        try:
            if job.missing is None:
                self.jobs.put(await self._proven(job, nodes))
            elif not job.is_read:
                self.jobs.put(await self._window(job, nodes))
            else:
                await self._finish(job, nodes, job.reason)
        except ServiceRefused as error:
            if error.code not in _NO_HISTORY:
                raise
            job = replace(job, missing=tuple(nodes), left=job.begin)
            await self._finish(job, nodes, str(error).rpartition(": ")[2])

    async def _open(self) -> None:
        if not self.session.is_open:
            try:
                await self.session.open()
            except AccessRefused:
                self.session.forget()
                raise

    async def _proven(self, job: Job, nodes: dict[int, str]) -> Job:
        """Return the job with the tags whose history does not reach before the gap."""
        before = job.gap.start - 1
        found, refused = await history.last_before(self.session, nodes, before)
        missing = tuple(tag for tag in nodes if tag not in found)
        reason = "its history does not reach back before the gap" if missing else ""
        reason = next(iter(refused.values()), reason)
        left = job.begin if len(refused) == len(nodes) else job.left
        return replace(job, missing=missing, reason=reason, left=left)

    async def _window(self, job: Job, nodes: dict[int, str]) -> Job:
        await self.room()
        start, end = job.window()
        outbox = Outbox(self.bus, self.plan(), self._name, self.pace.go, job.gap)
        found = await fill(self.session, outbox, nodes, start, end)
        missing = {*(job.missing or ()), *found.refused}
        reason = next(iter(found.refused.values()), job.reason)
        return replace(
            job,
            left=start,
            rows=job.rows + found.rows,
            missing=tuple(sorted(missing)),
            reason=reason,
            tries=0,
        )

    async def _finish(self, job: Job, nodes: dict[int, str], reason: str) -> None:
        """Say on the log what came of the gap, and forget it."""
        plan, missing = self.plan(), tuple(job.missing or ())
        missing = missing if job.is_read else tuple(nodes)
        proven = len(nodes.keys() - set(missing))
        parts = sorted({plan.partition[tag] for tag in nodes}) or [*plan.partitions]
        for part in parts:
            filled = Filled(
                gap=job.gap,
                part=part,
                parts=tuple(parts),
                missing=missing,
                rows=job.rows,
                proven=proven,
                detail=reason,
            )
            at = TopicPartition(Topic.BACKFILL, part)
            await self.bus.append(at, [Message(*encode_filled(filled))])
        self.jobs.done(job)
        _log.info("gap %s %s from %d us: %d readings from the server's history; "
                  "%d of %d tags stay declared%s",
                  job.gap.server, job.gap.cause, job.gap.start, job.rows, len(missing),
                  len(nodes), f" ({reason})" if reason else "")  # fmt: skip
