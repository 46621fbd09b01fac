"""campaign.json: what a data set holds and what it was made from. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulators.campaign.laboratory import asked, units
from simulators.campaign.lockstep import truth_columns
from simulators.campaign.record import iso
from simulators.recipes import US_PER_H, program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.campaign.group import Done
    from simulators.campaign.plan import Campaign

FORMAT = 1
"""Of the data set; docs/datasets.md says what changed."""


def described_campaign(campaign: Campaign, done: Sequence[Done]) -> dict[str, Any]:
    """Return the data set's table of contents; the same campaign gives the same."""
    organism = campaign.organism
    process = organism.process
    tested = units(asked(tuple(process.assays(process.inoculated(1.0, 1.0)))))
    return {
        "format": FORMAT,
        "simulated": True,
        "process": campaign.process,
        "product": organism.product,
        "seed": campaign.seed,
        "step_s": campaign.step / 1e6,
        "truth_step_s": campaign.truth_step / 1e6,
        "faults": campaign.faults,
        "mix": campaign.mix.model_dump(mode="json", by_alias=True),
        "before_culture_h": campaign.recipe.before_culture_h,
        "culture_h": campaign.recipe.harvest_from_h,
        "batches": [_batch(campaign, one) for one in done],
        "tags": [
            {
                "name": tag.name,
                "description": tag.description,
                "unit": "" if tag.unit is None else tag.unit.ucum,
                "low": tag.low,
                "high": tag.high,
                "kind": str(tag.kind),
                "report": "each" if tag.each else "change",
                "period_s": tag.period_s,
            }
            for tag in organism.columns()
        ],
        "truth": [
            {"name": name, "unit": unit} for name, unit in truth_columns(organism)
        ],
        "assays": [{"name": name, "unit": unit} for name, unit in tested.items()],
    }


def _batch(campaign: Campaign, one: Done) -> dict[str, Any]:
    slot = one.slot
    inoculated = slot.start + round(campaign.recipe.before_culture_h * US_PER_H)
    return {
        "batch": slot.batch,
        "number": slot.number,
        "vessel": slot.vessel,
        "product": program(campaign.process.upper(), slot.number)[0],
        "start": iso(slot.start),
        "inoculated": iso(inoculated),
        "end": iso(slot.start + one.end),
        "state": one.state,
        "faults": [fault["id"] for fault in one.faults],
        "true_product": float(f"{one.final[campaign.organism.product]:.5g}"),
    }
