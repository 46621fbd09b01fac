"""The monitor's core over simulated batches, in process: columns in, alarms out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deploy.embedded.simulated import watched
from services.monitor.vessel import VesselWatch
from shared.events import AlarmTransition, Cause
from shared.plant import Context, Heartbeat, Plant, Server, Tag, Vessel
from shared.readings import Block
from simulators.tags import CONTEXT, TAGS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tests.evaluation.simulated_batches import Run

SERVER = "simulated"
CLOCK_ROWS = 4
"""Rows between two clock records where nothing happens."""
AFTER_US = 24 * 3_600_000_000
"""An alarm this long behind the end of a fault is still about it."""
CLOCK_US = 300_000
"""How long after its row a clock record is."""
_TYPES = {Kind.DOUBLE: "number", Kind.INT32: "number", Kind.BOOLEAN: "boolean"}
_BAD = 0x80000000
_EACH = np.array([tag.each for tag in TAGS])
_PERIOD_US = [round(tag.period_s * 1e6) for tag in TAGS]


@dataclass(frozen=True, slots=True)
class Watched:
    """What the monitor said of one batch, and what that cost."""

    raised: tuple[AlarmTransition, ...]
    """The first raise of each occurrence, in order."""
    cpu_s: float
    readings: int


def described(name: str) -> Plant:
    """Return plant.yaml of one vessel with all tags and the alarm set of the demo."""
    tags = tuple(
        Tag.model_validate(
            {
                "id": number,
                "name": tag.name,
                "node": f"ns=2;s={name}.{tag.name}",
                "type": _TYPES.get(tag.kind, "string"),
                "unit": tag.unit.ucum if tag.unit else "",
                "report": "each" if tag.each else "change",
            }
        )
        for number, tag in enumerate((*TAGS, *CONTEXT), 1)
    )
    vessel = Vessel(
        name=name,
        server=SERVER,
        partition=0,
        context=Context(batch="BatchId", phase="Phase"),
        tags=tags,
    )
    server = Server(
        name=SERVER, url="opc.tcp://h:1/", simulated=True, heartbeat=Heartbeat(id=9999)
    )
    return watched(Plant(site="s", servers=(server,), vessels=(vessel,)), None)


def watch(run: Run, place: int, plant: Plant | None = None) -> Watched:
    """Return what the monitor says of one batch, until its fault is long over.

    Args:
        run: the simulated batches.
        place: which of them.
        plant: plant.yaml of the vessel; default: with the alarm set of the demo.
    """
    plant = plant or described(run.names[place])
    watch = VesselWatch(plant, plant.vessels[0])
    alive = {tag.id: True for tag in plant.vessels[0].tags}
    phases = dict(run.phases[place])
    found: dict[str, AlarmTransition] = {}
    readings = 0
    began = time.thread_time()
    batch = 0
    truth = run.truths[place]
    until = run.times[-1] if truth is None else truth.end + AFTER_US
    for first, last, block in _pieces(run, place):
        if run.times[first] > until:
            break
        events = []
        if first in phases:
            batch += phases[first] == "Prepare"
            start = int(run.times[first])
            events += watch.context(start, f"batch {batch}", phases[first])
        readings += len(block)
        if len(block):
            events += watch.readings(block)
        events += watch.clock(int(run.times[last - 1]) + CLOCK_US, alive)
        for event in events:
            if isinstance(event, AlarmTransition) and event.cause is Cause.RAISED:
                found.setdefault(event.alarm, event)
    return Watched(tuple(found.values()), time.thread_time() - began, readings)


def _pieces(run: Run, place: int) -> Iterator[tuple[int, int, Block]]:
    """Yield first row, row behind the last, and readings, cut where things happen.

    Rows that a wrong clock puts behind others are late and left out: they move nothing.
    """
    status = np.zeros((len(run.times), len(TAGS)), np.uint32)
    for row, vessel, column, code in run.statuses:
        if vessel == place:
            status[row, column] = code
    value = np.where(status & np.uint32(_BAD), np.nan, run.values[:, place])
    sent = _sent(run.times, value) | (status != 0)
    times = run.times + run.skew[:, place]
    late = times[1:] <= np.maximum.accumulate(times)[:-1]
    sent &= ~(run.silent[:, place] | np.r_[False, late])[:, None]
    rows, columns = np.nonzero(sent)
    cuts = set(range(0, len(times), CLOCK_ROWS)) | {len(times)}
    cuts |= {row for row, _ in run.phases[place]}
    odd = np.flatnonzero(run.silent[:, place] | (run.skew[:, place] != 0))
    cuts |= set(odd.tolist()) | set((odd + 1).tolist())
    at = sorted(cut for cut in cuts if cut <= len(times))
    ends = np.searchsorted(rows, at)
    whole = Block(
        tag=(columns + 1).astype(np.int32),
        time=times[rows],
        value=value[rows, columns],
        status=status[rows, columns],
        tie=np.zeros(len(rows), np.int32),
        received=run.times[rows] + 20_000,
        server=np.zeros(len(rows), np.int32),
    )
    for first, last, start, end in zip(
        at[:-1], at[1:], ends[:-1].tolist(), ends[1:].tolist(), strict=True
    ):
        yield first, last, _part(whole, start, end)


def _sent(times: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values leave: of slow instruments when due, of others if changed."""
    sent = np.ones(value.shape, np.bool_)
    for column, period in enumerate(_PERIOD_US):
        if period:
            number = times // period
            sent[1:, column] = number[1:] != number[:-1]
    changed = np.ones(value.shape, np.bool_)
    changed[1:] = value[1:] != value[:-1]
    leaves: NDArray[np.bool_] = sent & (changed | _EACH)
    return leaves


def _part(block: Block, start: int, end: int) -> Block:
    return Block(
        tag=block.tag[start:end],
        time=block.time[start:end],
        value=block.value[start:end],
        status=block.status[start:end],
        tie=block.tie[start:end],
        received=block.received[start:end],
        server=block.server[start:end],
    )
