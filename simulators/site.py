"""A site: suites of vessels, each suite with a process of its own, in step. Pure.

A suite is one `Plant`: its vessels cultivate the same, with the same recipe and
instruments. A site advances all its suites to the same instants and publishes them
behind one server, each at its place in the server's list of variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.domain import FedbatchError
from simulators.plant import StateUnusable
from simulators.publication import Publication
from simulators.tags import ASSAYS, COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta

    from simulators.faults.injections import Injection, Injections
    from simulators.instants import Instant
    from simulators.plant import Plant
    from simulators.procedural import Command, State
    from simulators.tags import Tag


class VesselUnknown(FedbatchError):  # noqa: N818
    """The site has no such vessel."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Vessels of one process, and the tags and assays that a server has of each."""

    plant: Plant
    tags: Sequence[Tag]
    assays: Sequence[Tag] = ASSAYS

    @property
    def vessels(self) -> tuple[str, ...]:
        """Return the vessels' names in order."""
        return self.plant.layout.vessels


class Site:
    """All suites; see the module."""

    def __init__(self, suites: Sequence[Suite], first: int = 1) -> None:
        """Put suites side by side.

        Args:
            suites: all at the same instant; no vessel twice.
            first: place of the first vessel's first variable in the server's list.
        """
        self.suites = tuple(suites)
        self._publications = []
        for suite in suites:
            made = Publication(len(suite.vessels), first, suite.tags, suite.assays)
            self._publications.append(made)
            first += made.width * len(suite.vessels)
        self._of = {name: suite for suite in suites for name in suite.vessels}

    @property
    def now(self) -> int:
        """Return the instant at which all vessels are, us UTC."""
        return self.suites[0].plant.now

    @property
    def vessels(self) -> tuple[str, ...]:
        """Return the names of all vessels in the server's order."""
        return tuple(self._of)

    def advance(self, to: int) -> None:
        """Go to `to`, us UTC, in one step."""
        for suite in self.suites:
            suite.plant.advance(to)

    def plant_of(self, vessel: str) -> Plant:
        """Return the plant in which a vessel stands.

        Raises:
            VesselUnknown: there is none.
        """
        if vessel not in self._of:
            known = ", ".join(self.vessels[:20])
            raise VesselUnknown(f"vessel {vessel}: expected one of {known}")
        return self._of[vessel].plant

    def first(self) -> list[Instant]:
        """Return what to publish before anything else: what is not known yet."""
        known = [one.assays_unknown(self.now) for one in self._publications]
        for suite in self.suites:
            suite.plant.laboratory.answers(suite.plant.now)
        return known + self.instants()

    def instants(self) -> list[Instant]:
        """Return what is worth publishing now; assays with the times of their draws."""
        found = []
        for suite, publication in zip(self.suites, self._publications, strict=True):
            plant = suite.plant
            answers = plant.laboratory.answers(plant.now)
            found += [publication.assays(result) for result in answers]
            context = [plant.context(n) for n in range(len(suite.vessels))]
            found += publication.instants(
                plant.now, plant.values, context, plant.effects
            )
        return found

    def goes_live(self) -> None:
        """Let the delays begin that count from going live; only once."""
        for suite in self.suites:
            suite.plant.injections.goes_live(suite.plant.now)

    def news(self) -> list[tuple[Injections, int, list[Injection]]]:
        """Return changed faults, once: whose they are, that plant's seed, which."""
        return [
            (suite.plant.injections, suite.plant.layout.seed, changed)
            for suite in self.suites
            if (changed := suite.plant.injections.news())
        ]

    def inject(
        self,
        vessel: str,
        fault: str,
        magnitude: float | None,
        lasting: timedelta | None,
    ) -> Injection:
        """Let a fault begin now; None: the catalogue's default.

        Raises:
            VesselUnknown: there is no such vessel.
            InjectionRefused: fault, magnitude or duration do not fit.
        """
        plant = self.plant_of(vessel)
        return plant.injections.inject(vessel, fault, magnitude, lasting, plant.now)

    def clear(self, vessel: str, fault: str) -> int:
        """End a fault in a vessel, and forget it where it is planned; return how many.

        Raises:
            VesselUnknown: there is no such vessel.
            InjectionRefused: there is no such fault.
        """
        plant = self.plant_of(vessel)
        return plant.injections.clear(vessel, fault, plant.now)

    def operate(self, node: str, value: float) -> None:
        """Write a setpoint, mode or output, such as BR101.TIC-101.SP.

        Raises:
            VesselUnknown: there is no such vessel.
            WriteRefused: it cannot be written, or not with this value.
        """
        self.plant_of(node.partition(".")[0]).operate(node, value)

    def command(self, vessel: str, command: Command, name: str = "") -> State:
        """Start, hold, restart or abort the batch of a vessel; return its state then.

        Raises:
            VesselUnknown: there is no such vessel.
            CommandRefused: the state of its procedure does not allow it.
            NameRefused: the batch that is to start cannot have this name.
        """
        plant = self.plant_of(vessel)
        plant.command(vessel, command, name)
        return plant.procedure(plant.layout.vessels.index(vessel))

    def batch(self, vessel: str) -> str:
        """Return the name of the batch in a vessel, also before its first instant."""
        plant = self.plant_of(vessel)
        return plant.batch(plant.layout.vessels.index(vessel))

    def shown(self, vessel: str, tag: str) -> float:
        """Return what an instrument of a vessel shows now."""
        plant = self.plant_of(vessel)
        row = plant.values[plant.layout.vessels.index(vessel)]
        return float(row[COLUMN[tag]])

    def to_json(self) -> list[dict[str, Any]]:
        """Return the exact state."""
        return [suite.plant.to_json() for suite in self.suites]


def restore(plants: Sequence[Plant], bodies: Iterable[Mapping[str, Any]]) -> None:
    """Go on from what `to_json` saw.

    Raises:
        StateUnusable: it was saved with other suites, vessels or seeds.
    """
    saved = list(bodies)
    if len(saved) != len(plants):
        raise StateUnusable(
            f"suites of the saved plant: expected {len(plants)}, found {len(saved)}"
        )
    for plant, body in zip(plants, saved, strict=True):
        plant.restore(body)
