"""The supervisor with real small child processes."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from deploy.embedded.processes import Service, Supervisor, last_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STEADY = """
import pathlib, signal, sys
book = pathlib.Path("{book}")
def end(*_):
    with book.open("a") as f: f.write("{name} ended\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with book.open("a") as f: f.write("{name} began\\n")
while True: signal.pause()
"""
_STUBBORN = """
import pathlib, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with pathlib.Path("{book}").open("a") as f: f.write("ready\\n")
while True: signal.pause()
"""
_REFUSING = """
import sys
print("{name}: LogMissing: no log at /nowhere: expected a folder", file=sys.stderr)
sys.exit(2)
"""


class Diary:
    """A pipe with a name that all children of a test write lines into."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._pipe = os.open(path, os.O_RDWR)
        self._lines: list[str] = []

    async def line(self) -> str:
        """Return the next line; hangs no longer than a test may."""
        if not self._lines:
            await asyncio.to_thread(select.select, [self._pipe], [], [], 60)
            self._lines = os.read(self._pipe, 4096).decode().splitlines()
        return self._lines.pop(0)

    def close(self) -> None:
        os.close(self._pipe)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Diary]:
    diary = Diary(tmp_path / "book")
    yield diary
    diary.close()


def _service(folder: Path, name: str, text: str, book: Diary) -> Service:
    """Return a service whose module lies in `folder`."""
    module = f"child_{name}"
    (folder / f"{module}.py").write_text(text.format(name=name, book=book.path))
    return Service(name, module, {**os.environ, "PYTHONPATH": str(folder)})


async def test_services_stop_in_the_order_they_started(
    tmp_path: Path, book: Diary
) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        for name in ("simulator", "collector", "archiver"):
            await supervisor.start(_service(tmp_path, name, _STEADY, book))
            assert await book.line() == f"{name} began"
    ended = [await book.line() for _ in range(3)]
    assert ended == ["simulator ended", "collector ended", "archiver ended"]


async def test_a_killed_child_is_started_again_and_the_reason_said(
    tmp_path: Path, book: Diary
) -> None:
    async with Supervisor(tmp_path / "logs", first_pause_s=0.05) as supervisor:
        state = await supervisor.start(_service(tmp_path, "archiver", _STEADY, book))
        assert await book.line() == "archiver began"
        assert state.pid is not None
        first = state.pid
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(60):
            await supervisor.until(lambda: state.starts == 2)
        assert state.situation == "ended by SIGKILL"
        assert state.pid not in {None, first}


async def test_a_named_situation_is_repeated_in_the_words_of_the_service(
    tmp_path: Path, book: Diary
) -> None:
    async with Supervisor(tmp_path / "logs", first_pause_s=5) as supervisor:
        state = await supervisor.start(_service(tmp_path, "api", _REFUSING, book))
        async with asyncio.timeout(60):
            await supervisor.until(lambda: state.exit_code is not None)
        assert state.exit_code == 2
        assert state.situation == "LogMissing: no log at /nowhere: expected a folder"


async def test_the_pause_doubles_for_each_further_death(
    tmp_path: Path, book: Diary
) -> None:
    pauses: list[float] = []
    async with Supervisor(
        tmp_path / "logs",
        first_pause_s=0.01,
        said=lambda state: pauses.append(state.pause_s) if state.pid is None else None,
    ) as supervisor:
        state = await supervisor.start(_service(tmp_path, "api", _REFUSING, book))
        async with asyncio.timeout(60):
            await supervisor.until(lambda: state.starts == 4)
    assert pauses[:3] == [0.01, 0.02, 0.04]


async def test_a_child_that_does_not_stop_is_killed(
    tmp_path: Path, book: Diary
) -> None:
    async with Supervisor(tmp_path / "logs", end_s=0.3) as supervisor:
        state = await supervisor.start(_service(tmp_path, "api", _STUBBORN, book))
        assert await book.line() == "ready"
        pid = state.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


_OWNER = """
import asyncio, os, pathlib, sys
from deploy.embedded.processes import Service, Supervisor
async def main():
    folder = pathlib.Path(sys.argv[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    async with Supervisor(folder / "logs") as supervisor:
        state = await supervisor.start(Service("child", "child_child", environment))
        print(state.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
_ORPHANED = """
import os, pathlib, signal
from shared.process import stop_with_parent
stop_with_parent()
with pathlib.Path("{book}").open("a") as f: f.write("ready\\n")
while True: signal.pause()
"""


async def test_children_end_when_their_supervisor_is_killed(
    tmp_path: Path, book: Diary
) -> None:
    _service(tmp_path, "child", _ORPHANED, book)
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _OWNER, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    assert owner.stdout is not None
    child = psutil.Process(int(await owner.stdout.readline()))
    assert await book.line() == "ready"
    owner.kill()
    await owner.communicate()
    _, alive = await asyncio.to_thread(psutil.wait_procs, [child], timeout=30)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def test_the_last_line_of_an_empty_log_is_empty(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.touch()
    assert last_line(log) == ""
