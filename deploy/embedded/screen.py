"""What `fedbatch demo` says: steps, then a live view, plain lines or JSON."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from rich.console import Console
from rich.live import Live

from deploy.alarms.asking import Access, Api, actor_name
from deploy.alarms.keyboard import KEY_BYTES, keyboard
from deploy.alarms.selection import keys
from deploy.embedded.steps import Steps
from deploy.embedded.view import Picture, ServiceLine, drawn, plain
from deploy.embedded.watching import Watch
from shared.domain import FedbatchError

if TYPE_CHECKING:
    from deploy.embedded.processes import ServiceState, Supervisor
    from deploy.embedded.wanted import Wanted

_LOOK_S = 1.0
_PLAIN_EVERY_S = 10.0
"""Without a terminal, and not sooner than something has changed."""


class Screen:
    """Everything that a person, or with `--json` a program, is told.

    With `--json` standard output has one JSON object a line (`event` is `up`, `live`
    or `end`), and people read standard error.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._console = Console(stderr=wanted.json)
        self._json = wanted.json
        self._title = "fedbatch demo" if wanted.plant is None else "fedbatch run"
        self.steps = Steps(self._console)
        self._supervisor: Supervisor | None = None
        self._database = ""
        self._notice = ""
        self._watch: Watch | None = None
        self._picture = Picture(now=time.time())
        self._timings: dict[str, float] = {}
        self._history_s = (
            wanted.history.total_seconds() if wanted.plant is None else None
        )

    def watch(self, supervisor: Supervisor) -> None:
        """Show the states of these services from now on."""
        self._supervisor = supervisor

    def database_said(self, text: str) -> None:
        """Show what became of the embedded database."""
        self._database = text

    def up(self, url: str) -> None:
        """Say that the API answers."""
        self._watch = Watch(url, self._history_s)
        self._timings["up_s"] = round(self.steps.seconds(), 2)
        self._tell("up", url=url)

    async def show(self) -> None:
        """Show the plant until cancelled."""
        if self._watch is None:
            return
        async with self._watch:
            if self._console.is_terminal and not self._json:
                await self._show_drawn(self._watch)
            else:
                await self._show_plain(self._watch)

    async def _show_drawn(self, watch: Watch) -> None:
        typed: asyncio.Queue[str] = asyncio.Queue(maxsize=KEY_BYTES)
        who = Access(watch.url, actor_name(getpass.getuser()))
        live = Live(console=self._console, auto_refresh=False, screen=False)

        def take(text: str) -> None:
            if not typed.full():
                typed.put_nowait(text)

        async with Api(who) as api:
            with live, keyboard(take):
                while True:
                    await self._look(watch)
                    urls = addresses(watch.url, watch.example)
                    shown = drawn(self._picture, self._title, urls, self._notice)
                    live.update(shown, refresh=True)
                    await self._act(typed, api)

    async def _act(self, typed: asyncio.Queue[str], api: Api) -> None:
        """Wait until it is time to look again, or do what a key asks for."""
        pressed: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                pressed = keys(await typed.get())
        alarm = self._picture.waits
        if "acknowledge" not in pressed or alarm is None:
            return
        try:
            await api.acknowledge(alarm)
        except FedbatchError as error:
            self._notice = f"not acknowledged: {error}"
        else:
            self._notice = f"{alarm.vessel} {alarm.tag}: acknowledgement sent"

    async def _show_plain(self, watch: Watch) -> None:
        told = 0
        said, live = 0.0, False
        while True:
            await self._look(watch)
            known = addresses(watch.url, watch.example)
            for name, address in known[told:]:
                self.steps.note(f"{name}: {address}")
            told = len(known)
            changed = self._picture.live != live
            if changed or time.monotonic() - said > _PLAIN_EVERY_S:
                self.steps.note(plain(self._picture))
                said, live = time.monotonic(), self._picture.live
            await asyncio.sleep(_LOOK_S)

    async def _look(self, watch: Watch) -> None:
        self._picture = await watch.look(self._services())
        if self._picture.stored and "first_stored_s" not in self._timings:
            self._timings["first_stored_s"] = round(self.steps.seconds(), 2)
        if self._picture.live and "live_s" not in self._timings:
            self._timings["live_s"] = round(self.steps.seconds(), 2)
            self._tell("live", url=watch.url)

    def _services(self) -> tuple[ServiceLine, ...]:
        states = () if self._supervisor is None else self._supervisor.states.values()
        lines = [service_line(state) for state in states]
        if self._database:
            lines.append(ServiceLine("PostgreSQL", self._database, well=False))
        return tuple(lines)

    def stopping(self) -> None:
        """Say that everything is being stopped."""
        self.steps.note("stopping; what has been sent is stored first")

    def ended(self) -> None:
        """Say the last word."""
        self._tell("end", url=None if self._watch is None else self._watch.url)
        self.steps.note(f"stopped after {self._picture.seen} readings")

    def _tell(self, event: str, **more: str | None) -> None:
        if not self._json:
            return
        picture = self._picture
        body = {
            "event": event,
            **more,
            **self._timings,
            "at_s": round(self.steps.seconds(), 2),
            "readings": picture.seen,
            "vessels": len(picture.vessels),
            "gaps": picture.gaps,
            "age_s": picture.age_s,
            "restarts": self._restarts(),
        }
        sys.stdout.write(json.dumps(body) + "\n")
        sys.stdout.flush()

    def _restarts(self) -> dict[str, int]:
        if self._supervisor is None:
            return {}
        return {name: s.starts - 1 for name, s in self._supervisor.states.items()}


def service_line(state: ServiceState) -> ServiceLine:
    """Return what is said of a service."""
    if state.pid is None:
        text = f"{state.situation}; starting again after {state.pause_s:.0f} s"
        return ServiceLine(state.service.name, text, well=False)
    restarts = f"restarted {state.starts - 1}x" if state.starts > 1 else ""
    return ServiceLine(state.service.name, restarts, well=True)


def addresses(url: str, tag: str | None) -> list[tuple[str, str]]:
    """Return what a user can open or try; `tag` is one that the plant has."""
    found = [("start page", f"{url}/"), ("how to ask", f"{url}/docs")]
    found.append(("alarms", f"fedbatch watch --url {url}"))
    if tag is not None:
        query = urlencode({"tag": tag, "start": "*-1h", "format": "csv"}, safe="/*")
        found.append(("try", f'curl "{url}/recorded?{query}"'))
    return found
