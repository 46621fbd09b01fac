"""The embedded PostgreSQL, started again when it dies."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.processes import FIRST_PAUSE_S, LONGEST_PAUSE_S
from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

_log = logging.getLogger(__name__)


@asynccontextmanager
async def kept_database(
    folder: Path, *, ended: Callable[[str], None]
) -> AsyncIterator[EmbeddedPostgres]:
    """Run PostgreSQL for the length of the block, again after each death.

    Bounded by: one server. When full: n/a. Order: n/a. Duplicates: the folder's lock
    allows one. Retries: at once, then 1 s doubling to 10 s, for ever. On cancel: the
    server stops, disconnecting its clients.

    Args:
        folder: its data; made when missing.
        ended: called with a sentence when the server died, with an empty one when it
            is back.
    """
    server = EmbeddedPostgres(folder)
    await asyncio.to_thread(server.prepare)
    try:
        await _launched(server)
        keeper = asyncio.create_task(_keep(server, ended))
        try:
            yield server
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
    finally:
        await asyncio.to_thread(server.stop)


async def _launched(server: EmbeddedPostgres) -> None:
    while not await asyncio.to_thread(server.ready, server.launch()):
        _log.warning("PostgreSQL could not start at once; trying %d", server.port)


async def _keep(server: EmbeddedPostgres, ended: Callable[[str], None]) -> None:
    port = server.port
    while True:
        code = await server.ended()
        ended(f"ended with code {code}; starting it again")
        pause_s = FIRST_PAUSE_S
        while not await _restarted(server, ended):
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        moved = f"is back on port {server.port}, not {port}; start fedbatch again"
        ended(moved if server.port != port else "")


async def _restarted(server: EmbeddedPostgres, ended: Callable[[str], None]) -> bool:
    try:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.prepare)
        await _launched(server)
    except FedbatchError as error:
        ended(str(error))
        return False
    return True
