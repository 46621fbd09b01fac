"""plant.yaml of the simulated plant: discovered as any server's, ids given once."""

from __future__ import annotations

import re
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from services.ingest.opcua.discover import discover
from shared.checks import Residual
from shared.plant import Plant, Vessel, check_names, parse_plant, render_plant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

CHECKS = ("cho_checks.yaml", "cho_balances.yaml")
"""The alarm set of the simulated CHO process: by tag, residuals and causes."""
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


def watched(
    plant: Plant, known: Plant | None, only: Collection[str] | None = None
) -> Plant:
    """Return the plant with our alarm set on vessels that were not known before.

    What a person changed in plant.yaml stays as it is.

    Args:
        plant: as it was discovered.
        known: as it was before.
        only: names of vessels that cultivate CHO; default: all do.
    """
    before = {vessel.name for vessel in known.vessels} if known else set()
    if only is not None:
        before |= {vessel.name for vessel in plant.vessels} - set(only)
    sets = [_read_checks(name) for name in CHECKS]
    vessels = [
        vessel if vessel.name in before else _with_checks(vessel, sets)
        for vessel in plant.vessels
    ]
    return plant.model_copy(update={"vessels": tuple(vessels)})


def _read_checks(name: str) -> dict[str, Any]:
    text = (files("deploy.embedded") / name).read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def _with_checks(vessel: Vessel, sets: Sequence[dict[str, Any]]) -> Vessel:
    """Return the vessel with the checks of `sets` that its tags allow."""
    names = {tag.name for tag in vessel.tags}
    sets = [one for one in sets if set(one.get("requires", ())) <= names]
    body = vessel.model_dump(exclude_defaults=True)
    for tag in body["tags"]:
        for checks in sets:
            _add(tag, checks["tags"].get(tag["name"], {}))
    numbers = {tag.name for tag in vessel.tags if tag.type == "number"}
    residuals = [
        residual
        for checks in sets
        for residual in map(partial(_spelt, checks), checks["residuals"])
        if set(Residual.model_validate(residual).tags) <= numbers
    ]
    better = {
        old
        for checks in sets
        for new, names in checks.get("instead_of", {}).items()
        for old in names
        if new in {residual["name"] for residual in residuals}
    }
    residuals = [one for one in residuals if one["name"] not in better]
    learned: dict[str, Any] = {
        "residuals": residuals,
        "samples": [
            sample
            for checks in sets
            for sample in checks.get("samples", ())
            if {sample["sample"], sample["online"]} <= names
        ],
        "skew": next((checks["skew"] for checks in sets if "skew" in checks), None),
    }
    found = Vessel.model_validate({**body, **learned})
    known = set(check_names(found))
    causes = [
        fitting
        for checks in sets
        for cause in checks.get("causes", ())
        if (fitting := _fitting(cause, known))
    ]
    return Vessel.model_validate({**body, **learned, "causes": causes})


def _add(tag: dict[str, Any], checks: dict[str, Any]) -> None:
    """Add checks to a tag; limits go beside those that are there."""
    if checks:
        found = tag.get("checks", {})
        limits = [*found.get("limits", ()), *checks.get("limits", ())]
        tag["checks"] = {**found, **checks, "limits": limits}


def _spelt(checks: dict[str, Any], residual: dict[str, Any]) -> dict[str, Any]:
    """Return a residual whose formula has the lines of its soft sensors in front."""
    if "formula" not in residual:
        return residual
    lines: list[str] = []
    wanted = residual["formula"]
    for name, formula in reversed(checks.get("soft_sensors", {}).items()):
        if re.search(rf"\b{name}\b", re.sub(r"\[[^\]]*\]", "", wanted)):
            lines.insert(0, f"{name} = {formula}")
            wanted = f"{formula}; {wanted}"
    return {**residual, "formula": "; ".join([*lines, residual["formula"]])}


def _fitting(cause: dict[str, Any], known: set[str]) -> dict[str, Any] | None:
    """Return a cause as far as the vessel has its checks; None: it has none."""
    left = {
        part: [name for name in cause.get(part, ()) if name.rstrip("+-") in known]
        for part in ("shows", "may")
    }
    return {**cause, **left} if left["shows"] else None


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
