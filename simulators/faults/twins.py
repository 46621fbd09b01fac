"""When a fault could first be seen: by twins, the same plant without that one fault.

A twin starts at the onset from the plant's exact state and draws the same noise, so
what differs is the fault. It could be seen from the first instant at which a tag of its
signature is further than three standard deviations of its scatter from the twin's.
A twin lives until then, or until the fault is over. Pure.

Bounded by: MOST twins, and plants of at most LARGEST vessels. When full: a fault gets
no time, and the record says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulators.organisms import organism

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulators.faults.injections import Injection
    from simulators.plant import Plant
    from simulators.procedural import Command

MOST = 4
LARGEST = 20
SIGMAS = 3.0


class Twins:
    """The twins of one plant, by the identifier of the fault each goes without."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._plants: dict[str, Plant] = {}

    def begin(self, plant: Plant, beginning: list[Injection]) -> None:
        """Start twins for faults that act from the next step on."""
        for one in beginning:
            wanted = plant.injections.fault(one).unseen is None
            small = len(plant.layout.vessels) <= LARGEST
            if wanted and small and len(self._plants) < self._most:
                self._plants[one.id] = _unstruck(plant.without(one.id), beginning)

    def follow(self, plant: Plant, to: int) -> None:
        """Go to `to` as the plant has just done; note what can now be seen."""
        for one, twin in list(self._pairs(plant)):
            twin.injections.follow(plant.injections, without=one.id, now=twin.now)
            twin.operate_as(plant)
            twin.advance(to)
            if _differs(plant, twin, one):
                plant.injections.detectable(one.id, to)
                del self._plants[one.id]

    def _pairs(self, plant: Plant) -> Iterator[tuple[Injection, Plant]]:
        known = {one.id: one for one in plant.injections.all if not one.over}
        for identifier in list(self._plants):
            if identifier in known:
                yield known[identifier], self._plants[identifier]
            else:
                del self._plants[identifier]

    def command(self, vessel: str, command: Command, name: str) -> None:
        """Do to all twins what an operator did to their plant."""
        for twin in self._plants.values():
            twin.command(vessel, command, name)

    def to_json(self) -> dict[str, Any]:
        """Return the exact state."""
        return {name: twin.to_json() for name, twin in self._plants.items()}

    def restore(self, plant: Plant, body: Mapping[str, Any]) -> None:
        """Go on from what `to_json` saw; `plant` is restored already."""
        self._plants = {}
        for name, saved in body.items():
            twin = plant.without(name)
            twin.restore(saved)
            self._plants[name] = twin


def _unstruck(twin: Plant, beginning: list[Injection]) -> Plant:
    """Let the twin itself begin the other faults that begin in the same step."""
    also = {one.id for one in beginning}
    for one in twin.injections.all:
        if one.id in also:
            one.begun = False
    return twin


def _differs(plant: Plant, twin: Plant, one: Injection) -> bool:
    shown, other = plant.values[one.vessel], twin.values[one.vessel]
    grown = organism(plant.layout.process.name)
    return any(
        abs(shown[column] - other[column]) > SIGMAS * sigma
        for column, sigma in grown.scatter(plant.injections.catalogue, one.fault)
    )
