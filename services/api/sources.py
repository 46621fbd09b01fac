"""Where answers come from, as every route gets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from shared.domain import Unavailable

if TYPE_CHECKING:
    from services.api.commands import Commands
    from services.api.directory import Directory, Names
    from services.api.health import Health
    from services.api.live import Live
    from shared.store.queries import Database


@dataclass(frozen=True, slots=True)
class Sources:
    """The database, the log's tail, what is known by name, and the way for commands."""

    database: Database
    live: Live
    directory: Directory
    health: Health
    commands: Commands

    async def names(self) -> Names:
        """Return the names; those seen last while the database is away.

        Raises:
            Unavailable: the database is away and was never read.
        """
        try:
            async with self.database.read() as connection:
                return await self.directory.names(connection)
        except Unavailable:
            if self.directory.seen is None:
                raise
            return self.directory.seen


def sources(connection: HTTPConnection) -> Sources:
    """Return what the app opened when it started."""
    opened: Sources = connection.app.state.sources
    return opened


From = Annotated[Sources, Depends(sources)]
