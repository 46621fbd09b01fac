"""A TCP proxy that breaks connections on request."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Proxy:
    """Carries bytes to and from one address; `port` is where it listens.

    `cut` resets what is open and refuses what comes; `black_hole` keeps connections
    open and loses every byte; `heal` carries again (connections that lost bytes stay
    lost: they are reset).
    """

    def __init__(self, target_port: int, host: str = "127.0.0.1") -> None:
        self._target = target_port
        self._host = host
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._carries = True
        self._refuses = False
        self.port = 0
        self.channels = 0
        """OpenSecureChannel messages carried, requests and answers."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self._reset()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._refuses = True
        self._reset()

    def black_hole(self) -> None:
        """Lose every byte from now on; nobody is told."""
        self._carries = False

    def heal(self) -> None:
        """Carry bytes of new connections again."""
        if not self._carries:
            self._reset()
        self._carries, self._refuses = True, False

    def retarget(self, port: int) -> None:
        """Carry new connections to another port."""
        self._target = port

    def _reset(self) -> None:
        for writer in [*self._open]:
            writer.transport.abort()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pair(reader, writer)
        except asyncio.CancelledError:
            pass  # `__aexit__` ends what is carried; asyncio would report it
        finally:
            self._tasks.discard(task)

    async def _pair(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open.add(writer)
        try:
            if self._refuses:
                return
            with contextlib.suppress(OSError):
                there, back = await asyncio.open_connection(self._host, self._target)
                self._open.add(back)
                try:
                    await asyncio.gather(
                        self._carry(reader, back), self._carry(there, writer)
                    )
                finally:
                    self._open.discard(back)
                    back.transport.abort()
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._carries:
                    self.channels += data.startswith(b"OPN")
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()
