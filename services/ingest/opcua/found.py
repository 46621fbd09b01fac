"""From variables that were found on a server to plant.yaml. Pure.

A vessel is the object that holds variables directly or through its loops, as flat
control systems show them: Objects/site/area/vessel/loop/PV. An object that holds
BatchId, Phase, Product or Client is a vessel; so is the object above a loop (an object
that holds PV, SP, Value and the like), with everything below it. Elsewhere it is the
object that holds the variable; without any, one vessel is named after the server.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.plant import Context, Heartbeat, Plant, Report, Server, Tag, Vessel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LOOP = frozenset(
    {"PV", "SP", "OUT", "MODE", "HI_LIM", "LO_LIM", "SIM", "CV", "MV"}
    | {"VALUE", "SETPOINT", "OUTPUT"}
)
"""Members of a loop, in capitals."""
_SET = frozenset({"SP", "MODE", "HI_LIM", "LO_LIM"})
"""Members that somebody sets: they hold between changes."""
_ROLES = {
    "BatchId": "batch",
    "Phase": "phase",
    "Product": "product",
    "Client": "client",
}
_STATE = "State"
"""Of the batch, where its object has a batch too; other objects have states as well."""
_HEARTBEAT = "Heartbeat"

Kind = Literal["number", "boolean", "enumeration", "string", "time"]


@dataclass(frozen=True, slots=True)
class Found:
    """One scalar variable."""

    node: str
    """As plant.yaml names it."""
    path: tuple[str, ...]
    """Browse names below Objects, the variable's own last."""
    type: Kind
    integer: bool = False
    unit: str = ""
    range: tuple[float, float] | None = None
    description: str = ""


def plant_of(
    found: Sequence[Found],
    server: Server,
    *,
    known: Plant | None,
    site: str | None,
    partitions: int,
) -> Plant:
    """Return the plant with what was found; everything in `known` stays as it is.

    Ids are given once: those of `known` are kept, also for variables that were not
    found, and new ones follow the highest. New vessels go to the partition with the
    fewest tags.
    """
    old = known or Plant.model_construct(site=site or _site(found), servers=())
    ids = _Ids(old)
    heart = next((f for f in found if f.path[-1] == _HEARTBEAT), None)
    servers = old.servers
    if all(s.name != server.name for s in servers):
        node = Heartbeat(id=ids.next(), node=heart.node) if heart else None
        beat = node or Heartbeat(id=ids.next())
        servers = (*servers, server.model_copy(update={"heartbeat": beat}))
    taken = {(old.server_of(v, t), t.node) for v in old.vessels for t in v.tags} | {
        (server.name, s.heartbeat.node) for s in servers if s.name == server.name
    }
    fresh = [f for f in found if (server.name, f.node) not in taken]
    vessels = _vessels(fresh, found, server.name, old, ids, partitions)
    return Plant(site=old.site, servers=servers, vessels=vessels)


class _Ids:
    """Gives ids that were never used."""

    def __init__(self, plant: Plant) -> None:
        used = [s.heartbeat.id for s in plant.servers]
        used += [tag.id for vessel in plant.vessels for tag in vessel.tags]
        self._last = max(used, default=0)

    def next(self) -> int:
        self._last += 1
        return self._last


def _site(found: Iterable[Found]) -> str:
    tops = Counter(f.path[0] for f in found if len(f.path) > 2)
    return _name(tops.most_common(1)[0][0]) if tops else "site"


def _vessels(
    fresh: Sequence[Found],
    found: Sequence[Found],
    server: str,
    old: Plant,
    ids: _Ids,
    partitions: int,
) -> tuple[Vessel, ...]:
    marked = {f.path[:-1] for f in found if f.path[-1] in _ROLES}
    above = {f.path[:-2] for f in found if _is_of_loop(f)}
    vessels = {v.name: v for v in old.vessels}
    load = Counter(dict.fromkeys(range(partitions), 0))
    for vessel in old.vessels:
        load[vessel.partition] += len(vessel.tags)
    groups: dict[tuple[str, ...], list[Found]] = {}
    for one in fresh:
        groups.setdefault(_vessel_path(one, marked, above), []).append(one)
    for path, members in groups.items():
        name = _vessel_name(path, server, vessels)
        before = vessels.get(name)
        if before is None:
            partition = min(
                range(partitions), key=lambda number: (load[number], number)
            )
            area = _name(path[-2]) if len(path) > 1 else "plant"
            before = Vessel(
                name=name, area=area, server=server, partition=partition, tags=()
            )
        vessels[name] = _with(before, members, len(path), ids)
        load[before.partition] += len(members)
    return tuple(vessels.values())


def _vessel_name(path: tuple[str, ...], server: str, vessels: dict[str, Vessel]) -> str:
    """Return a name no vessel of another server has."""
    name = _name(path[-1]) if path else server
    other = vessels.get(name)
    return (
        name if other is None or other.server == server else _name(f"{server}.{name}")
    )


def _is_of_loop(one: Found) -> bool:
    return len(one.path) > 2 and one.path[-1].upper() in _LOOP


def _vessel_path(
    one: Found, marked: set[tuple[str, ...]], above: set[tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the object that is the variable's vessel: the nearest with a sign.

    Args:
        one: a variable.
        marked: objects that hold a batch's context.
        above: objects that hold loops.
    """
    objects = one.path[:-1]
    for signs in (marked, above):
        for depth in range(len(objects), 0, -1):
            if objects[:depth] in signs:
                return objects[:depth]
    return objects


def _with(vessel: Vessel, members: Sequence[Found], depth: int, ids: _Ids) -> Vessel:
    names = {tag.name for tag in vessel.tags}
    tags = list(vessel.tags)
    roles = {role: name for role, name in vessel.context if name is not None}
    for one in members:
        name = _unique(_name(".".join(one.path[depth:])), names)
        names.add(name)
        tags.append(_tag(one, name, ids.next()))
        if len(one.path) == depth + 1 and one.path[-1] in _ROLES:
            roles.setdefault(_ROLES[one.path[-1]], name)
    if "batch" in roles and any(_says_state(one, depth) for one in members):
        roles.setdefault("state", _STATE)
    return vessel.model_copy(update={"tags": tuple(tags), "context": Context(**roles)})


def _says_state(one: Found, depth: int) -> bool:
    return one.path[depth:] == (_STATE,) and one.type == "string"


def _tag(one: Found, name: str, number: int) -> Tag:
    is_set = one.path[-1] in _SET
    holds = is_set or (one.integer and one.range is None)
    return Tag(
        id=number,
        name=name,
        node=one.node,
        type=one.type,
        unit=one.unit,
        range=one.range if one.range and one.range[0] < one.range[1] else None,
        stepped=True if holds and one.type == "number" else None,
        report=Report.CHANGE if is_set else None,
        description=one.description,
    )


def _name(text: str) -> str:
    """Return `text` as plant.yaml allows names, at most 64 characters."""
    plain = re.sub(r"[^A-Za-z0-9_.\- ]", "_", text).lstrip("_.- ")
    return plain[:64] or "x"


def _unique(name: str, names: set[str]) -> str:
    number, unique = 2, name
    while unique in names:
        unique = f"{name[:60]}-{number}"
        number += 1
    return unique
