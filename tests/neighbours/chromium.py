"""A real Chromium without a screen, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.neighbours.missing import NeighbourMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

_START_S, _ANSWER_S, _APPEARS_S = 60, 30, 60


@dataclass
class Page:
    """One tab; what it asked for and complained about is kept."""

    socket: ClientConnection
    asked: list[str] = field(default_factory=list)
    """URLs of all requests."""
    complaints: list[str] = field(default_factory=list)
    """Errors of scripts, of the console and of the content security policy."""
    _answers: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def tell(self, method: str, **params: Any) -> Any:
        """Send a command and return its result."""
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        body = {"id": number, "method": method, "params": params}
        await self.socket.send(json.dumps(body))
        return await asyncio.wait_for(self._answers[number], _ANSWER_S)

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.tell(f"{domain}.enable")
        await self.tell("Page.navigate", url=url)

    async def value(self, script: str) -> Any:
        """Return what an expression gives."""
        said = await self.tell(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until an expression is true; return its value."""
        async with asyncio.timeout(_APPEARS_S):
            while not (found := await self.value(script)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found

    async def picture(self, file: Path, *, scheme: str, width: int = 1280) -> None:
        """Take a picture of the whole page in the colour scheme `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.tell("Emulation.setEmulatedMedia", features=features)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1}
        await self.tell("Emulation.setDeviceMetricsOverride", mobile=False, **metrics)
        said = await self.tell("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(said["data"]))

    async def listen(self) -> None:
        """Take answers and events until the tab is closed."""
        with suppress(ConnectionClosed):
            async for text in self.socket:
                self._heard(json.loads(text))

    def _heard(self, body: dict[str, Any]) -> None:
        if "id" in body:
            answer = self._answers.pop(body["id"])
            if not answer.done():
                answer.set_result(body.get("result", body.get("error")))
            return
        params = body["params"]
        match body["method"]:
            case "Network.requestWillBeSent":
                self.asked.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.complaints.append(json.dumps(params["entry"]))


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Page]:
    """Give an empty tab of a browser with its profile in the folder.

    Raises:
        NeighbourMissing: it is not installed.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise NeighbourMissing("chromium: install the Debian package chromium")
    process = await asyncio.create_subprocess_exec(
        program,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--disable-background-networking", "--no-proxy-server"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_START_S):
            url = await _tab(folder)
        async with connect(url, proxy=None, max_size=None) as socket:
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            yield page
        await listening
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def _tab(folder: Path) -> str:
    """Return the address of the first tab, from the file that the browser writes."""
    file = folder / "DevToolsActivePort"
    while not file.exists() or "\n" not in file.read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    port, browser = file.read_text().split("\n")[:2]
    async with connect(f"ws://127.0.0.1:{port}{browser}", proxy=None) as socket:
        while True:
            await socket.send('{"id": 1, "method": "Target.getTargets"}')
            targets = json.loads(await socket.recv())["result"]["targetInfos"]
            pages = [each["targetId"] for each in targets if each["type"] == "page"]
            if pages:
                return f"ws://127.0.0.1:{port}/devtools/page/{pages[0]}"
            await asyncio.sleep(0.05)
