"""The overview of a batch as a picture; needs matplotlib (extra `plots`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simulators.campaign.lockstep import truth_columns
from simulators.campaign.record import iso
from simulators.recipes import US_PER_H, program
from simulators.tags import COLUMN

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from simulators.campaign.group import Done, Seen
    from simulators.campaign.plan import Campaign
    from simulators.organisms import Organism

    Array = NDArray[np.float64]

_BLUE, _ORANGE, _GREEN, _RED = "#1f5fa8", "#d9822b", "#2f8f5b", "#c0392b"
_GREY = "#8a8f98"
Line = tuple[str, str, str]
"""Column, label, colour."""


def overview(campaign: Campaign, batch: Done, seen: Seen, folder: Path) -> None:
    """Draw `<batch>.png`: culture, metabolites, loops, gases, feeds, weight."""
    days = _days(campaign, np.array(seen.times))
    rows = np.array([row[batch.slot.place] for row in seen.truth])
    names = [name for name, _ in truth_columns(campaign.organism)]
    truth = dict(zip(names, rows.T, strict=True))
    shown = np.array([row[batch.slot.place] for row in seen.shown])
    figure = Figure(figsize=(13, 8.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 2, sharex=True)
    _cells(axes[0][0], days, truth, batch, campaign)
    _metabolites(axes[1][0], days, truth, batch, campaign)
    _plot(axes[2][0], days, shown, (("AIC-101.PV", "pH", _BLUE),), "pH")
    _plot(_second(axes[2][0]), days, shown,
          (("TIC-101.PV", "temperature", _ORANGE),), "°C", right=True)  # fmt: skip
    _plot(axes[0][1], days, shown, (("AIC-102.PV", "dissolved oxygen", _BLUE),), "%")
    axes[0][1].set_ylim(0.0, 110.0)
    _plot(_second(axes[0][1]), days, shown,
          (("SIC-101.PV", "stirrer", _GREY),), "1/min", right=True)  # fmt: skip
    gases = (
        ("FIC-111.PV", "air", _BLUE),
        ("FIC-112.PV", "oxygen", _GREEN),
        ("FIC-113.PV", "carbon dioxide", _ORANGE),
    )
    _plot(axes[1][1], days, shown, gases, "L/min")
    liquids = (
        ("FQ-121.PV", "feed", _BLUE),
        ("FQ-122.PV", "base", _ORANGE),
        ("FQ-123.PV", "glucose", _GREEN),
    )
    _plot(axes[2][1], days, shown, liquids, "L")
    _plot(_second(axes[2][1]), days, shown,
          (("WIT-101.PV", "weight", _GREY),), "kg", right=True)  # fmt: skip
    for axis in axes.flat:
        _mark(axis, batch, campaign)
    for axis in axes[-1]:
        axis.set_xlabel("days of culture")
    figure.suptitle(_title(batch, campaign), fontsize=11, x=0.01, ha="left")
    figure.savefig(folder / f"{batch.slot.batch}.png", dpi=80)


def _cells(
    axis: Axes, days: Array, truth: dict[str, Array], batch: Done, campaign: Campaign
) -> None:
    organism = campaign.organism
    first = organism.process.quantities[0].name
    names = dict.fromkeys((first, organism.product))
    lines = _lines(organism, tuple(names))
    _true(axis, days, truth, lines[:1])
    _found(axis, batch, campaign, {"vcd": _BLUE, "dry_mass": _BLUE})
    if len(lines) > 1:
        axis = _second(axis) if organism.product == "full" else axis
        _true(axis, days, truth, lines[1:], right=organism.product == "full")
        _found(axis, batch, campaign, {"titer": _GREEN})


def _metabolites(
    axis: Axes, days: Array, truth: dict[str, Array], batch: Done, campaign: Campaign
) -> None:
    _true(axis, days, truth, _lines(campaign.organism, campaign.organism.pictured))
    _found(axis, batch, campaign, {"ammonium": _ORANGE, "acetate": _GREEN})


def _lines(organism: Organism, names: tuple[str, ...]) -> tuple[Line, ...]:
    """Return columns of the truth with their labels."""
    known = {quantity.name: quantity for quantity in organism.process.quantities}
    colours = (_BLUE, _GREEN, _ORANGE)
    return tuple(
        (name, _label(known[name].what, known[name].unit), colour)
        for name, colour in zip(names, colours, strict=False)
    )


def _label(what: str, unit: str) -> str:
    """Return what a line is, with its unit as people write it.

    >>> _label("viable cells", "10*9.L-1"), _label("full capsids per cell", "{copies}")
    ('viable cells, 1e9/L', 'full capsids per cell')
    """
    written = {"10*9.L-1": "1e9/L"}.get(unit, unit)
    return what if written.startswith("{") else f"{what}, {written}"


def _true(
    axis: Axes,
    days: Array,
    truth: dict[str, Array],
    lines: tuple[Line, ...],
    *,
    right: bool = False,
) -> None:
    for column, label, colour in lines:
        axis.plot(days, truth[column], color=colour, label=label)
    axis.set_ylim(bottom=0.0)
    axis.grid(visible=True, alpha=0.25)
    _name_lines(axis, right=right)


def _found(
    axis: Axes, batch: Done, campaign: Campaign, colours: dict[str, str]
) -> None:
    """Add what the laboratory found, at the time of the draw."""
    for assay, colour in colours.items():
        rows = [one for one in batch.assays if one.assay == assay]
        drawn = np.array([one.drawn - batch.slot.start for one in rows], float)
        values = [one.value for one in rows]
        axis.plot(_days(campaign, drawn), values, "o", ms=4, mfc="none", color=colour)


def _plot(
    axis: Axes,
    days: Array,
    shown: Array,
    lines: tuple[Line, ...],
    unit: str,
    *,
    right: bool = False,
) -> None:
    for tag, label, colour in lines:
        axis.plot(days, shown[:, COLUMN[tag]], color=colour, label=label, lw=0.8)
    axis.set_ylabel(unit)
    axis.grid(visible=True, alpha=0.25)
    _name_lines(axis, right=right)


def _name_lines(axis: Axes, *, right: bool = False) -> None:
    """Name the lines above the panel: of its left or of its right scale."""
    axis.legend(
        loc="lower right" if right else "lower left",
        bbox_to_anchor=(1.0 if right else 0.0, 0.98),
        ncols=3,
        fontsize=8,
        frameon=False,
    )


def _second(axis: Axes) -> Axes:
    other: Axes = axis.twinx()
    return other


def _mark(axis: Axes, batch: Done, campaign: Campaign) -> None:
    """Shade the fault; a line where it could first be seen."""
    for fault in batch.faults:
        start, end = (
            float(_days(campaign, np.array(float(fault[name] - batch.slot.start))))
            for name in ("onset_us", "end_us")
        )
        last = campaign.recipe.harvest_from_h / 24.0 + 0.5
        axis.axvspan(start, min(end, last), color=_RED, alpha=0.12, lw=0)
        seen = fault["first_detectable_us"]
        if seen is not None:
            at = _days(campaign, np.array(float(seen - batch.slot.start)))
            axis.axvline(float(at), color=_RED, lw=0.8, ls=":")


def _title(batch: Done, campaign: Campaign) -> str:
    slot = batch.slot
    faults = ", ".join(
        f"{f['fault']} {f['name']} ({f['magnitude']:g} {f['unit']})"
        for f in batch.faults
    )
    product, _ = program(campaign.process.upper(), slot.number)
    return (
        f"{slot.batch}  {product}  {slot.vessel}  {iso(slot.start)}  "
        f"fault: {faults or 'none'}"
    )


def _days(campaign: Campaign, since_start: Any) -> Array:  # noqa: ANN401  array or number
    before = campaign.recipe.before_culture_h
    days: Array = (since_start / US_PER_H - before) / 24.0
    return days
