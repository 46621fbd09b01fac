"""What the simulated plant generated, and which tags are whose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import yaml

from tests.chaos.equation import columns
from tests.system.site import whole_batches

if TYPE_CHECKING:
    from tests.system.site import Site


def generated(site: Site) -> pa.Table:
    """Return what the simulator put on record, in the order of sending."""
    ids = {
        tag["node"].partition(";")[2].removeprefix("s="): tag["id"]
        for tag in site.tags().values()
    }
    parts = []
    for path in sorted((site.folder / "simulator").glob("truth-*.arrow")):
        found = pa.Table.from_batches(whole_batches(path)).combine_chunks()
        for batch in found.to_batches():
            node = batch["node"]
            known = pa.array([ids.get(n) for n in node.dictionary.to_pylist()])
            tag = known.take(node.indices)
            rows = batch.filter(tag.is_valid())
            parts.append(
                columns(
                    tag.drop_null(),
                    *(rows[name] for name in ("time", "value", "status", "text")),
                )
            )
    return pa.concat_tables(parts)


def plant(site: Site) -> Any:
    """Return plant.yaml."""
    return yaml.safe_load(site.plant_yaml.read_text())


def tags_by_server(site: Site) -> dict[str, list[int]]:
    """Return the tag ids of each server."""
    found: dict[str, list[int]] = {}
    for vessel in plant(site)["vessels"]:
        ids = [tag["id"] for tag in vessel["tags"]]
        found.setdefault(vessel["server"], []).extend(ids)
    return found


def changing(site: Site) -> set[int]:
    """Return the tags of which the server reports changes only."""
    tags = site.get("/tags").json()["tags"]
    return {tag["id"] for tag in tags if tag["report"] == "change"}


def heartbeats(site: Site) -> list[int]:
    """Return the ids that belong to no vessel."""
    return [server["heartbeat"]["id"] for server in plant(site)["servers"]]
