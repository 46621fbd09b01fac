"""The site's loop: catches up with the clock, then goes on live, in one coroutine.

Catching up, it publishes one instant per `catchup_step` and waits while any queue of a
connected client is above half, or while no client is subscribed. Live, it
publishes on whole multiples of the period, right after they have passed. No source
timestamp is ever ahead of the clock. The heartbeat is written by this same loop each
second of wall time, so it stalls when the loop stalls.

Bounded by: nothing is queued here. When full: it waits (catching up) or the queues drop
and mark (live). Order: by source time. Duplicates: none, also across a restart, unless
the clock is set back. On cancel: the state is saved as of the last instant sent.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from shared.domain import US_PER_S
from simulators.audience import Audience
from simulators.faults.record import FaultRecord
from simulators.instants import Instant
from simulators.servers.variables import HEARTBEAT
from simulators.storage import replace_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulators.outlet import Outlet
    from simulators.servers.fault_desk import FaultDesk
    from simulators.servers.flat import FlatServer
    from simulators.site import Site

_log = logging.getLogger(__name__)

VERSION = 3
"""Of the state file."""
STATE_FILE = "state.json"
STATUS_FILE = "status.json"
SAVE_US = 10 * US_PER_S
"""How often the state is saved while live."""
CHUNK = 60
"""Instants between two saves while catching up."""
STATUS_US = US_PER_S // 2
"""How often the status file is replaced."""
LONGEST_STEP_US = 60 * US_PER_S
"""Steps of the physics; longer ones make the control loops coarse."""
HALF = 0.5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Mode(StrEnum):
    """What the loop is doing."""

    WAITING = "waiting"
    """For a client to subscribe."""
    CATCHING_UP = "catching-up"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast time goes."""

    catchup_step: int = 60 * US_PER_S
    """us of simulated time between two instants while catching up."""
    period: int = US_PER_S
    """us between two instants while live."""
    wait: int | None = None
    """us of wall time to wait for a client before catching up; None: for ever."""


class Loop:
    """Advances one site and publishes it through one server; see the module."""

    def __init__(  # noqa: PLR0913  its neighbours, named at the one place that composes
        self,
        site: Site,
        server: FlatServer,
        outlet: Outlet,
        *,
        pace: Pace,
        folder: Path,
        clock: Callable[[], int],
        mode: Mode = Mode.WAITING,
        desk: FaultDesk | None = None,
    ) -> None:
        """Take a site that stands at the first instant to publish.

        Args:
            site: advanced only here.
            server: built; its variables are those of `servers.variables.of_plant`.
            outlet: leads to `server`.
            pace: how fast time goes.
            folder: where the state and status files are.
            clock: wall time, us UTC.
            mode: WAITING to publish history first, LIVE to go on at once.
            desk: shows the site's faults, if the server has it.
        """
        self._site, self._server, self._outlet = site, server, outlet
        self._pace, self._folder, self._clock = pace, folder, clock
        self.mode = mode
        self._began = site.now
        self._audience = Audience(server, clock, pace.wait)
        self._told_history = mode is Mode.LIVE
        self._beat_s = -1
        self._next_status = 0
        self._next_save = clock() + SAVE_US
        self._saved_before = 0
        self._heartbeat = [v.node for v in server.variables].index(HEARTBEAT)
        self._desk = desk
        self._record = FaultRecord(folder)
        if mode is Mode.LIVE:
            site.goes_live()

    async def publish_first(self) -> None:
        """Publish the plant as it stands; call it before the server listens."""
        await self._account()
        for instant in self._site.first():
            await self._outlet.send(instant)
        await self._beat()

    async def run(self) -> None:
        """Publish until cancelled."""
        try:
            while True:
                await self._beat()
                self._tell()
                await self._turn()
        finally:
            self._saved_before = self._site.now + self._pace.catchup_step
            replace_json(self._folder / STATE_FILE, self._state(), durable=True)
            self._tell(now=True)

    async def _turn(self) -> None:
        """Publish one instant, or sleep until there may be something to publish."""
        if self.mode is Mode.LIVE:
            await self._live()
        elif not self._told_history and not self._audience.listens():
            self._go(Mode.WAITING)
            await asyncio.sleep(0.05)
        else:
            await self._catch_up()

    async def _live(self) -> None:
        pace, now = self._pace, self._clock()
        if now - self._site.now > 2 * pace.catchup_step:
            self._go(Mode.CATCHING_UP)
            return
        due = (self._site.now // pace.period + 1) * pace.period
        if due > now:
            next_second = (now // US_PER_S + 1) * US_PER_S
            await asyncio.sleep((min(due, next_second) - now) / US_PER_S + 0.0005)
        elif now - due > 5 * pace.period and self._server.fullest() > HALF:
            await asyncio.sleep(0.005)
        else:
            await self._publish(due)
            if now >= self._next_save:
                await self._save_aside()
                self._next_save = now + SAVE_US

    async def _catch_up(self) -> None:
        pace = self._pace
        due = self._site.now + pace.catchup_step
        now = self._clock()
        if due > now:
            self._catch_the_last(now)
            return
        self._go(Mode.CATCHING_UP)
        if self._server.fullest() > HALF:
            await asyncio.sleep(0.005)
            return
        if due > self._saved_before:
            self._saved_before = due + CHUNK * pace.catchup_step
            await self._save_aside()
        await self._publish(due)

    def _catch_the_last(self, now: int) -> None:
        """Go live at the period before `now`, without the instants between."""
        start = now // self._pace.period * self._pace.period
        while self._site.now < start:
            self._step(start)
        self._told_history = True
        self._site.goes_live()
        self._go(Mode.LIVE)

    def _step(self, towards: int) -> None:
        self._site.advance(min(self._site.now + LONGEST_STEP_US, towards))

    async def _publish(self, due: int) -> None:
        while self._site.now < due:
            self._step(due)
        await self._account()
        await self._send()
        await asyncio.sleep(0)

    async def _account(self) -> None:
        """Put what happened to faults on record, before it is published."""
        news = self._site.news()
        if news:
            for injections, seed, changed in news:
                self._record.write(injections, seed, changed)
            self._next_save = self._clock()
            if self._desk is not None:
                await self._desk.show(news)

    async def _send(self) -> None:
        for instant in self._site.instants():
            await self._outlet.send(instant)

    async def _beat(self) -> None:
        now = self._clock()
        second = now // US_PER_S
        if second != self._beat_s:
            self._beat_s = second
            await self._outlet.send(Instant(now, [self._heartbeat], [float(second)]))

    def _go(self, mode: Mode) -> None:
        if mode is not self.mode:
            self.mode = mode
            _log.info("%s at %s of simulated time", mode, _iso(self._site.now))
            self._tell(now=True)

    async def _save_aside(self) -> None:
        path, body = self._folder / STATE_FILE, self._state()
        await asyncio.to_thread(replace_json, path, body, durable=True)

    def _state(self) -> dict[str, Any]:
        live = self.mode is Mode.LIVE
        return {
            "version": VERSION,
            "live": live,
            "published_before": self._site.now if live else self._saved_before,
            "began": self._began,
            "plants": self._site.to_json(),
        }

    def _tell(self, *, now: bool = False) -> None:
        """Replace the status file when it is time, or `now`."""
        wall = self._clock()
        if wall < self._next_status and not now:
            return
        self._next_status = wall + STATUS_US
        span = max(wall - self._began, 1)
        done = 1.0 if self.mode is Mode.LIVE else (self._site.now - self._began) / span
        replace_json(
            self._folder / STATUS_FILE,
            {
                "state": str(self.mode),
                "endpoint": self._server.url,
                "simulated_time": _iso(self._site.now),
                "wall_time": _iso(wall),
                "percent": round(100.0 * min(done, 1.0), 1),
                "sent": self._outlet.sent,
                "dropped": self._server.dropped,
            },
        )


def _iso(time: int) -> str:
    return (_EPOCH + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")
