"""Plays a recording through a server, row by row.

Bounded by: nothing is queued here. When full: at speed 0 it waits while any queue of a
connected client is above half; else the queues drop and mark. Order: as recorded.
Duplicates: none in one run. On cancel: stops between two rows.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.domain import US_PER_S
from simulators.instants import BAD, Instant
from simulators.loop import HALF, STATUS_FILE
from simulators.playback.mapping import unit_of
from simulators.playback.recording import RecordingInvalid
from simulators.servers.variables import HEARTBEAT, Variable, heartbeat
from simulators.storage import replace_json
from simulators.tags import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulators.audience import Audience
    from simulators.instants import Value
    from simulators.outlet import Outlet
    from simulators.playback.mapping import Place
    from simulators.playback.recording import Recording
    from simulators.servers.flat import FlatServer

_log = logging.getLogger(__name__)


def variables(recording: Recording, site: str, area: str) -> list[Variable]:
    """Return the heartbeat, then one variable per column."""
    places = recording.places or (None,) * len(recording.nodes)
    return [
        heartbeat(site),
        *(
            _variable(node, (site, area, *node.split(".")), kind, place)
            for node, kind, place in zip(
                recording.nodes, recording.kinds, places, strict=True
            )
        ),
    ]


def _variable(
    node: str, path: tuple[str, ...], kind: Kind, place: Place | None
) -> Variable:
    if place is None or kind is not Kind.DOUBLE:
        return Variable(node=node, path=path, kind=kind)
    span = None
    if place.low is not None and place.high is not None:
        span = (place.low, place.high)
    return Variable(node, path, kind, unit=unit_of(place), range=span)


def published(
    recording: Recording, row: int
) -> tuple[list[int], list[Value], list[int]]:
    """Return what a row publishes: columns, values, StatusCodes.

    A cell without a value is published only with a Bad status; then it is null.
    """
    columns: list[int] = []
    values: list[Value] = []
    statuses: list[int] = []
    for at, column in enumerate(recording.columns):
        status = recording.statuses[at][row] if recording.statuses else None
        bad = status is not None and status >= BAD
        if column[row] is not None or bad:
            columns.append(at)
            values.append(None if bad else column[row])
            statuses.append(status or 0)
    return columns, values, statuses


def source_times(
    recording: Recording, now: int, *, speed: float, shift: bool
) -> list[int]:
    """Return the source timestamp of each row, us UTC.

    Shifted, the first row is at `now` and the others follow at `speed`; at speed 0 the
    recorded intervals are kept and the last row is at `now`.

    Raises:
        RecordingInvalid: the recorded times are to be kept, but the file has no dates,
            or a row lies ahead of the clock.
    """
    times = recording.times
    if shift and speed > 0.0:
        return [now + round((time - times[0]) / speed) for time in times]
    if shift:
        return [now - (times[-1] - time) for time in times]
    if not recording.dated or times[-1] > now:
        raise RecordingInvalid(
            "shift=false: expected dates, none of them ahead of the clock"
        )
    return list(times)


class Player:
    """Publishes one recording once, then keeps the server alive."""

    def __init__(
        self,
        recording: Recording,
        server: FlatServer,
        outlet: Outlet,
        *,
        audience: Audience,
        folder: Path,
        clock: Callable[[], int],
    ) -> None:
        self._recording, self._server, self._outlet = recording, server, outlet
        self._audience, self._folder, self._clock = audience, folder, clock
        nodes = [variable.node for variable in server.variables]
        self._heartbeat = nodes.index(HEARTBEAT)
        self._columns = [nodes.index(node) for node in recording.nodes]
        self._beat_s = -1
        self.finished = asyncio.Event()
        """Set when the last row was published."""

    async def run(self, *, speed: float, shift: bool) -> None:
        """Play when a client listens; then beat until cancelled."""
        while not self._audience.listens():
            await self._idle("waiting", 0)
        begun = self._clock()
        times = source_times(self._recording, begun, speed=speed, shift=shift)
        _log.info("playing %d rows", len(times))
        offsets = [time - self._recording.times[0] for time in self._recording.times]
        for row, (time, offset) in enumerate(zip(times, offsets, strict=True)):
            due = begun + round(offset / speed) if speed > 0.0 else begun
            while self._clock() < due or (speed == 0.0 and self._is_full()):
                await self._idle("playing", row, until=due)
            await self._outlet.send(self._instant(row, time))
            await asyncio.sleep(0)
        self.finished.set()
        while True:
            await self._idle("done", len(times))

    def _is_full(self) -> bool:
        return self._server.fullest() > HALF

    def _instant(self, row: int, time: int) -> Instant:
        columns, values, statuses = published(self._recording, row)
        return Instant(time, [self._columns[at] for at in columns], values, statuses)

    async def _idle(self, state: str, row: int, until: int = 0) -> None:
        """Beat and tell once a second; sleep until `until`, at most 50 ms."""
        now = self._clock()
        if now // US_PER_S != self._beat_s:
            self._beat_s = now // US_PER_S
            beat = Instant(now, [self._heartbeat], [float(self._beat_s)])
            await self._outlet.send(beat)
            self._tell(state, row)
        left = (until - now) / US_PER_S if until > now else 0.05
        await asyncio.sleep(min(left, 0.05))

    def _tell(self, state: str, row: int) -> None:
        rows = len(self._recording.times)
        replace_json(
            self._folder / STATUS_FILE,
            {
                "state": state,
                "endpoint": self._server.url,
                "percent": round(100.0 * row / rows, 1),
                "sent": self._outlet.sent,
                "dropped": self._server.dropped,
            },
        )
