"""What one server's collection needs of plant.yaml. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.ingest.opcua.items import Wanted
from shared.plant import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from shared.plant import Plant, Server

_HEARTBEAT_SAMPLING_MS = 1000
_HEARTBEAT_QUEUE = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """One server: its variables, and where their readings go."""

    server: Server
    version: int
    """Of the configuration."""
    wanted: tuple[Wanted, ...]
    """Every tag and, last, the heartbeat."""
    partition: Mapping[int, int]
    """Partition of `plant` by tag."""
    vessel: Mapping[int, str]
    """Vessel by tag; the heartbeat has none."""

    @property
    def partitions(self) -> tuple[int, ...]:
        """Partitions that must know of this server, ascending."""
        return tuple(sorted(set(self.partition.values())))

    def same_connection(self, other: Plan) -> bool:
        """Whether changing to `other` needs no new connection or subscription."""
        return self._connection() == other._connection()

    def _connection(self) -> tuple[object, ...]:
        s = self.server
        return (s.url, s.security, s.publishing_interval_ms, s.simulated)


def plans(plant: Plant, version: int) -> dict[str, Plan]:
    """Return the plan of each server by name."""
    return {server.name: _plan(plant, server, version) for server in plant.servers}


def _plan(plant: Plant, server: Server, version: int) -> Plan:
    wanted: list[Wanted] = []
    partition: dict[int, int] = {}
    vessel_of: dict[int, str] = {}
    for vessel in plant.vessels:
        for tag in vessel.tags:
            if plant.server_of(vessel, tag) != server.name:
                continue
            wanted.append(
                Wanted(
                    tag.id,
                    tag.node,
                    tag.reports,
                    server.sampling_interval_ms,
                    server.queue_size,
                )
            )
            partition[tag.id] = vessel.partition
            vessel_of[tag.id] = vessel.name
    beat = server.heartbeat
    wanted.append(
        Wanted(
            beat.id,
            beat.node,
            Report.EACH,
            _HEARTBEAT_SAMPLING_MS,
            _HEARTBEAT_QUEUE,
            heartbeat=True,
        )
    )
    partition[beat.id] = min(partition.values(), default=0)
    return Plan(server, version, tuple(wanted), partition, vessel_of)


class Layout:
    """A plan's facts as arrays by handle; handles only grow (see opcua.items)."""

    def __init__(self) -> None:
        self.tags: NDArray[np.int32] = np.empty(0, np.int32)
        self.partition: NDArray[np.int32] = np.empty(0, np.int32)
        self.each: NDArray[np.bool_] = np.empty(0, np.bool_)
        """Where the source time of readings says how far the server's data reach."""
        self._order: NDArray[np.intp] = np.empty(0, np.intp)

    def follow(self, plan: Plan, tags: NDArray[np.int32]) -> None:
        """Take the handles of `tags` and what `plan` says of them.

        Tags that the plan no longer has keep what was known of them.
        """
        old = len(self.tags)
        grown = np.zeros(len(tags), np.int32)
        grown[:old] = self.partition
        each = np.zeros(len(tags), np.bool_)
        for handle, tag in enumerate(tags.tolist()):
            grown[handle] = plan.partition.get(tag, grown[handle])
        marks = _marking(plan)
        each[:] = np.isin(tags, np.array(sorted(marks), np.int32))
        self.tags, self.partition, self.each = tags, grown, each
        self._order = np.argsort(tags, kind="stable")

    def handles(self, tag: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the handle of each tag; all must be known."""
        place = np.searchsorted(self.tags, tag, sorter=self._order)
        handles: NDArray[np.intp] = self._order[place]
        return handles


def _marking(plan: Plan) -> Iterable[int]:
    """Return the tags whose source times mark how far a server's data reach.

    Heartbeats run on the server's clock, which a simulated plant's source times do not
    follow; without any `each` tag the heartbeat of a real server is the best there is.
    """
    each = [w.tag for w in plan.wanted if w.report is Report.EACH and not w.heartbeat]
    if each or plan.server.simulated:
        return each
    return [plan.server.heartbeat.id]
