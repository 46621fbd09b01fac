"""The watch over one vessel: readings, clock and commands in, events out. Pure.

There is no clock here: time comes from readings and clock records. The same input in
the same order gives the same events with the same ids; how readings are cut into
blocks does not matter as long as their times ascend.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.balances.shown import Evidence
from services.monitor.bench import Bench
from services.monitor.board import Board, Doing
from services.monitor.carry import Numbered, carried, places
from services.monitor.catalogue import checks, covering, numbers
from services.monitor.columns import Layer, Rows, TagColumns, ids_of
from services.monitor.delays import Delays, Ripe, edge_from_json, edge_to_json
from services.monitor.detectors.residual import Phase
from services.monitor.detectors.seen import NEVER
from services.monitor.explain import Surroundings, explain
from services.monitor.gaps import Gaps, of_servers
from services.monitor.history import STEP_US, WINDOW_US, History
from services.monitor.late import late_excursions
from services.monitor.pace import Pace
from shared.checks import NoData, Residual, SampleCheck, Skew
from shared.domain import FedbatchError
from shared.events import Detection, digest
from shared.plant import Report
from shared.vector_checks import VectorCheck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import UnionType

    from numpy.typing import NDArray

    from services.monitor.board import Applied
    from services.monitor.detectors.seen import Sighting
    from shared.domain import Gap
    from shared.events import Command
    from shared.plant import Plant, Server, Vessel
    from shared.readings import Block
    from shared.wire_events import Event

STATE_VERSION = 3


class StateUnusable(FedbatchError):  # noqa: N818
    """A saved state is of other checks or another version; start anew from readings."""


class VesselWatch:
    """All checks, detectors and alarms of one vessel; see the module."""

    def __init__(
        self,
        plant: Plant,
        vessel: Vessel,
        *,
        servers: Sequence[Server] = (),
        snapshots: Mapping[str, str] | None = None,
    ) -> None:
        """Begin with nothing known.

        Args:
            plant: the configuration.
            vessel: of the plant.
            servers: those whose silence this vessel answers for.
            snapshots: approved models of frozen residuals by SHA-256.

        Raises:
            SnapshotUnknown: a frozen residual's snapshot is missing or was changed.
        """
        self._checks = checks(plant, vessel, servers)
        self._number = number = numbers(vessel)
        tags = {tag.name: tag for tag in vessel.tags}
        self._ids = ids_of([tags[name].id for name in number])
        self._names = [f"{vessel.name}/{name}" for name in number]
        of_server = of_servers(plant, vessel)
        none = np.zeros(len(number), np.bool_)
        self._of_server = [of_server.get(server.name, none) for server in servers]
        self._gaps = Gaps(self._ids, of_server)
        self._vessel = vessel.name
        self._columns = TagColumns(len(number))
        self._history = History(len(number))
        self._bench = Bench(vessel, self._checks, snapshots or {})
        self._delays = Delays([check.settings for check in self._checks])
        self._board = Board(vessel.name, self._checks)
        own = (c.timed_by for c in self._checks if c.timed_by < len(number))
        self._timed_by = np.fromiter(own, np.intp)
        self._covering = covering(self._checks)
        self._evidence = Evidence(vessel, self._checks)
        self._raw: list[Sighting | None] = [None] * len(self._checks)
        self._phase = Phase(None, 0)
        self._pace = Pace(np.array([tags[n].reports is Report.EACH for n in number]))
        self._came = np.zeros(len(number), np.bool_)

    def readings(self, block: Block) -> list[Event]:
        """Return the events of readings of this vessel, whose times ascend."""
        if not len(self._ids):
            return []
        rows = Rows(block, self._ids)
        if not len(rows):
            return []
        self._came[rows.tag] = True
        if len(self._bench.skews):
            self._edges(self._bench.skews.see(block.time, block.received))
        steps = rows.time // STEP_US
        ends = np.r_[np.flatnonzero(steps[1:] != steps[:-1]) + 1, len(rows)]
        events: list[Event] = []
        start = 0
        for end in ends.tolist():
            events += self._begin_step(int(steps[start]))
            for layer in rows.layers(start, end):
                events += self._take(layer)
            start = end
        return _ordered(events)

    def clock(self, now: int, alive: Mapping[int, bool]) -> list[Event]:
        """Return the events of a clock record; called once for each.

        Args:
            now: its time, us UTC; every reading up to it has been given.
            alive: by tag id, whether its subscription is proven alive. A tag that is
                not named counts as not alive unless readings of it came.
        """
        proven = np.array([alive.get(i, False) for i in self._ids.tolist()], np.bool_)
        lives = proven | self._came
        self._came[:] = False
        events: list[Event] = [*self._board.clock(now)]
        spoke = not (proven.any() and self._pace.silent(now))
        self._columns.silence(~lives)
        self._columns.hold(now, lives, self._lost(np.arange(len(lives)), now))
        events += self._ripe_tags()
        heard = [bool((lives & of).any()) for of in self._of_server]
        self._edges(self._bench.silences.passed(now, [*heard, spoke]))
        return _ordered(events + self._ripe_others(NoData | Skew))

    def declared(self, gap: Gap) -> None:
        """Take a gap in: its time is not known time, whatever the values were."""
        self._gaps.declare(gap)

    def _lost(
        self, tags: NDArray[np.intp], until: NDArray[np.int64] | int
    ) -> NDArray[np.int64] | None:
        return self._gaps.unknown(tags, self._columns.time, until, self._pace)

    def context(self, time: int, batch: str | None, phase: str | None) -> list[Event]:
        """Take what the vessel does from `time` (us UTC) on, and what it suppresses."""
        events: list[Event] = [*self._board.does(Doing(time, batch, phase))]
        if phase == self._phase.name:
            return events
        self._phase = Phase(phase, time)
        for sighting in self._raw:
            if sighting is not None:
                self._edges([replace(sighting, time=max(sighting.time, time))])
        return events

    def command(self, command: Command) -> list[Event]:
        """Return what a person's command does; a repeat does nothing."""
        return [*self._board.command(command)]

    def late(self, block: Block) -> list[Event]:
        """Return revisions for readings that came behind the reorder buffer.

        Nothing is learned and no timer runs. Results of samples come late by nature:
        they are compared with what was shown at their draw.
        """
        self._bench.draw(Rows(block, self._ids))
        found = late_excursions(
            block, self._ids, self._checks, self._number, self._columns.value
        )
        return [
            self._board.revised(
                edge.check,
                edge.time,
                digest("late", self._checks[edge.check].name, edge.time),
                explain(
                    self._checks[edge.check],
                    edge,
                    edge.time,
                    self._around(edge.check, edge.time),
                ),
            )
            for edge in found
        ]

    def follow(self, old: VesselWatch, by: Applied) -> tuple[list[Event], list[str]]:
        """Go on from the same vessel as another configuration had it.

        Args:
            old: what was known until now; of no use afterwards.
            by: the configuration, for the record.

        Returns:
            The events of its taking effect, and the names of those checks that learn
            anew, since what was learned belongs to other settings.
        """
        mine, theirs = self.numbered(), old.numbered()
        self.restore(carried(self.state(), old.state(), mine, theirs))
        kept = set(places(theirs.checks, mine.checks).values())
        events = old.withdrawn(
            [n for n in range(len(theirs.checks)) if n not in kept], by
        )
        events += self._board.suppress(by.time)
        for check in np.flatnonzero(self._delays.due < NEVER).tolist():
            self._delays.overdue(check, self._lived(check)[0])
        for sighting in self._raw:
            if sighting is not None:
                self._edges([sighting])
        self._edges(self._bench.limits.see(self._columns.held()))
        known = {check.name for check in theirs.checks}
        again = {theirs.checks[n].name for n in kept}
        anew = [c.name for c in mine.checks if c.name in known - again]
        return [*events, *_ordered(self._ripe_tags())], anew

    def withdrawn(self, checks: Sequence[int] | None, by: Applied) -> list[Event]:
        """End the alarms of checks that are no more; None: of all."""
        every = range(len(self._checks)) if checks is None else checks
        return [*self._board.withdrawn(every, by)]

    def numbered(self) -> Numbered:
        """Return checks and tags in the order of their numbers."""
        return Numbered(self._checks, self._ids.tolist())

    def snapshot(self, residual: str) -> tuple[str, str]:
        """Return SHA-256 and text of a residual's model, to be approved and frozen.

        Raises:
            KeyError: there is no residual of that name.
        """
        return self._bench.residuals.snapshot(residual)

    def vector_snapshots(self) -> dict[str, str]:
        """Return what vector checks have learned as text, by name, to be approved."""
        return self._bench.vectors.snapshots()

    def _begin_step(self, number: int) -> list[Event]:
        ended = self._history.begin(number)
        bench, doing = self._bench, self._phase
        if ended is None:
            return []
        events: list[Event] = []
        if len(bench.residuals):
            self._edges(bench.residuals.take(ended, self._columns, doing))
            events += self._ripe_others(Residual)
        if len(bench.samples):
            self._edges(bench.samples.take(ended, doing))
            events += self._ripe_others(SampleCheck)
        if len(bench.vectors):
            self._edges(bench.vectors.take(ended, self._columns, doing))
            events += self._ripe_others(VectorCheck)
        return events

    def _take(self, layer: Layer) -> list[Event]:
        seen = self._columns.take(layer, self._lost(layer.tag, layer.time))
        self._history.take(layer)
        self._pace.take(layer)
        if layer.serviced is not None and layer.serviced.any():
            at = layer.serviced
            last = int(layer.time[at].max())
            self._edges(self._bench.service(layer.tag[at], last))
        self._bench.draw(layer)
        events = self._ripe_tags()
        edges = [*self._bench.see(seen), *self._bench.qualities.see(layer)]
        if not edges:
            return events
        self._edges(edges)
        return events + self._ripe_tags()

    def _edges(self, sightings: Sequence[Sighting]) -> None:
        for sighting in sightings:
            self._raw[sighting.check] = sighting if sighting.on else None
            phases = self._checks[sighting.check].settings.phases
            armed = not phases or self._phase.name in phases
            effective = replace(sighting, on=sighting.on and armed)
            self._delays.edge(effective, self._lived(sighting.check)[0])

    def _lived(self, check: int) -> tuple[int, int]:
        """Return the lived time that runs a check's timer, and the time, both us."""
        by = self._checks[check].timed_by - len(self._ids)
        if by < 0:
            return int(self._columns.lived[by]), int(self._columns.time[by])
        residuals = self._bench.residuals
        if by < len(residuals):
            return residuals[by].lived, residuals[by].time
        return self._board.known, self._board.known

    def _ripe_tags(self) -> list[Event]:
        due = self._delays.due[: len(self._timed_by)]
        ripe = self._columns.lived[self._timed_by] >= due
        if not ripe.any():
            return []
        return [e for i in np.flatnonzero(ripe) for e in self._ripe(int(i))]

    def _ripe_others(self, kind: type | UnionType) -> list[Event]:
        return [
            event
            for i in range(len(self._timed_by), len(self._checks))
            if isinstance(self._checks[i].settings, kind)
            and self._lived(i)[0] >= self._delays.due[i]
            for event in self._ripe(i)
        ]

    def _ripe(self, check: int) -> list[Event]:
        lived, time = self._lived(check)
        if self._covered(check):
            self._delays.postpone(check, lived)
            return []
        time -= lived - int(self._delays.due[check])
        meaning = self._delays.ripe(check)
        began = self._delays[check].first
        if meaning is Ripe.RAISE and began is not None:
            return self._raise(check, time, began)
        return [*self._board.returned(check, time)] if meaning is Ripe.RETURN else []

    def _covered(self, check: int) -> bool:
        """Whether another alarm tells of the same cause already."""
        delay, causes = self._delays[check], self._covering.get(check, ())
        rises = delay.on and not delay.standing
        return rises and any(
            self._board.shows(cause, self._delays[cause].on) for cause in causes
        )

    def _raise(self, check: int, time: int, began: Sighting) -> list[Event]:
        found = self._checks[check]
        verdict = self._evidence.verdict(check, began, self._raw, self._bench.residuals)
        around = replace(self._around(check, time), verdict=verdict)
        explanation = explain(found, began, time, around)
        detection = Detection(
            check=found.name,
            vessel=self._vessel,
            tag=found.tag,
            time=began.time,
            score=began.score,
            value=began.value,
            text=began.text,
        )
        return [detection, *self._board.raised(check, time, explanation)]

    def _around(self, check: int, time: int) -> Surroundings:
        settings, by = self._checks[check].settings, self._checks[check].timed_by
        related = {by}
        if isinstance(settings, Residual | SampleCheck | VectorCheck):
            related = {self._number[tag] for tag in settings.tags}
        elif isinstance(settings, NoData | Skew):
            related = set(range(len(self._names)))
        gaps = self._gaps.words(related, time - WINDOW_US, time)
        return Surroundings(self._names, self._history, frozenset(related), gaps)

    def _identity(self) -> str:
        words = (f"{c.name} {c.settings!r}" for c in self._checks)
        return digest(STATE_VERSION, self._ids.tolist(), *words)

    def state(self) -> dict[str, Any]:
        """Return everything that further events depend on, as JSON."""
        return {
            "identity": self._identity(),
            "columns": self._columns.state(),
            "history": self._history.state(),
            "bench": self._bench.state(),
            "delays": self._delays.state(),
            "board": self._board.state(),
            "raw": [edge_to_json(s) for s in self._raw],
            "phase": [self._phase.name, self._phase.since],
            "pace": self._pace.state(),
            "gaps": self._gaps.state(),
            "came": self._came.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned, bit for bit.

        Raises:
            StateUnusable: it is of other tags or checks, or of another version.
            ModelUnusable: a model in it is of another version of River.
        """
        if state.get("identity") != self._identity():
            raise StateUnusable(
                f"state of vessel {self._vessel}: expected the checks "
                f"{self._identity()}, found {state.get('identity')}"
            )
        self._columns.restore(state["columns"])
        self._history.restore(state["history"])
        self._bench.restore(state["bench"])
        self._delays.restore(state["delays"])
        self._board.restore(state["board"])
        self._raw = [edge_from_json(s) for s in state["raw"]]
        self._phase = Phase(*state["phase"])
        self._pace.restore(state["pace"])
        self._gaps.restore(state["gaps"])
        self._came = np.array(state["came"], np.bool_)


def _ordered(events: list[Event]) -> list[Event]:
    """Return alarm transitions and detections by time and check."""
    return sorted(events, key=lambda e: (e.time, getattr(e, "check", "")))
