"""`fedbatch watch` and the demo's view in a real terminal: `a` acknowledges."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest

from services.api.moments import now_us
from shared.events import CommandKind
from tests.integration.api.stored import Client, S, StoredPlant
from tests.integration.api.test_commands import logged
from tests.neighbours.said import raised

if TYPE_CHECKING:
    from asyncio.subprocess import Process

WATCH = ("-m", "deploy.command", "watch", "--url")
DEMO = (
    "-c",
    "import asyncio, sys\n"
    "from deploy.embedded.screen import Screen\n"
    "from deploy.embedded.wanted import Wanted\n"
    "shown = Screen(Wanted())\n"
    "shown.up(sys.argv[1])\n"
    "asyncio.run(shown.show())\n",
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A terminal of 120 by 45 with one program on it."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.openpty()
        self.said = ""
        self._more = asyncio.Event()

    async def start(self, *arguments: str) -> Process:
        loop = asyncio.get_running_loop()
        loop.add_reader(self.ours, self._read)
        size = {"COLUMNS": "120", "LINES": "45", "TERM": "xterm-256color"}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments),
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            env=os.environ | size,
        )

    def _read(self) -> None:
        text = os.read(self.ours, 65_536).decode("utf-8", "replace")
        self.said += _CONTROL.sub("", text)
        self._more.set()

    async def until(self, words: str) -> None:
        """Wait until the program has shown these words."""
        async with asyncio.timeout(60):
            while words not in self.said:
                self._more.clear()
                await self._more.wait()

    def press(self, key: str) -> None:
        os.write(self.ours, key.encode())

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.ours)
        os.close(self.ours)
        os.close(self.theirs)


@pytest.mark.parametrize("program", [WATCH, DEMO], ids=["watch", "demo"])
async def test_an_alarm_is_explained_in_the_terminal_and_a_acknowledges_it(
    plant: StoredPlant, api: Client, program: tuple[str, ...]
) -> None:
    alarm = raised(now_us() - 60 * S, priority=1)
    await plant.put_events(alarm)
    terminal = Terminal()
    process = await terminal.start(*program, str(api.http.base_url).rstrip("/"))
    try:
        await terminal.until("TIC-101.PV 37.8, expected at most 37.5 Cel")
        await terminal.until("Look at the jacket.")
        terminal.press("a")
        await terminal.until("acknowledgement sent")
        (command,) = await logged(plant)
        assert (command.kind, command.alarm) == (CommandKind.ACKNOWLEDGE, alarm.alarm)
        if program is WATCH:
            terminal.press("q")
            async with asyncio.timeout(30):
                assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()
