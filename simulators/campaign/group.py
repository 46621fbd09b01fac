"""One group of a campaign, simulated and written; runs in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.campaign import laboratory, mix
from simulators.campaign.changes import Changes
from simulators.campaign.files import GroupFiles, write_json
from simulators.campaign.interventions import interventions
from simulators.campaign.lockstep import START, Lockstep, truth_columns
from simulators.campaign.plan import VESSELS, vessel_name
from simulators.campaign.record import Told, record
from simulators.faults import catalogue
from simulators.faults.record import described
from simulators.faults.scenario import Scenario
from simulators.procedural import Command
from simulators.recipes import US_PER_H

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from simulators.campaign.interventions import Intervention
    from simulators.campaign.laboratory import Assay
    from simulators.campaign.lockstep import Chunk
    from simulators.campaign.plan import Campaign, Slot
    from simulators.faults.injections import Injection

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Done:
    """What the campaign's common files need of one batch."""

    slot: Slot
    assays: list[Assay]
    faults: list[dict[str, Any]]
    final: dict[str, float]
    end: int
    """us since its start."""
    state: str
    """Complete or Aborted."""


@dataclass(slots=True)
class Seen:
    """What is kept in memory of a group: rows as sparse as the truth."""

    changes: list[Changes]
    times: list[int]
    truth: list[Array]
    """Each (vessels, truth_columns)."""
    shown: list[Array]
    """Readings at the same times, each (vessels, tags)."""
    step: int
    """us between two rows."""
    ends: list[int]
    """When the batches were over, us since their start."""

    def add(self, chunk: Chunk) -> None:
        """Take the next rows."""
        for vessel, changes in enumerate(self.changes):
            count = int(chunk.running[:, vessel].sum())
            if count:
                phases = [row[vessel] for row in chunk.phases[:count]]
                values = chunk.values[:count, vessel, :]
                changes.see(chunk.times[:count], values, phases)
                self.ends[vessel] = int(chunk.times[count - 1]) + self.step
        rows = np.searchsorted(chunk.times, chunk.truth_times)
        self.times += chunk.truth_times
        self.truth += chunk.truth
        self.shown += list(chunk.values[rows])

    def at(self, time: int, place: int) -> Array:
        """Return the truth of a vessel at the last row up to `time`."""
        row = max(int(np.searchsorted(self.times, time, side="right")) - 1, 0)
        found: Array = self.truth[row][place]
        return found


def simulate(
    campaign: Campaign,
    group: int,
    folder: Path,
    *,
    plots: bool,
    progress: Callable[[float], None],
) -> list[Done]:
    """Simulate a group and write its batches' files; return the rest.

    Args:
        campaign: what to simulate.
        group: which part of it.
        folder: of the data set; its subfolders exist.
        plots: whether to draw the overviews.
        progress: told the share that is done, 0 to 1.
    """
    slots = campaign.slots(group)
    done_by_hand = _interventions(campaign, group)
    lockstep = Lockstep(
        campaign, group, catalogue.load(), _scenario(campaign, group), done_by_hand
    )
    seen = Seen(
        [Changes() for _ in range(VESSELS)], [], [], [], campaign.step, [0] * VESSELS
    )
    with GroupFiles(folder, slots, campaign.organism) as files:
        for chunk in lockstep.chunks():
            files.add(chunk)
            seen.add(chunk)
            progress(float(chunk.times[-1]) / campaign.length_us)
    done = [
        _finished(campaign, lockstep, seen, slot, folder, done_by_hand[slot.place])
        for slot in slots
    ]
    if plots:
        from simulators.campaign import pictures  # noqa: PLC0415  an extra

        for one in done:
            pictures.overview(campaign, one, seen, folder / "plots")
    progress(1.0)
    return done


def _interventions(campaign: Campaign, group: int) -> list[list[Intervention]]:
    """Return what operators do, by vessel."""
    faulty = {fault.vessel for fault in _scenario(campaign, group).faults}
    return [
        interventions(
            campaign.mix.interventions,
            campaign.recipe,
            seed=campaign.seed,
            number=group * VESSELS + place + 1,
            faulty=vessel_name(place) in faulty,
        )
        for place in range(VESSELS)
    ]


def _scenario(campaign: Campaign, group: int) -> Scenario:
    known, recipe = catalogue.load(), campaign.recipe
    drawn = (
        mix.planned(
            campaign.mix,
            known,
            seed=campaign.seed,
            number=group * VESSELS + place + 1,
            vessel=vessel_name(place),
            before_culture=timedelta(hours=recipe.before_culture_h),
            culture=timedelta(hours=recipe.harvest_from_h),
            without=campaign.organism.faultless,
        )
        for place in range(VESSELS)
    )
    return Scenario(about="campaign", faults=tuple(f for f in drawn if f is not None))


def _finished(
    campaign: Campaign,
    lockstep: Lockstep,
    seen: Seen,
    slot: Slot,
    folder: Path,
    done_by_hand: Sequence[Intervention],
) -> Done:
    results = _results(campaign, lockstep, seen, slot)
    faults = [
        _fault(campaign, lockstep, one, slot)
        for one in lockstep.faults
        if one.vessel == slot.place
    ]
    recipe = campaign.recipe
    culture_end = round((recipe.before_culture_h + recipe.harvest_from_h) * US_PER_H)
    aborted = [one.time for one in done_by_hand if one.command is Command.ABORT]
    names = (name for name, _ in truth_columns(campaign.organism))
    final = seen.at(min([culture_end, *aborted]), slot.place).tolist()
    told = Told(
        slot=slot,
        factors=lockstep.factors(slot.place),
        changes=seen.changes[slot.place].all,
        assays=results,
        faults=[fault["id"] for fault in faults],
        final=dict(zip(names, final, strict=True)),
        end=seen.ends[slot.place],
        done_by_hand=done_by_hand,
    )
    write_json(folder / "records" / f"{slot.batch}.json", record(campaign, told))
    return Done(slot, results, faults, told.final, told.end, told.state)


def _results(
    campaign: Campaign, lockstep: Lockstep, seen: Seen, slot: Slot
) -> list[Assay]:
    """Return what the laboratory says of a batch, with the batch's own times."""
    process, moved = campaign.organism.process, slot.start - START
    last = START + seen.ends[slot.place]
    own = [
        one for one in lockstep.samples if one.vessel == slot.place and one.drawn < last
    ]
    inside = []
    for one in own:
        truth = seen.at(one.drawn - START, slot.place)
        culture = truth[: len(process.quantities), None]
        found = process.assays(culture)
        inside.append({name: float(value[0]) for name, value in found.items()})
    results = [
        replace(one, drawn=one.drawn + moved, known=one.known + moved) for one in own
    ]
    return laboratory.assays(slot.batch, slot.number, campaign.seed, results, inside)


def _fault(
    campaign: Campaign, lockstep: Lockstep, one: Injection, slot: Slot
) -> dict[str, Any]:
    """Return what is true about a fault, with the batch's own times."""
    moved = slot.start - START
    own = replace(
        one,
        id=f"{one.fault}-{slot.batch}",
        onset=_later(one.onset, moved),
        end=_later(one.end, moved),
        first_detectable=_later(one.first_detectable, moved),
    )
    body = described(lockstep.injections, own, campaign.seed)
    return {"batch": slot.batch} | body | {"source": "campaign"}


def _later(time: int | None, moved: int) -> int | None:
    return None if time is None else time + moved
