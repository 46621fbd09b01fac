"""plant.yaml of the simulated plant: discovered as any server's, ids given once."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from services.ingest.opcua.discover import discover
from shared.plant import Plant, Vessel, parse_plant, render_plant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHECKS = "cho_checks.yaml"
"""The alarm set of the simulated CHO process: by tag, and residuals."""
SERVER = "simulated"
"""Name of the simulated plant's server; it outlives a change of port."""


async def simulated_plant(
    file: Path, url: str, *, certificates: Path, progress: Callable[[int], None]
) -> Plant:
    """Discover the simulated plant at `url` and write plant.yaml; return the plant.

    Args:
        file: plant.yaml; what it holds keeps its ids.
        url: where the simulated plant is served this time.
        certificates: folder for our certificate.
        progress: called with the number of nodes looked at.

    Raises:
        Unavailable: the server cannot be reached or browsed.
        PlantInvalid: the file was edited and is no plant any more.
    """
    known = _read(file, url)
    found = await discover(url, folder=certificates, known=known, progress=progress)
    plant = watched(named(found), known)
    _replace(file, render_plant(plant))
    return plant


def _read(file: Path, url: str) -> Plant | None:
    if not file.exists():
        return None
    return at(parse_plant(file.read_text("utf-8"), str(file)), url)


def _replace(file: Path, text: str) -> None:
    fresh = file.with_suffix(".yaml.new")
    fresh.write_text(text, "utf-8")
    fresh.replace(file)


def watched(plant: Plant, known: Plant | None) -> Plant:
    """Return the plant with our alarm set on vessels that were not known before.

    What a person changed in plant.yaml stays as it is.
    """
    before = {vessel.name for vessel in known.vessels} if known else set()
    checks = yaml.safe_load((files("deploy.embedded") / CHECKS).read_text("utf-8"))
    vessels = [
        vessel if vessel.name in before else _with_checks(vessel, checks)
        for vessel in plant.vessels
    ]
    return plant.model_copy(update={"vessels": tuple(vessels)})


def _with_checks(vessel: Vessel, checks: dict[str, Any]) -> Vessel:
    body = vessel.model_dump(exclude_defaults=True)
    for tag in body["tags"]:
        if tag["name"] in checks["tags"]:
            tag["checks"] = checks["tags"][tag["name"]]
    names = {tag["name"] for tag in body["tags"]}
    samples = [s for s in checks["samples"] if {s["sample"], s["online"]} <= names]
    learned = {"residuals": checks["residuals"], "samples": samples}
    return Vessel.model_validate({**body, **learned})


def at(plant: Plant, url: str) -> Plant:
    """Return the plant with its simulated server at `url`."""
    servers = [
        server.model_copy(update={"url": url}) if server.name == SERVER else server
        for server in plant.servers
    ]
    return plant.model_copy(update={"servers": tuple(servers)})


def named(plant: Plant) -> Plant:
    """Return the plant with a name for its one server that does not hold a port."""
    if len(plant.servers) != 1:
        return plant
    server = plant.servers[0].model_copy(update={"name": SERVER})
    vessels = [v.model_copy(update={"server": SERVER}) for v in plant.vessels]
    return plant.model_copy(update={"servers": (server,), "vessels": tuple(vessels)})
