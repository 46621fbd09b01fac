"""The monitor's core over simulated batches, in process: columns in, alarms out.

Batches of a family are the same until their faults begin. What the monitor knows then
is saved once, and its watch over each faulty batch goes on from there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.embedded.simulated import watched
from services.monitor.vessel import VesselWatch
from shared.events import AlarmTransition, Cause, Command, CommandKind, digest
from shared.plant import Context, Heartbeat, Plant, Server, Tag, Vessel
from shared.readings import Block
from simulators.tags import ASSAYS, CONTEXT, TAGS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.wire_events import Event
    from tests.evaluation.simulated_batches import Run

SERVER = "simulated"
CLOCK_ROWS = 4
"""Rows between two clock records where nothing happens."""
AFTER_US = 24 * 3_600_000_000
"""An alarm this long behind the end of a fault is still about it."""
CLOCK_US = 300_000
"""How long after its row a clock record is."""
RECEIVED_US = 20_000
"""How long after its time a reading is received."""
_TYPES = {Kind.DOUBLE: "number", Kind.INT32: "number", Kind.BOOLEAN: "boolean"}
_BAD = 0x80000000
_EACH = np.array([tag.each for tag in TAGS])
_PERIOD_US = [round(tag.period_s * 1e6) for tag in TAGS]
_FIRST_ASSAY = len(TAGS) + len(CONTEXT) + 1
"""Tag id."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the monitor said of one batch, and what that cost."""

    raised: tuple[AlarmTransition, ...]
    """Each time that an alarm was raised, also again, in order."""
    journal: tuple[AlarmTransition, ...]
    cpu_s: float
    readings: int
    checks: Mapping[str, tuple[str, ...]]
    """Tags that each check looks at, by its name without the vessel's."""


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
        for number, tag in enumerate((*TAGS, *CONTEXT, *ASSAYS), 1)
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


def watch(
    run: Run,
    place: int,
    plant: Plant | None = None,
    *,
    attentive_us: int | None = None,
    whole: bool = False,
) -> Watched:
    """Return what the monitor says of one batch, until its fault is long over.

    Args:
        run: the simulated batches.
        place: which of them.
        plant: plant.yaml of the vessel; default: with the alarm set of the demo.
        attentive_us: an operator acknowledges alarms so long after; default: never.
        whole: go on to the end of the batch.
    """
    plant = plant or described(run.names[run.clean[place]])
    going = _Going(run, plant, attentive_us=attentive_us)
    going.on(place, 0, None if whole else _until(run, place))
    return going.watched()


def watch_family(
    run: Run,
    clean: int,
    plant: Plant | None = None,
    *,
    attentive_us: int | None = None,
    whole: bool = False,
) -> Iterator[tuple[int, Watched]]:
    """Yield the batch without a fault, then each of its family, with its place.

    What is said is what `watch` says of each, at less cost: what all have in common is
    watched once. So the cost of a faulty batch is that from its onset on.

    Args:
        run: as the next four, see `watch`.
        clean: place of the batch without a fault.
        plant: of all.
        attentive_us: in all.
        whole: of batches with a fault.
    """
    plant = plant or described(run.names[clean])
    forks = {place: _fork(run, place) for place in run.family(clean)}
    going, row = _Going(run, plant, attentive_us=attentive_us), 0
    saved: dict[int, _Saved] = {}
    for place in sorted(forks, key=forks.__getitem__):
        going.on(clean, row, None, forks[place])
        row = forks[place]
        saved[place] = going.saved()
    going.on(clean, row, None)
    yield clean, going.watched()
    for place, then in saved.items():
        one = _Going(run, plant, then, attentive_us=attentive_us)
        one.on(place, forks[place], None if whole else _until(run, place))
        yield place, one.watched()


def _fork(run: Run, place: int) -> int:
    """Return a row before which nothing of the fault shows, at a clock record."""
    truth = run.truths[place]
    if truth is None:
        return 0
    onset = int(np.searchsorted(run.times, truth.onset))
    return max(onset // CLOCK_ROWS - 1, 0) * CLOCK_ROWS


def _until(run: Run, place: int) -> int | None:
    truth = run.truths[place]
    return None if truth is None else truth.end + AFTER_US


@dataclass(frozen=True, slots=True)
class _Saved:
    """What a watch knows at a row."""

    state: dict[str, Any]
    journal: list[AlarmTransition]
    batch: int
    unseen: list[AlarmTransition]


@dataclass(slots=True)
class _Going:
    """The watch over one vessel, on its way."""

    run: Run
    plant: Plant
    since: _Saved | None = None
    journal: list[AlarmTransition] = field(default_factory=list)
    batch: int = 0
    readings: int = 0
    cpu_s: float = 0.0
    attentive_us: int | None = None
    unseen: list[AlarmTransition] = field(default_factory=list)
    vessel: VesselWatch = field(init=False)
    alive: dict[int, bool] = field(init=False)

    def __post_init__(self) -> None:
        vessel = self.plant.vessels[0]
        self.vessel = VesselWatch(self.plant, vessel)
        self.alive = {tag.id: True for tag in vessel.tags}
        if self.since is not None:
            self.vessel.restore(self.since.state)
            self.journal = list(self.since.journal)
            self.batch = self.since.batch
            self.unseen = list(self.since.unseen)

    def saved(self) -> _Saved:
        state, journal = self.vessel.state(), list(self.journal)
        return _Saved(state, journal, self.batch, list(self.unseen))

    def on(
        self, place: int, row: int, until: int | None, before: int | None = None
    ) -> None:
        """Go on with a batch from a row, to a time or before another row."""
        run, phases = self.run, dict(self.run.phases[place])
        samples = _Samples(run, place, int(run.times[row - 1]) + CLOCK_US if row else 0)
        began = time.thread_time()
        for first, last, block in _pieces(run, place, row, before):
            if until is not None and run.times[first] > until:
                break
            start, now = int(run.times[first]), int(run.times[last - 1]) + CLOCK_US
            if first in phases:
                self.batch += phases[first] == "Prepare"
                doing = f"batch {self.batch}", phases[first]
                self._keep(self.vessel.context(start, *doing))
            self.readings += len(block)
            if len(block):
                self._keep(self.vessel.readings(block))
            known = samples.known(now)
            if known is not None:
                self._keep(self.vessel.late(known))
            self._keep(self.vessel.clock(now, self.alive))
            if self.attentive_us is not None and self.unseen:
                self._acknowledge(now - self.attentive_us, now)
        self.cpu_s += time.thread_time() - began

    def _keep(self, events: Sequence[Event]) -> None:
        said = [one for one in events if isinstance(one, AlarmTransition)]
        self.journal += said
        if self.attentive_us is not None:
            self.unseen += [one for one in said if one.cause is Cause.RAISED]

    def _acknowledge(self, until: int, now: int) -> None:
        """Acknowledge what was known by `until`."""
        due = [one for one in self.unseen if one.known <= until]
        self.unseen = [one for one in self.unseen if one.known > until]
        for one in due:
            name = digest("seen", one.alarm, one.time)
            seen = Command(name, CommandKind.ACKNOWLEDGE, one.alarm, "operator", now)
            self._keep(self.vessel.command(seen))

    def watched(self) -> Watched:
        return Watched(
            tuple(one for one in self.journal if one.cause is Cause.RAISED),
            tuple(self.journal),
            self.cpu_s,
            self.readings,
            _tags_of_checks(self.plant.vessels[0]),
        )


def _tags_of_checks(vessel: Vessel) -> dict[str, tuple[str, ...]]:
    """Return the tags of each check that looks at some of the vessel's only."""
    found = {
        f"{tag.name}/{name}": (tag.name, *([of] if of else []))
        for tag in vessel.tags
        for name, check in (tag.checks.named() if tag.checks else {}).items()
        for of in [getattr(check, "of", None)]
    }
    found |= {f"residual/{one.name}": one.tags for one in vessel.residuals}
    found |= {f"sample/{one.name}": one.tags for one in vessel.samples}
    return found


class _Samples:
    """Results of the laboratory, told once when they are known."""

    def __init__(self, run: Run, place: int, since: int) -> None:
        self._left = [
            one for one in run.samples if one.vessel == place and one.known > since
        ]

    def known(self, now: int) -> Block | None:
        """Return what became known by `now`, us UTC; None: nothing."""
        found = [one for one in self._left if one.known <= now]
        if not found:
            return None
        self._left = [one for one in self._left if one.known > now]
        count = len(ASSAYS)
        rows = count * len(found)
        drawn = np.repeat([one.drawn for one in found], count)
        known = np.repeat([one.known for one in found], count)
        values = np.array([one.values[:count] for one in found], float).ravel()
        order = np.argsort(drawn, kind="stable")
        tags = np.tile(np.arange(_FIRST_ASSAY, _FIRST_ASSAY + count), len(found))
        return Block(
            tag=tags[order].astype(np.int32),
            time=drawn[order].astype(np.int64),
            value=values[order],
            status=np.zeros(rows, np.uint32),
            tie=np.zeros(rows, np.int32),
            received=known[order].astype(np.int64),
            server=np.zeros(rows, np.int32),
        )


def _pieces(
    run: Run, place: int, start: int, before: int | None
) -> Iterator[tuple[int, int, Block]]:
    """Yield first row, row behind the last, and readings, cut where things happen.

    Rows that a wrong clock puts behind others are late and left out: they move nothing.
    """
    until = len(run.times) if before is None else before
    status = np.zeros((until, len(TAGS)), np.uint32)
    for row, vessel, column, code in run.statuses:
        if vessel == place and row < until:
            status[row, column] = code
    value = np.where(status & np.uint32(_BAD), np.nan, run.values[:until, place])
    sent = _sent(run.times[:until], value) | (status != 0)
    times = run.times[:until] + run.skew[:until, place]
    late = times[1:] <= np.maximum.accumulate(times)[:-1]
    sent &= ~(run.silent[:until, place] | np.r_[False, late])[:, None]
    sent[:start] = False
    rows, columns = np.nonzero(sent)
    cuts = set(range(start, until, CLOCK_ROWS)) | {start, until}
    cuts |= {row for row, _ in run.phases[place] if row >= start}
    odd = np.flatnonzero(run.silent[:until, place] | (run.skew[:until, place] != 0))
    cuts |= set(odd.tolist()) | set((odd + 1).tolist())
    at = sorted(cut for cut in cuts if start <= cut <= until)
    ends = np.searchsorted(rows, at)
    whole = Block(
        tag=(columns + 1).astype(np.int32),
        time=times[rows],
        value=value[rows, columns],
        status=status[rows, columns],
        tie=np.zeros(len(rows), np.int32),
        received=run.times[rows] + RECEIVED_US,
        server=np.zeros(len(rows), np.int32),
    )
    for first, last, begin, end in zip(
        at[:-1], at[1:], ends[:-1].tolist(), ends[1:].tolist(), strict=True
    ):
        yield first, last, _part(whole, begin, end)


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
