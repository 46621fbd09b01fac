"""What a plant names twice, and what it names that is not there. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.located import Path
    from shared.plant import Plant


def disagreements(plant: Plant) -> list[tuple[Path, str]]:
    """Return what is used twice and which servers are unknown, with their places."""
    seen: dict[tuple[str, object], Path] = {}
    problems: list[tuple[Path, str]] = []
    for path, what, value in _uses(plant):
        if (what, value) in seen:
            problems.append((path, f"{what} {value!r} is used before: expected once"))
        seen.setdefault((what, value), path)
    known = {server.name for server in plant.servers}
    for path, name in _server_uses(plant):
        if name not in known:
            expected = f"expected one of {sorted(known)}"
            problems.append((path, f"server {name!r} is not in `servers`: {expected}"))
    return problems


def _uses(plant: Plant) -> Iterator[tuple[Path, str, object]]:
    for i, server in enumerate(plant.servers):
        yield ("servers", i, "name"), "server name", server.name
        yield ("servers", i, "heartbeat", "id"), "tag id", server.heartbeat.id
    for i, vessel in enumerate(plant.vessels):
        yield ("vessels", i, "name"), "vessel name", vessel.name
        for j, tag in enumerate(vessel.tags):
            place: Path = ("vessels", i, "tags", j)
            node = f"{plant.server_of(vessel, tag)} {tag.node}"
            yield (*place, "id"), "tag id", tag.id
            yield (*place, "name"), "tag name", f"{vessel.name}/{tag.name}"
            yield (*place, "node"), "node", node


def _server_uses(plant: Plant) -> Iterator[tuple[Path, str]]:
    for i, vessel in enumerate(plant.vessels):
        yield ("vessels", i, "server"), vessel.server
        for j, tag in enumerate(vessel.tags):
            if tag.server is not None:
                yield ("vessels", i, "tags", j, "server"), tag.server
