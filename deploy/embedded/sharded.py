"""One simulated site over several processes, with one plant.yaml for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.embedded.processes import Service
from deploy.embedded.services import MODULES, SIMULATOR
from deploy.embedded.simulated import watched
from deploy.settings import inherited_environment
from services.ingest.opcua.discover import discover
from shared.plant import parse_plant, render_plant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from shared.plant import Plant

MOST_VESSELS = 1_500
"""That one process serves by default; docs/simulator.md has what limits it."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One process of the site, from 1."""

    number: int
    shards: int
    port: int
    data: Path

    @property
    def name(self) -> str:
        """Return the name of its server in plant.yaml; it outlives a change of port."""
        return f"simulated-{self.number}"

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"opc.tcp://127.0.0.1:{self.port}"

    def service(self, settings: Mapping[str, str]) -> Service:
        """Return its process; `settings` are those of the site, without prefix."""
        own = {
            **settings,
            "SHARD": str(self.number),
            "SHARDS": str(self.shards),
            "PORT": str(self.port),
            "DATA": str(self.data / self.name),
            "STOP_WITH_PARENT": "true",
        }
        given = {f"FEDBATCH_SIMULATOR_{key}": value for key, value in own.items()}
        environment = {**inherited_environment(SIMULATOR), **given}
        return Service(
            self.name, MODULES[SIMULATOR], {**environment, "PYTHONUNBUFFERED": "1"}
        )


def shards_for(vessels: int) -> int:
    """Return how many processes serve so many vessels.

    >>> [shards_for(vessels) for vessels in (1, 1500, 1501, 10000)]
    [1, 1, 2, 7]
    """
    return -(-vessels // MOST_VESSELS)


async def discovered(
    file: Path,
    shards: list[Shard],
    *,
    watched_vessels: Collection[str],
    certificates: Path,
    progress: Callable[[Shard, int], None],
) -> Plant:
    """Discover all shards and write one plant.yaml; return the plant.

    Args:
        file: plant.yaml; what it holds keeps its ids and what a person changed.
        shards: all of them listen.
        watched_vessels: names of those that get the alarm set of CHO.
        certificates: folder for our certificate.
        progress: called with the shard and the number of its nodes looked at.

    Raises:
        Unavailable: a server cannot be reached or browsed.
        PlantInvalid: the file was edited and is no plant any more.
    """
    plant = known = _read(file)
    for shard in shards:
        plant = await discover(
            shard.url,
            folder=certificates,
            known=None if plant is None else _moved(plant, shard),
            progress=lambda nodes, shard=shard: progress(shard, nodes),  # type: ignore[misc]
        )
        plant = _named(plant, shard)
    assert plant is not None  # noqa: S101  there is a shard
    plant = watched(plant, known, watched_vessels)
    _replace(file, plant)
    return plant


def _read(file: Path) -> Plant | None:
    return parse_plant(file.read_text("utf-8"), str(file)) if file.exists() else None


def _replace(file: Path, plant: Plant) -> None:
    fresh = file.with_suffix(".yaml.new")
    fresh.write_text(render_plant(plant), "utf-8")
    fresh.replace(file)


def _moved(plant: Plant, shard: Shard) -> Plant:
    """Return the plant with a shard's server, if it knows it, where it is this time."""
    servers = [
        one.model_copy(update={"url": shard.url}) if one.name == shard.name else one
        for one in plant.servers
    ]
    return plant.model_copy(update={"servers": tuple(servers)})


def _named(plant: Plant, shard: Shard) -> Plant:
    """Return the plant with a name of the shard's server that does not hold a port."""
    (found,) = (one.name for one in plant.servers if one.url == shard.url)
    servers = [
        one.model_copy(update={"name": shard.name}) if one.name == found else one
        for one in plant.servers
    ]
    vessels = [
        one.model_copy(update={"server": shard.name}) if one.server == found else one
        for one in plant.vessels
    ]
    return plant.model_copy(
        update={"servers": tuple(servers), "vessels": tuple(vessels)}
    )
