"""All servers' back-fill: takes gaps that have ended, keeps one filler per server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.ingest.backfill.filler import Filler
from services.ingest.backfill.heard import Heard
from services.ingest.backfill.jobs import recalled
from services.ingest.backfill.pace import Pace

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from services.ingest.collect.plan import Plan
    from services.ingest.opcua.session import Session
    from shared.bus import Bus
    from shared.domain import Gap


class Backfill:
    """Fills the gaps of every server that is collected; see `filler` for the card."""

    def __init__(
        self,
        folder: Path,
        bus: Bus,
        group: asyncio.TaskGroup,
        room: Callable[[], Awaitable[None]],
        *,
        rows_per_s: float,
    ) -> None:
        """Go on with what `folder` says is left.

        Args:
            folder: of the collector; exists.
            bus: with topic `backfill`.
            group: owns the fillers.
            room: returns when live readings do not need the machine.
            rows_per_s: most readings per second, until it is known how fast the
                archiver stores.

        Raises:
            JobsDamaged: what is left cannot be read.
        """
        self._jobs = recalled(folder)
        self._bus, self._group, self._room = bus, group, room
        self._pace = Pace(rows_per_s)
        self._fillers: dict[str, tuple[Filler, asyncio.Task[None]]] = {}

    def start(self, name: str, plan: Callable[[], Plan], session: Session) -> None:
        """Fill the gaps of a server from now on; `session` is the filler's own."""
        filler = Filler(
            jobs=self._jobs,
            bus=self._bus,
            session=session,
            plan=plan,
            room=self._room,
            pace=self._pace,
        )
        task = self._group.create_task(filler.run(), name=f"back-fill {name}")
        self._fillers[name] = filler, task

    def stop(self, name: str) -> None:
        """Stop asking a server; what is left of its gaps is kept."""
        _, task = self._fillers.pop(name)
        task.cancel()

    async def hear(self) -> None:
        """Take what the archiver asks for, of the servers collected here, for ever."""
        await Heard(
            self._bus, self._jobs, want=self._asked, stores=self._pace.stores
        ).run()

    def _asked(self, gaps: Sequence[Gap]) -> None:
        self.want(*(gap for gap in gaps if gap.server in self._fillers))

    def want(self, *gaps: Gap) -> None:
        """Take gaps; nothing happens before they have an end."""
        self._jobs.add(*gaps)
        for server in {gap.server for gap in gaps} & self._fillers.keys():
            self._fillers[server][0].wake.set()
