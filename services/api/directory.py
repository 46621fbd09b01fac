"""Names to tags, vessels and servers; read again when the configuration changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.problems import Problem, hint, nearest
from shared.store import queries

if TYPE_CHECKING:
    from shared.store.queries import (
        Connection,
        StoredConfiguration,
        StoredServer,
        StoredTag,
        StoredVessel,
    )

_LOOK_S = 1.0
"""Least time between two looks whether the configuration changed."""


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that has a name, at one version of the configuration."""

    configuration: StoredConfiguration | None
    servers: dict[str, StoredServer]
    vessels: dict[str, StoredVessel]
    tags: dict[int, StoredTag]
    by_name: dict[str, StoredTag]
    by_vessel: dict[str, list[StoredTag]]
    """Tags by name; a vessel without tags has no entry."""

    @property
    def version(self) -> int | None:
        """Of the configuration; None before the first."""
        return None if self.configuration is None else self.configuration.version

    def tag(self, text: str) -> StoredTag:
        """Return the tag with this full name or id.

        Raises:
            Problem: 404 with the nearest known names.
        """
        found = self.by_name.get(text)
        if found is None and text.isascii() and text.isdigit():
            found = self.tags.get(int(text))
        if found is None:
            known = hint(nearest(text, self._candidates(text)))
            said = f"tag {text!r} is not known: expected `vessel/tag` or an id{known}"
            raise Problem(404, "unknown-tag", "No such tag", said)
        return found

    def vessel(self, name: str) -> StoredVessel:
        """Return the vessel. Raises Problem: 404 with the nearest known names."""
        if name not in self.vessels:
            said = f"vessel {name!r} is not known{hint(nearest(name, self.vessels))}"
            raise Problem(404, "unknown-vessel", "No such vessel", said)
        return self.vessels[name]

    def tags_of(self, vessel: str) -> list[StoredTag]:
        """Return the vessel's tags by name."""
        return self.by_vessel.get(vessel, [])

    def simulated(self, tag: StoredTag) -> bool:
        """Return whether the tag's server is a simulation."""
        server = self.servers.get(tag.server)
        return server is not None and server.simulated

    def _candidates(self, text: str) -> list[str]:
        """Return names worth comparing: of the vessel, else of the nearest vessels."""
        vessel, _, _ = text.partition("/")
        close = [vessel] if vessel in self.vessels else nearest(vessel, self.vessels)
        own = [tag.full_name for name in close for tag in self.tags_of(name)]
        elsewhere = [f"{name}/{text}" for name in list(self.vessels)[:100]]
        return own + [name for name in elsewhere if name in self.by_name]


class Directory:
    """The newest Names, looked up at most once a second."""

    def __init__(self) -> None:
        self.seen: Names | None = None
        """The names looked up last."""
        self._version: tuple[object, ...] = ()
        self._looked = float("-inf")

    async def names(self, connection: Connection) -> Names:
        """Return the names that hold now."""
        if self.seen is not None and time.monotonic() - self._looked < _LOOK_S:
            return self.seen
        version = await queries.plant_version(connection)
        if self.seen is None or version != self._version:
            self.seen = await _read(connection)
            self._version = version
        self._looked = time.monotonic()
        return self.seen


async def _read(connection: Connection) -> Names:
    tags = await queries.tags(connection)
    by_vessel: dict[str, list[StoredTag]] = {}
    for tag in sorted(tags, key=lambda each: each.name):
        if tag.vessel is not None:
            by_vessel.setdefault(tag.vessel, []).append(tag)
    return Names(
        configuration=await queries.configuration(connection),
        servers={server.name: server for server in await queries.servers(connection)},
        vessels={vessel.name: vessel for vessel in await queries.vessels(connection)},
        tags={tag.id: tag for tag in tags},
        by_name={tag.full_name: tag for tag in tags},
        by_vessel=by_vessel,
    )
