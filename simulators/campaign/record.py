"""The record of one simulated batch, as JSON can hold it. Pure.

Times are ISO 8601 UTC. Event types and subtypes are those of BatchML.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulators.procedural import Command, State
from simulators.recipes import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.campaign.changes import Change
    from simulators.campaign.interventions import Intervention
    from simulators.campaign.laboratory import Assay
    from simulators.campaign.plan import Campaign, Slot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNIT_PROCEDURE = "Production culture"
OPERATIONS = {
    "Prepare": "Media fill and condition",
    "Inoculate": "Inoculate",
    "Growth": "Culture",
    "Transfection": "Transfect",
    "Feed": "Culture",
    "TemperatureShift": "Culture",
    "Production": "Culture",
    "Harvest": "Harvest",
}
"""Operation of each phase of the recipe."""
EVENTS = {
    "Phase": ("Procedural Execution", "State Change"),
    "Setpoint": ("Control Recipe", "Parameter Data"),
    "Mode": ("Equipment", "Mode Change"),
    "Foam": ("Equipment", "Process Data"),
    "Bolus": ("Operator", "Consume"),
    "Sample": ("Operator", "Process Data"),
    "Written": ("Operator", "Parameter Data"),
    "Command": ("Operator", "State Command"),
}
"""Type and subtype of each kind of change."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known about one batch when it is over."""

    slot: Slot
    factors: dict[str, float]
    """How it differs from the nominal batch."""
    changes: Sequence[Change]
    """Times count from the start of the batch."""
    assays: Sequence[Assay]
    faults: Sequence[str]
    """Identifiers; see faults.jsonl."""
    final: dict[str, float]
    """The truth at the end of culture."""
    end: int
    """us since its start."""
    done_by_hand: Sequence[Intervention]

    @property
    def state(self) -> str:
        """Return how the procedure ended."""
        aborted = any(one.command is Command.ABORT for one in self.done_by_hand)
        return str(State.ABORTED if aborted else State.COMPLETE)


def iso(time: int) -> str:
    """Return us UTC as ISO 8601.

    >>> iso(1_767_592_800_000_000)
    '2026-01-05T06:00:00Z'
    """
    return (_EPOCH + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")


def record(campaign: Campaign, told: Told) -> dict[str, Any]:
    """Return the batch record."""
    slot = told.slot
    product, client = program(campaign.process.upper(), slot.number)
    end = slot.start + told.end
    inoculated = slot.start + round(campaign.recipe.before_culture_h * 3.6e9)
    return {
        "batch": slot.batch,
        "simulated": True,
        "process": campaign.process,
        "product": product,
        "client": client,
        "vessel": slot.vessel,
        "state": told.state,
        "start": iso(slot.start),
        "inoculated": iso(inoculated),
        "end": iso(end),
        "procedure": {
            "unit_procedure": UNIT_PROCEDURE,
            "operations": _operations(told, end),
        },
        "events": list(_events(told)),
        "assays": [_assay(one) for one in told.assays],
        "true_factors": {name: round(f, 6) for name, f in told.factors.items()},
        "true_final": {name: round(value, 6) for name, value in told.final.items()},
        "faults": list(told.faults),
    }


def phases(told: Told, end: int) -> list[dict[str, Any]]:
    """Return the phases with their times, us UTC; the last ends at `end`."""
    begun = [c for c in told.changes if c.kind == "Phase"]
    starts = [told.slot.start, *(told.slot.start + c.time for c in begun[1:])]
    return [
        {"phase": c.what, "start": start, "end": until}
        for c, start, until in zip(begun, starts, [*starts[1:], end], strict=True)
    ]


def _operations(told: Told, end: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for phase in phases(told, end):
        name = OPERATIONS.get(phase["phase"], phase["phase"])
        shown = {
            "phase": phase["phase"],
            "state": _ended(told, phase),
            "start": iso(phase["start"]),
            "end": iso(phase["end"]),
        }
        if found and found[-1]["operation"] == name:
            found[-1]["phases"].append(shown)
            found[-1]["end"] = shown["end"]
        else:
            found.append(
                {
                    "operation": name,
                    "start": shown["start"],
                    "end": shown["end"],
                    "phases": [shown],
                }
            )
    return found


def _ended(told: Told, phase: dict[str, Any]) -> str:
    """Return how a phase ended: an abort ends the one it finds."""
    since, until = phase["start"], phase["end"]
    aborts = [
        told.slot.start + one.time
        for one in told.done_by_hand
        if one.command is Command.ABORT
    ]
    cut = any(since <= at < until for at in aborts)
    return str(State.ABORTED if cut and phase["phase"] != "Harvest" else State.COMPLETE)


def _events(told: Told) -> Iterator[dict[str, Any]]:
    """Yield changes and draws in order of time."""
    start = told.slot.start
    drawn = {one.sample: one.drawn for one in told.assays}
    rows = [(start + c.time, c.kind, c.what, c.value, c.before) for c in told.changes]
    rows += [(time, "Sample", sample, None, None) for sample, time in drawn.items()]
    rows += [_by_hand(start, one) for one in told.done_by_hand]
    for time, kind, what, value, before in sorted(rows, key=lambda row: row[:3]):
        event_type, subtype = EVENTS[kind]
        shown: dict[str, Any] = {
            "time": iso(time),
            "type": event_type,
            "subtype": subtype,
            "kind": kind,
            "what": what,
        }
        if value is not None:
            shown |= {"value": value}
        if before is not None:
            shown |= {"previous": before}
        yield shown


def _by_hand(start: int, one: Intervention) -> tuple[int, str, str, float | None, None]:
    if one.command is not None:
        return start + one.time, "Command", str(one.command), None, None
    return start + one.time, "Written", one.tag or "", one.value, None


def _assay(one: Assay) -> dict[str, Any]:
    return {
        "sample": one.sample,
        "assay": one.assay,
        "value": one.value,
        "unit": one.unit,
        "time": iso(one.drawn),
        "available_at": iso(one.available),
    }
