"""`fedbatch watch`: the terminal, the keyboard and the clock round the list."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from deploy.alarms.asking import Api
from deploy.alarms.keyboard import KEY_BYTES, keyboard
from deploy.alarms.selection import Listed, Wish, keys, pressed, renewed
from deploy.alarms.view import plain, screen
from shared.domain import FedbatchError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from deploy.alarms.alarm import Alarm
    from deploy.alarms.asking import Access

LOOK_S = 1.0
"""Pause between two questions for the list."""


async def watch(access: Access) -> None:
    """Show the alarms until `q`, or for ever where there is no terminal.

    Raises:
        AnswerRefused: without a terminal, when the API does not let us.
    """
    console = Console()
    async with Api(access) as api:
        if console.is_terminal and sys.stdin.isatty():
            await Screen(console, api, access.url).run()
        else:
            await tell(api, console)


async def tell(api: Api, console: Console) -> None:
    """Print one line for each alarm and each change of its state, for ever.

    On cancel: ends. While the API is away: says so once, and goes on asking.
    """
    known: dict[str, str] = {}
    trouble = ""
    while True:
        try:
            alarms, _ = await api.alarms()
        except Unavailable as error:
            if not trouble:
                trouble = str(error)
                _say(console, f"no answer: {trouble}")
        else:
            if trouble:
                _say(console, "answers again")
                trouble = ""
            for line in news(known, alarms, time.time()):
                _say(console, line)
            known = {alarm.id: alarm.state for alarm in alarms}
        await asyncio.sleep(LOOK_S)


def news(known: Mapping[str, str], alarms: Sequence[Alarm], now: float) -> list[str]:
    """Return a line for each alarm whose state is not the known one, or is gone."""
    lines = [plain(a, now) for a in alarms if known.get(a.id) != a.state]
    gone = known.keys() - {alarm.id for alarm in alarms}
    return lines + [f"alarm {alarm} is not active any more" for alarm in sorted(gone)]


def _say(console: Console, line: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    console.print(
        f"{stamp}  {line}", markup=False, highlight=False, soft_wrap=True, emoji=False
    )


class Screen:
    """The list on the whole terminal.

    Bounded by: 200 alarms and one acknowledgement under way. When full: a key waits.
    Order: of keys. Duplicates: an acknowledgement that is sent again has no effect.
    On cancel: the terminal is given back as it was.
    """

    def __init__(self, console: Console, api: Api, url: str) -> None:
        self._console = console
        self._api = api
        self._listed = Listed(now=time.time(), url=url)
        self._typed: asyncio.Queue[str] = asyncio.Queue(maxsize=KEY_BYTES)
        self._draw: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Show, until `q`."""
        with (
            Live(console=self._console, auto_refresh=False, screen=True) as live,
            keyboard(self._take),
        ):

            def draw() -> None:
                height = self._console.size.height
                live.update(screen(self._listed, height), refresh=True)

            self._draw = draw
            asking = asyncio.create_task(self._ask_for_ever())
            acting = asyncio.create_task(self._act())
            done, rest = await asyncio.wait(
                (asking, acting), return_when=asyncio.FIRST_COMPLETED
            )
            for task in rest:
                task.cancel()
            await asyncio.wait(rest)
            for task in done:
                task.result()

    def _take(self, typed: str) -> None:
        if not self._typed.full():
            self._typed.put_nowait(typed)

    async def _ask_for_ever(self) -> None:
        while True:
            await self._ask()
            await asyncio.sleep(LOOK_S)

    async def _ask(self) -> None:
        try:
            alarms, more = await self._api.alarms()
        except FedbatchError as error:
            self._listed = replace(self._listed, trouble=str(error))
            self._show()
        else:
            self._listed = renewed(self._listed, alarms, more=more)
            self._show()

    async def _act(self) -> None:
        """Do what keys ask for; return when that is the end."""
        while True:
            for key in keys(await self._typed.get()):
                self._listed, wish = pressed(self._listed, key)
                if wish is Wish.QUIT:
                    return
                self._show()
                if wish is Wish.ACKNOWLEDGE:
                    await self._acknowledge()

    async def _acknowledge(self) -> None:
        alarm = self._listed.current
        if alarm is None:
            return
        try:
            await self._api.acknowledge(alarm)
        except FedbatchError as error:
            said = f"not acknowledged: {error}"
            self._listed = replace(self._listed, notice=said)
        else:
            sent = self._listed.sent | {(alarm.id, alarm.state)}
            said = f"{alarm.tag}: acknowledgement sent"
            self._listed = replace(self._listed, sent=sent, notice=said)
        self._show()

    def _show(self) -> None:
        self._listed = replace(self._listed, now=time.time())
        self._draw()
