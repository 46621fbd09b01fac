"""Readiness: does every stage from instruments to people keep up, by the wall clock."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.known import STALE_US
from services.api.moments import iso, now_us
from shared.domain import US_PER_S, FedbatchError
from shared.store import queries_declared
from shared.store.queries_pushes import waiting_pushes

if TYPE_CHECKING:
    from services.api.directory import Directory, Names
    from services.api.live import Live
    from shared.store.queries import Database
    from shared.store.queries_declared import Beat
    from shared.store.queries_pushes import Waiting

_LOOK_S = 1.0
"""Least time between two looks at the database."""
_ANSWER_S = 5.0
"""Longest the database may take."""
STUCK_US = 60 * US_PER_S
"""A push that waits longer reaches nobody in time."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be right."""

    name: str
    ok: bool
    age_s: float | None
    """Seconds since it was last seen right; None when that is unknown."""
    detail: str


class Health:
    """Looks at the newest stored heartbeat of every server, the database and the log.

    A heartbeat is stored by every stage in turn (instrument or server, OPC UA,
    collector, log, archiver, database), so that its age tells of a stall of any. An
    alarm goes further, to those who are told: what waits for each tells of that.
    """

    def __init__(self, database: Database, live: Live, directory: Directory) -> None:
        self._database = database
        self._live = live
        self._directory = directory
        self._looking = asyncio.Lock()
        self._looked = float("-inf")
        self._answered: float | None = None
        self._beats: list[Beat] = []
        self._waiting: list[Waiting] = []
        self._names: Names | None = None
        self._trouble = ""

    async def checks(self) -> list[Check]:
        """Return every check; the database is asked at most once a second."""
        async with self._looking:
            if time.monotonic() - self._looked >= _LOOK_S:
                await self._look()
                self._looked = time.monotonic()
        return [self._database_check(), self._log_check(), *self._plant_checks()]

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S), self._database.read() as connection:
                self._beats = await queries_declared.beats(connection)
                self._waiting = await waiting_pushes(connection)
                self._names = await self._directory.names(connection)
        except TimeoutError:
            self._trouble = f"no answer within {_ANSWER_S:g} s"
        except FedbatchError as error:
            self._trouble = str(error)
        else:
            self._answered = time.monotonic()
            self._trouble = ""

    def _database_check(self) -> Check:
        return Check("database", not self._trouble, _age(self._answered), self._trouble)

    def _log_check(self) -> Check:
        age, detail = _age(self._live.heard), self._live.trouble
        fresh = age is not None and age * US_PER_S <= STALE_US
        return Check("log", fresh and not detail, age, detail)

    def _plant_checks(self) -> list[Check]:
        configured = self._names is not None and self._names.version is not None
        missing = "" if configured else "no configuration is stored: `fedbatch apply`"
        now = now_us()
        return [
            Check("configuration", configured, None, missing),
            *(_heartbeat(beat, now) for beat in self._beats),
            *(_push(waiting, now) for waiting in self._waiting),
        ]


def _heartbeat(beat: Beat, now: int) -> Check:
    name = f"heartbeat {beat.server}"
    if beat.received is None:
        return Check(name, ok=False, age_s=None, detail="none was ever stored")
    age = now - beat.received
    late = f"expected a stored heartbeat at most {STALE_US // US_PER_S} s old"
    ok = age <= STALE_US
    return Check(name, ok, max(age, 0) / US_PER_S, "" if ok else late)


def is_stuck(waits: Waiting, now: int) -> bool:
    """Whether the oldest push has waited too long at `now`, us UTC."""
    return waits.waiting_since is not None and now - waits.waiting_since > STUCK_US


def _push(waits: Waiting, now: int) -> Check:
    name, since = f"push {waits.target}", waits.waiting_since
    if since is None or not is_stuck(waits, now):
        return Check(name, ok=True, age_s=None, detail="")
    why = waits.error or "never tried: is the notifier running?"
    said = f"{waits.waiting} wait, the oldest since {iso(since)}: {why}"
    return Check(name, ok=False, age_s=(now - since) / US_PER_S, detail=said)


def _age(since: float | None) -> float | None:
    return None if since is None else time.monotonic() - since
