"""Proxies on a loop of their own, so that a plain test can cut them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from tests.neighbours.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Wires:
    """TCP ways by name; each leads to a port of this machine."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._proxies: dict[str, Proxy] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for proxy in self._proxies.values():
            self._wait(proxy.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lay(self, name: str, port: int) -> int:
        """Make a way to `port`; return the port where it begins."""
        proxy = self._proxies[name] = Proxy(port)
        self._wait(proxy.__aenter__())
        return proxy.port

    def cut(self, name: str) -> None:
        """Reset the way's connections and refuse new ones."""
        self._do(self._proxies[name].cut)

    def black_hole(self, name: str) -> None:
        """Lose every byte on the way."""
        self._do(self._proxies[name].black_hole)

    def heal(self, name: str) -> None:
        """Carry again."""
        self._do(self._proxies[name].heal)

    def _do(self, act: Callable[[], None]) -> None:
        async def once() -> None:
            act()

        self._wait(once())

    def _wait(self, work: Coroutine[object, object, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
