"""Starts services as child processes, starts again what died, stops all in order."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping
    from pathlib import Path

FIRST_PAUSE_S = 1.0
"""Before the first new start of a child that died; doubled for each further one."""
LONGEST_PAUSE_S = 10.0
_STEADY_S = 30.0
"""A child that lived this long begins again with the first pause."""
_END_S = 10.0
"""How long a child may take to stop when asked; then it is killed."""
_NAMED_SITUATION = 2
"""Exit code of shared.process for an error that says what, where and the expected."""
_LOG_KEPT_BYTES = 16 * 1024 * 1024
"""A longer log file is set aside as `.log.1` when its process starts."""
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Service:
    """One child process: `python -m module` with exactly this environment."""

    name: str
    """Also the name of its log file."""
    module: str
    environment: Mapping[str, str] = field(repr=False)


@dataclass(slots=True)
class ServiceState:
    """What the supervisor knows of one service now."""

    service: Service
    pid: int | None = None
    """None while it does not run."""
    starts: int = 0
    exit_code: int | None = None
    """Of the last run that ended by itself; negative for a signal."""
    situation: str = ""
    """Why it ended, in its own words; empty after a steady run."""
    pause_s: float = 0.0
    """While it does not run: how long until the next start."""


class Supervisor:
    """Owns the child processes for the length of an `async with` block.

    Bounded by: one process per service. When full: n/a. Order: services stop in the
    order in which they were started, each ended before the next is asked, so that what
    a source has sent still reaches the end. Duplicates: a service runs again only after
    its last process has ended. Retries: for ever, 1 s doubling to 10 s. On cancel: all
    children are asked to stop, and killed after 10 s each.
    """

    def __init__(
        self,
        logs: Path,
        *,
        inherit: tuple[int, ...] = (),
        first_pause_s: float = FIRST_PAUSE_S,
        end_s: float = _END_S,
        said: Callable[[ServiceState], None] | None = None,
    ) -> None:
        """Prepare; nothing starts yet.

        Args:
            logs: folder of the log files, one per service; made when missing.
            inherit: file descriptors that every child keeps open.
            first_pause_s: before the first new start of a child that died.
            end_s: how long a child may take to stop when asked.
            said: called whenever the state of a service has changed.
        """
        self.states: dict[str, ServiceState] = {}
        self._logs = logs
        self._inherit = inherit
        self._first_pause_s = first_pause_s
        self._end_s = end_s
        self._said = said
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop_all()

    async def stop_all(self) -> None:
        """Stop every service, in the order in which they were started."""
        for name in list(self._keepers):
            await self.stop(name)

    async def start(self, service: Service) -> ServiceState:
        """Start a service and keep it running; returns when its process exists."""
        state = ServiceState(service)
        self.states[service.name] = state
        process = await self._spawn(state)
        self._keepers[service.name] = asyncio.create_task(self._keep(state, process))
        return state

    async def stop(self, name: str) -> None:
        """Ask one service to end and wait until it has; kill it after the time-out."""
        keeper = self._keepers.pop(name)
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; looked at whenever a state has changed."""
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _keep(self, state: ServiceState, process: Process) -> None:
        pause_s = self._first_pause_s
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                state.exit_code = await process.wait()
            except asyncio.CancelledError:
                await self._end(process)
                state.pid = None
                raise
            if loop.time() - began > _STEADY_S:
                pause_s = self._first_pause_s
            state.pid, state.pause_s = None, pause_s
            state.situation = self._why(state)
            await self._tell(state)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            process = await self._spawn(state)

    async def _spawn(self, state: ServiceState) -> Process:
        path = self.log_file(state.service.name)
        if path.exists() and path.stat().st_size > _LOG_KEPT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                state.service.module,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(state.service.environment),
                pass_fds=self._inherit,
                start_new_session=True,
            )
        state.pid = process.pid
        state.starts += 1
        await self._tell(state)
        return process

    async def _end(self, process: Process) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._end_s):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _tell(self, state: ServiceState) -> None:
        if self._said is not None:
            self._said(state)
        async with self._changed:
            self._changed.notify_all()

    def log_file(self, name: str) -> Path:
        """Return where a service's output goes."""
        return self._logs / f"{name}.log"

    def _why(self, state: ServiceState) -> str:
        if state.exit_code is not None and state.exit_code < 0:
            return f"ended by {signal.Signals(-state.exit_code).name}"
        last = last_line(self.log_file(state.service.name))
        if state.exit_code == _NAMED_SITUATION:
            return last.removeprefix(f"{state.service.name}: ")
        return f"exit code {state.exit_code}: {last}"


def last_line(path: Path) -> str:
    """Return the last line of a log file that is not empty; empty if there is none."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
