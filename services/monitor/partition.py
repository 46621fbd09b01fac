"""What the monitor knows of one partition of `plant`: record in, events out. Pure.

No clock, no I/O: the same records give the same events, which is what makes restart
and replay exact. The loop around it is watch.py, what it writes down checkpoint.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.batches import BatchWatch
from services.monitor.board import Applied
from services.monitor.changes import begins_anew, configuration_change
from services.monitor.detectors.residual import SnapshotUnknown
from services.monitor.liveness import Proofs, patience_us
from services.monitor.reorder import Instant, Passed, Reorder
from services.monitor.vessel import VesselWatch
from shared.domain import Kind, Origin
from shared.plant import PlantInvalid, parse_plant
from shared.store.acceptance import sort_out
from shared.wire import (
    ConfigurationRecord,
    NotUnderstood,
    decode_clock,
    decode_configuration,
    decode_gap,
    decode_liveness,
    decode_readings,
)
from shared.wire_events import decode_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.bus import Damaged, Record
    from shared.plant import Plant, Server, Vessel
    from shared.readings import Block
    from shared.wire_events import Event

MOVING = frozenset({Origin.LIVE, Origin.REPUBLISHED})
"""Origins whose source times say how far a vessel is."""


@dataclass(slots=True)
class Watched:
    """One vessel: what waits, what it is doing, and what decides."""

    vessel: Vessel
    servers: tuple[Server, ...]
    """Those whose silence this vessel speaks for."""
    reorder: Reorder
    batches: BatchWatch
    watch: VesselWatch

    def take(
        self, block: Block, alive: Mapping[int, bool], *, moves: bool
    ) -> list[Event]:
        """Return the events of readings that came, and of what became due by them."""
        late = self.reorder.add(block, moves=moves)
        events: list[Event] = []
        if len(late):
            events += self._context(late)
            events += self.watch.late(late)
        return events + self.release(alive)

    def release(self, alive: Mapping[int, bool]) -> list[Event]:
        """Return the events of everything that is due."""
        events: list[Event] = []
        for due in self.reorder.release(alive):
            if isinstance(due, Passed):
                events += self.watch.clock(due.now, due.alive)
            else:
                events += self._instant(due)
        return events

    def follow(self, old: Watched, by: Applied) -> tuple[list[Event], list[str]]:
        """Go on from the same vessel as another configuration had it.

        Returns:
            The events of its taking effect, and the checks that learn anew.
        """
        rows, clocks = old.reorder.waiting()
        self.reorder.restore(old.reorder.marks, rows, clocks, old.reorder.last())
        self.batches.restore(old.batches.state())
        return self.watch.follow(old.watch, by)

    def _instant(self, instant: Instant) -> list[Event]:
        context = self._context(instant.block)
        return [*context, *self.watch.readings(instant.block)]

    def _context(self, block: Block) -> Sequence[Event]:
        events = self.batches.see(block)
        if events:
            time = events[-1].time
            doing = self.batches.batch, self.batches.phase
            return [*events, *self.watch.context(time, *doing)]
        return events


class PartitionWatch:
    """Watches the vessels of one partition.

    Bounded by: the reorder buffers. When full: they release early. Order: events come
    in the order of the records that made them due; within a record by vessel, as
    plant.yaml has them, then by source time. Duplicates: readings, commands and
    configurations that come again make no events.
    """

    def __init__(
        self, partition: int, snapshots: Mapping[str, str] | None = None
    ) -> None:
        """Begin with nothing known.

        Args:
            partition: of `plant`.
            snapshots: approved models of frozen residuals by SHA-256.
        """
        self.partition = partition
        self._snapshots = snapshots or {}
        self.configuration: ConfigurationRecord | None = None
        self.plant: Plant | None = None
        self.vessels: dict[str, Watched] = {}
        self.proofs = Proofs()
        self.clock: int | None = None
        """The newest clock record, us UTC."""
        self.readings = 0
        """Readings of watched tags so far."""
        self.unreadable = ""
        """Why the last record that was not understood was not; empty if all were."""
        self._tags: NDArray[np.int32] = np.empty(0, np.int32)
        self._owner: NDArray[np.int32] = np.empty(0, np.int32)
        self._see: Mapping[Kind, Callable[[Record], list[Event]]] = {
            Kind.READINGS: self._readings,
            Kind.PAST: self._past,
            Kind.CLOCK: self._clock,
            Kind.LIVENESS: self._liveness,
            Kind.CONFIGURATION: self._configuration,
            Kind.COMMAND: self._command,
            Kind.GAP: self._gap,
        }

    def see(self, record: Record) -> list[Event]:
        """Return the events of one record; nothing is ever refused here."""
        kind = record.headers.get("kind", "")
        see = self._see.get(Kind(kind)) if kind in set(Kind) else None
        if see is None:
            return []
        try:
            return see(record)
        except (NotUnderstood, PlantInvalid, SnapshotUnknown) as error:
            self.unreadable = f"offset {record.position.offset}: {error}"
            return []

    def miss(self, damaged: Damaged) -> None:
        """Go on after records that cannot be read; what they held is missing data."""
        self.unreadable = f"offset {damaged.first.offset}: {damaged.reason}"

    def _readings(self, record: Record) -> list[Event]:
        header, arrived = decode_readings(record.headers, record.value)
        block, _ = sort_out(arrived)
        alive = self.proofs.last()
        moves = header.origin in MOVING
        events: list[Event] = []
        for watched, rows in self.by_vessel(block):
            self.readings += len(rows)
            events += watched.take(rows, alive, moves=moves)
        return events

    def _past(self, record: Record) -> list[Event]:
        """Judge what a gap hid: never learned from, and no timer runs."""
        _, arrived = decode_readings(record.headers, record.value)
        block, _ = sort_out(arrived)
        events: list[Event] = []
        for watched, rows in self.by_vessel(block):
            late = watched.reorder.past(rows)
            if len(late):
                events += watched.watch.late(late)
        return events

    def by_vessel(self, block: Block) -> Iterator[tuple[Watched, Block]]:
        """Yield each vessel that is watched with its rows, as plant.yaml has them."""
        if len(self._tags) == 0 or len(block) == 0:
            return
        place = np.searchsorted(self._tags, block.tag)
        place[place == len(self._tags)] = 0
        owner = np.where(self._tags[place] == block.tag, self._owner[place], -1)
        watched = list(self.vessels.values())
        for number in np.unique(owner).tolist():
            if number >= 0:
                yield watched[number], block.take(owner == number)

    def _clock(self, record: Record) -> list[Event]:
        clock = decode_clock(record.value)
        self.clock = clock.now if self.clock is None else max(clock.now, self.clock)
        alive = self.proofs.alive(self.clock)
        events: list[Event] = []
        for watched in self.vessels.values():
            watched.reorder.clock(self.clock, alive)
            events += watched.release(alive)
        return events

    def _liveness(self, record: Record) -> list[Event]:
        self.proofs.hear(decode_liveness(record.value))
        return []

    def _gap(self, record: Record) -> list[Event]:
        gap = decode_gap(record.value)
        for watched in self.vessels.values():
            watched.watch.declared(gap)
        return []

    def _command(self, record: Record) -> list[Event]:
        command = decode_command(record.value)
        events: list[Event] = []
        for watched in self.vessels.values():
            events += watched.watch.command(command)
        return events

    def _configuration(self, record: Record) -> list[Event]:
        new = decode_configuration(record.value)
        before, old = self.configuration, self.plant
        if before is not None and new.sha256 == before.sha256:
            return []
        told = self.configure(new)
        if self.partition == 0 and self.plant is not None:
            # every partition has the record; one of them says so
            return [configuration_change(before, old, new, self.plant), *told]
        return told

    def configure(self, record: ConfigurationRecord) -> list[Event]:
        """Follow a configuration: each check that it still has goes on as it was.

        Returns:
            The ends of alarms whose checks are no more, and which checks learn anew.

        Raises:
            PlantInvalid, SnapshotUnknown: nothing has changed.
        """
        plant = parse_plant(record.text, f"configuration version {record.version}")
        vessels = {
            vessel.name: self._next(plant, vessel, servers)
            for vessel, servers in self._vessels_with_servers(plant)
        }
        events = self._take_over(vessels, record)
        self.configuration, self.plant, self.vessels = record, plant, vessels
        self.proofs.follow(plant, self.partition)
        self._follow_tags()
        return events

    def _next(
        self, plant: Plant, vessel: Vessel, servers: tuple[Server, ...]
    ) -> Watched:
        """Return the vessel as it is if nothing of it changes, else a new one."""
        old = self.vessels.get(vessel.name)
        if old is not None and (old.vessel, old.servers) == (vessel, servers):
            return old
        return self._watched(plant, vessel, servers)

    def _take_over(
        self, vessels: Mapping[str, Watched], record: ConfigurationRecord
    ) -> list[Event]:
        """Let vessels go on from what is known of them; end what is no more."""
        words = f"no such check in version {record.version} of plant.yaml"
        by = Applied(record.applied_at, record.actor, words)
        events: list[Event] = []
        for name, old in self.vessels.items():
            new = vessels.get(name)
            if new is None:
                events += old.watch.withdrawn(None, by)
            elif new is not old:
                told, anew = new.follow(old, by)
                events += told
                events += [begins_anew(record, name, anew)] if anew else []
        return events

    def _vessels_with_servers(
        self, plant: Plant
    ) -> Iterator[tuple[Vessel, tuple[Server, ...]]]:
        """Yield the partition's vessels, each server with the first one that has it."""
        free = {server.name: server for server in plant.servers}
        for vessel in plant.vessels:
            if vessel.partition == self.partition:
                named = [plant.server_of(vessel, tag) for tag in vessel.tags]
                mine = [free.pop(n) for n in dict.fromkeys(named) if n in free]
                yield vessel, tuple(mine)

    def _follow_tags(self) -> None:
        owners = {
            tag.id: number
            for number, watched in enumerate(self.vessels.values())
            for tag in watched.vessel.tags
        }
        tags = sorted(owners)
        self._tags = np.array(tags, np.int32)
        self._owner = np.array([owners[tag] for tag in tags], np.int32)
        known = self.proofs.last()
        for watched in self.vessels.values():
            watched.reorder.follow(known.keys())

    def _watched(
        self, plant: Plant, vessel: Vessel, servers: tuple[Server, ...]
    ) -> Watched:
        """Return a vessel of which nothing is known yet."""
        named = {plant.server_of(vessel, tag) for tag in vessel.tags} | {vessel.server}
        patience = max(patience_us(plant, server) for server in named)
        simulated = any(s.simulated for s in plant.servers if s.name in named)
        return Watched(
            vessel,
            servers,
            Reorder(patience, may_be_silent=not simulated),
            BatchWatch(vessel),
            VesselWatch(plant, vessel, servers=servers, snapshots=self._snapshots),
        )
