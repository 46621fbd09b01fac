"""Servers, vessels and tags in the database, from the applied plant.yaml.

Tags have one row per version of their attributes; a first version holds from the
beginning of time, so that readings from before it was applied have attributes too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.plant import Report, parse_plant
from shared.store.acceptance import Kinds
from shared.store.moments import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.plant import Plant, Server, Tag, Vessel
    from shared.store.pool import Connection
    from shared.wire import ConfigurationRecord

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""`valid_from` of a tag's first version."""

_ATTRIBUTES = (
    *("name", "vessel", "server", "node", "type", "unit", "low", "high"),
    *("stepped", "report", "description", "provisional", "retired"),
)
_NEWEST = f"""
select distinct on (id) id, {", ".join(_ATTRIBUTES)} from tag
order by id, valid_from desc"""
_ADD_TAG = f"""
insert into tag (id, valid_from, {", ".join(_ATTRIBUTES)})
values ({", ".join(f"${n}" for n in range(1, len(_ATTRIBUTES) + 3))})
on conflict (id, valid_from) do update set
{", ".join(f"{name} = excluded.{name}" for name in _ATTRIBUTES)}"""
_ADD_PROVISIONAL = """
insert into tag (id, valid_from, name, server, node, type, unit, stepped, report,
                 description, provisional)
values ($1::int, $2, 'tag-' || $1::int, $3, '', 'number', '', false, 'each',
        'met in a reading before any configuration named it', true)
on conflict (id, valid_from) do nothing"""
_ADD_SERVER = """
insert into server (name, site, url, simulated, heartbeat) values ($1, $2, $3, $4, $5)
on conflict (name) do update set site = excluded.site, url = excluded.url,
simulated = excluded.simulated, heartbeat = excluded.heartbeat"""
_ADD_VESSEL = """
insert into vessel (name, site, area, server, partition, batch_tag, phase_tag,
                    product_tag, client_tag, state_tag, retired)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false)
on conflict (name) do update set site = excluded.site, area = excluded.area,
server = excluded.server, partition = excluded.partition,
batch_tag = excluded.batch_tag, phase_tag = excluded.phase_tag,
product_tag = excluded.product_tag, client_tag = excluded.client_tag,
state_tag = excluded.state_tag, retired = false"""
_SERVER_CLOCK = "i=2258"


class Role(StrEnum):
    """What a vessel's context tag says."""

    BATCH = "batch"
    PRODUCT = "product"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class KnownPlant:
    """What storing readings needs to know of the plant."""

    version: int = 0
    """Of the configuration; 0 before any."""
    tags: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    """Every id that has a row, ascending; provisional ones too."""
    context: Mapping[int, tuple[str, Role]] = field(default_factory=dict)
    """Vessel and role by tag id."""
    kinds: Kinds | None = None
    """What the configuration says of each tag's values."""
    servers: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Servers of the vessels of each partition of `plant`."""

    def unknown(self, tags: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the ids among `tags` that have no row, ascending."""
        place = np.searchsorted(self.tags, tags)
        known = place < len(self.tags)
        known[known] = self.tags[place[known]] == tags[known]
        return tags[:0] if known.all() else np.unique(tags[~known])


async def load_plant(connection: Connection) -> KnownPlant:
    """Return what the tables say."""
    version = await connection.fetchval("select max(version) from configuration")
    ids = await connection.fetch("select distinct id from tag order by id")
    types = await connection.fetch(
        "select distinct on (id) id, type, provisional from tag"
        " order by id, valid_from desc"
    )
    context: dict[int, tuple[str, Role]] = {}
    servers: dict[int, set[str]] = {}
    for row in await connection.fetch("select * from vessel where not retired"):
        servers.setdefault(row["partition"], set()).add(row["server"])
        for role in Role:
            if row[f"{role}_tag"] is not None:
                context[row[f"{role}_tag"]] = (row["name"], role)
    for row in await connection.fetch(
        "select distinct vessel.partition, tag.server from tag"
        " join vessel on vessel.name = tag.vessel"
        " where not tag.retired and not vessel.retired"
    ):
        servers.setdefault(row["partition"], set()).add(row["server"])
    return KnownPlant(
        version=version or 0,
        tags=np.array([row["id"] for row in ids], np.int32),
        context=context,
        kinds=Kinds(
            {row["id"]: row["type"] for row in types if not row["provisional"]}
        ),
        servers={number: frozenset(names) for number, names in servers.items()},
    )


async def store_configuration(
    connection: Connection, record: ConfigurationRecord
) -> bool:
    """Store an applied plant.yaml and what it says; part of the caller's transaction.

    It comes once on every partition; the first one does the work. A version older
    than one already stored is kept, but changes no server, vessel or tag.

    Returns:
        Whether this call stored it.

    Raises:
        PlantInvalid: the text is not a plant.yaml of this program's version.
    """
    plant = parse_plant(record.text, f"configuration version {record.version}")
    newest = await connection.fetchval("select max(version) from configuration")
    status = await connection.execute(
        "insert into configuration (version, sha256, text, applied_at, actor)"
        " values ($1, $2, $3, $4, $5) on conflict (version) do nothing",
        record.version,
        record.sha256,
        record.text,
        moment(record.applied_at),
        record.actor,
    )
    if status.endswith(" 0"):
        return False
    if newest is None or newest < record.version:
        await _store_plant(connection, plant, moment(record.applied_at))
    return True


async def store_provisional(connection: Connection, servers: Mapping[int, str]) -> None:
    """Give ids that no configuration names a flagged row; `servers` by tag id."""
    await connection.executemany(
        _ADD_PROVISIONAL,
        [(tag, BEGINNING, server) for tag, server in sorted(servers.items())],
    )


async def _store_plant(connection: Connection, plant: Plant, since: datetime) -> None:
    await connection.executemany(
        _ADD_SERVER,
        [
            (server.name, plant.site, server.url, server.simulated, server.heartbeat.id)
            for server in plant.servers
        ],
    )
    await connection.executemany(
        _ADD_VESSEL, [_vessel_row(plant, vessel) for vessel in plant.vessels]
    )
    await connection.execute(
        "update vessel set retired = true where name <> all($1::text[])",
        [vessel.name for vessel in plant.vessels],
    )
    await _store_tags(connection, _tag_rows(plant), since)


async def _store_tags(
    connection: Connection,
    wanted: Mapping[int, dict[str, Any]],
    since: datetime,
) -> None:
    """Add a version of each tag whose attributes changed; retire those left out."""
    stored = {row["id"]: dict(row) for row in await connection.fetch(_NEWEST)}
    versions = []
    for tag, attributes in wanted.items():
        before = stored.get(tag)
        if before is not None and all(before[n] == attributes[n] for n in _ATTRIBUTES):
            continue
        first = before is None or before["provisional"]
        values = [attributes[name] for name in _ATTRIBUTES]
        versions.append((tag, BEGINNING if first else since, *values))
    for tag, before in stored.items():
        if tag not in wanted and not before["provisional"] and not before["retired"]:
            values = [{**before, "retired": True}[name] for name in _ATTRIBUTES]
            versions.append((tag, since, *values))
    await connection.executemany(_ADD_TAG, versions)


def _vessel_row(plant: Plant, vessel: Vessel) -> tuple[Any, ...]:
    ids = {tag.name: tag.id for tag in vessel.tags}
    roles = vessel.context
    named = (roles.batch, roles.phase, roles.product, roles.client, roles.state)
    context = (None if name is None else ids[name] for name in named)
    place = (vessel.name, plant.site, vessel.area, vessel.server, vessel.partition)
    return (*place, *context)


def _tag_rows(plant: Plant) -> dict[int, dict[str, Any]]:
    rows = {
        server.heartbeat.id: _heartbeat_attributes(server) for server in plant.servers
    }
    for vessel in plant.vessels:
        for tag in vessel.tags:
            server_name = plant.server_of(vessel, tag)
            rows[tag.id] = _tag_attributes(tag, vessel.name, server_name)
    return rows


def _tag_attributes(tag: Tag, vessel: str, server: str) -> dict[str, Any]:
    low, high = tag.range if tag.range is not None else (None, None)
    return {
        "name": tag.name,
        "vessel": vessel,
        "server": server,
        "node": tag.node,
        "type": tag.type,
        "unit": tag.unit,
        "low": low,
        "high": high,
        "stepped": tag.is_stepped,
        "report": tag.reports.value,
        "description": tag.description,
        "provisional": False,
        "retired": False,
    }


def _heartbeat_attributes(server: Server) -> dict[str, Any]:
    node = server.heartbeat.node
    return {
        "name": "Heartbeat",
        "vessel": None,
        "server": server.name,
        "node": node,
        "type": "time" if node == _SERVER_CLOCK else "number",
        "unit": "",
        "low": None,
        "high": None,
        "stepped": True,
        "report": Report.CHANGE.value,
        "description": "proves that readings get through",
        "provisional": False,
        "retired": False,
    }
