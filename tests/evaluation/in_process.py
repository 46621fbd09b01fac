"""A simulated plant and its monitor in one process, without sockets: minutes for days.

The plant publishes what its OPC UA server would; a collector's records are made of it;
the monitor sees them as it would on the log: first the past, then live.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from deploy.embedded.simulated import watched
from services.monitor.partition import PartitionWatch
from shared.bus import Message, Position, Record, TopicPartition
from shared.domain import US_PER_S, Origin
from shared.events import AlarmTransition, Cause
from shared.plant import Context, Heartbeat, Plant, Server, Tag, Vessel, render_plant
from shared.readings import Block
from shared.wire import (
    Clock,
    ConfigurationRecord,
    Liveness,
    ReadingsHeader,
    encode_clock,
    encode_configuration,
    encode_liveness,
    encode_readings,
)
from simulators import plant as simulated
from simulators.publication import Publication
from simulators.tags import ASSAYS, CONTEXT, CORE, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared.wire_events import Event
    from simulators.instants import Instant
    from simulators.tags import Tag as SimulatedTag

NOON_US = 1_780_000_020_000_000
"""When the plant goes live; a whole minute, us UTC."""
CATCHING_UP_US = 10_000
"""Wall time between two instants of the past."""
CLOCK_EVERY = 100
"""Instants of the past between two clock records: a second of wall time."""
TIMED_EVERY = 7
"""Records of which one is timed: asking for the time costs as much as some records."""
SERVER = "simulated"
BEAT = 999_999_999
"""Id of the server's heartbeat."""
WIDTH = len(CORE) + len(CONTEXT) + len(ASSAYS)
"""Variables of a vessel."""
_TYPES = {Kind.DOUBLE: "number", Kind.INT32: "number", Kind.BOOLEAN: "boolean"}
_CONTEXT = Context(batch="BatchId", phase="Phase", product="Product", client="Client")


def described(
    names: Sequence[str],
    only: Sequence[str] = (),
    *,
    learned: bool = True,
    tags: Sequence[SimulatedTag] = CORE,
) -> Plant:
    """Return plant.yaml of simulated vessels with the alarm set of the demo.

    Args:
        names: of all vessels, in the order in which the plant has them.
        only: those that are watched; empty: all.
        learned: whether the learned detectors (residuals, samples) are there.
        tags: that every vessel has; ids go on by their number, context and assays.
    """
    width = len(tags) + WIDTH - len(CORE)
    vessels = tuple(
        Vessel(
            name=name,
            server=SERVER,
            partition=0,
            context=_CONTEXT,
            tags=tuple(_tags(name, number * width + 1, tags)),
        )
        for number, name in enumerate(names)
        if not only or name in only
    )
    server = Server(
        name=SERVER, url="opc.tcp://h:1/", simulated=True, heartbeat=Heartbeat(id=BEAT)
    )
    plant = watched(Plant(site="s", servers=(server,), vessels=vessels), None)
    if learned:
        return plant
    none = {"residuals": (), "samples": ()}
    without = [v.model_copy(update=none) for v in plant.vessels]
    return plant.model_copy(update={"vessels": tuple(without)})


def _tags(vessel: str, first: int, tags: Sequence[SimulatedTag]) -> Iterable[Tag]:
    for number, tag in enumerate((*tags, *CONTEXT, *ASSAYS), first):
        yield Tag.model_validate(
            {
                "id": number,
                "name": tag.name,
                "node": f"ns=2;s={vessel}.{tag.name}",
                "type": _TYPES.get(tag.kind, "string"),
                "unit": tag.unit.ucum if tag.unit else "",
                "report": "each" if tag.each else "change",
            }
        )


class InProcess:
    """One plant and the monitors that watch it; all see the same records."""

    def __init__(self, plant: simulated.Plant, watched: Mapping[str, Plant]) -> None:
        """Let monitors watch a plant from now on.

        Args:
            plant: stands at the beginning of the past.
            watched: what each of the monitors is told to watch, by its name here.
        """
        self.plant = plant
        self.began = plant.now
        self.events: dict[str, list[Event]] = {}
        """What each monitor said."""
        self.cpu_s = dict.fromkeys(watched, 0.0)
        """What each monitor has cost, by every TIMED_EVERY-th record."""
        self.readings = 0
        """Readings that were published."""
        self._watches: dict[str, PartitionWatch] = {}
        self._publication = Publication(len(plant.layout.vessels), 0, CORE)
        self._offset = 0
        for name, wanted in watched.items():
            self._watches[name], self.events[name] = PartitionWatch(0), []
            text = render_plant(wanted)
            applied = ConfigurationRecord(1, f"sha-{name}", text, plant.now, "test")
            self._see(name, Message(*encode_configuration(applied)))

    def past(self, step_us: int) -> None:
        """Catch up with the clock, an instant every `step_us`."""
        count = -(-(NOON_US - self.plant.now) // step_us)
        for left in range(count - 1, -1, -1):
            wall = NOON_US - left * CATCHING_UP_US
            self._advance(min(self.plant.now + step_us, NOON_US))
            self._publish(wall)
            if left % CLOCK_EVERY == 0:
                self._tick(wall)
        self.plant.injections.goes_live(self.plant.now)

    def live(self, seconds: int) -> None:
        """Go on at 1 Hz."""
        for _ in range(seconds):
            self._advance(self.plant.now + US_PER_S)
            self._publish(self.plant.now + 20_000)
            self._tick(self.plant.now + 300_000)

    def _advance(self, to: int) -> None:
        while self.plant.now < to:
            self.plant.advance(min(self.plant.now + simulated.FAST_US, to))
        self.plant.injections.news()

    def _publish(self, received: int) -> None:
        plant = self.plant
        known = plant.laboratory.answers(plant.now)
        context = [plant.context(n) for n in range(len(plant.layout.vessels))]
        instants = self._publication.instants(
            plant.now, plant.values, context, plant.effects
        )
        for instant in (*map(self._publication.assays, known), *instants):
            self.readings += len(instant.nodes)
            if len(instant.nodes):
                header = ReadingsHeader(Origin.LIVE, SERVER, "session", (1, 1), 1)
                made = encode_readings(_block(instant, received), header)
                self._tell(Message(*made))

    def _tick(self, wall: int) -> None:
        self._tell(Message(*encode_liveness(Liveness(SERVER, "session", wall))))
        self._tell(Message(*encode_clock(Clock(wall, {}))))

    def _tell(self, message: Message) -> None:
        for name in self._watches:
            self._see(name, message)

    def _see(self, name: str, message: Message) -> None:
        self._offset += 1
        at, place = TopicPartition("plant", 0), Position("epoch", self._offset)
        record = Record(at, place, NOON_US, message.headers, message.value)
        timed = self._offset % TIMED_EVERY == 0
        began = time.process_time() if timed else 0.0
        self.events[name] += self._watches[name].see(record)
        if timed:
            self.cpu_s[name] += (time.process_time() - began) * TIMED_EVERY
        assert self._watches[name].unreadable == ""

    def raised(self, name: str, most: int = 4) -> list[AlarmTransition]:
        """Return the first raise of each alarm of at most this priority, in order."""
        found: dict[str, AlarmTransition] = {}
        for event in self.events[name]:
            if isinstance(event, AlarmTransition) and event.cause is Cause.RAISED:
                found.setdefault(event.alarm, event)
        return [alarm for alarm in found.values() if alarm.priority <= most]


def _block(instant: Instant, received: int) -> Block:
    columns = instant.columns()
    count = len(columns.nodes)
    texts = [columns.texts.get(row) for row in range(count)]
    return Block(
        tag=columns.nodes + 1,
        time=np.full(count, instant.time),
        value=columns.numbers,
        status=columns.statuses,
        tie=np.zeros(count, np.int32),
        received=np.full(count, received),
        server=np.zeros(count, np.int32),
        text=pa.array(texts, pa.string()) if columns.texts else None,
    )
