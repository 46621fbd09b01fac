"""Simulates what the gallery shows: whole batches, and each fault beside its twin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simulators.faults import catalogue
from simulators.faults.injections import Injections
from simulators.gallery import panels
from simulators.organisms import organism
from simulators.plant import Layout, Plant, begin
from simulators.recipes import US_PER_H
from simulators.tags import ALL_ASSAYS, ASSAY, COLUMN, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from simulators.faults.catalogue import Catalogue

    Vector = NDArray[np.float64]

START = 1_795_000_000_000_000
SEED = 11
QUANTITIES = ("glucose", "lactate", "antibody", "viable", "full")
"""Of cultures, in the order of panels.TRUE."""
COARSE_US, FINE_US = 120_000_000, 5_000_000


@dataclass(slots=True)
class Curves:
    """What one vessel shows over time."""

    hours: Vector
    """Culture hours, or hours since the onset of a fault, shape (k,)."""
    shown: Vector
    """Readings, shape (k, tags); NaN where none was published or it was bad."""
    true: dict[str, Vector]
    """Names of panels.TRUE, each of shape (k,)."""
    samples: list[tuple[float, tuple[float, ...]]] = field(default_factory=list)
    """Hour drawn and the assays."""
    skew_h: Vector | None = None
    """Error of the source times, hours."""

    def of(self, name: str) -> tuple[Vector, Vector]:
        """Return hours and values of a tag, an assay or a truth."""
        if name in ASSAY:
            hours = np.array([hour for hour, _ in self.samples])
            return hours, np.array([v[ASSAY[name]] for _, v in self.samples])
        hours = self.hours if self.skew_h is None else self.hours + self.skew_h
        if name in self.true:
            return self.hours, self.true[name]
        return hours, self.shown[:, COLUMN[name]]


class _Recorder:
    """Keeps what a plant shows, vessel by vessel."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        quantities = plant.layout.process.quantities
        self._rows = {quantity.name: row for row, quantity in enumerate(quantities)}
        self._times: list[int] = []
        self._shown: list[Vector] = []
        self._true: list[Vector] = []
        self._skew: list[Vector] = []
        self._samples: list[tuple[int, int, tuple[float, ...]]] = []

    def note(self) -> None:
        plant, state, effects = self._plant, self._plant.state, self._plant.effects
        shown = plant.values.copy()
        skew = np.zeros(len(shown))
        if effects is not None:
            shown[effects.status >= 2**31] = np.nan
            shown[effects.silent] = np.nan
            skew = effects.skew_us / US_PER_H
        culture, rows = state.culture, self._rows
        nothing = np.full(len(shown), np.nan)
        self._times.append(plant.now)
        self._shown.append(shown)
        self._skew.append(skew)
        self._true.append(
            np.array(
                [
                    state.ph, state.oxygen_percent, state.temperature, state.bacteria,
                    *(culture[rows[n]] if n in rows else nothing for n in QUANTITIES),
                ]
            )
        )  # fmt: skip
        self._samples += [
            (r.vessel, r.drawn, r.values)
            for r in plant.laboratory.answers(plant.now + 6 * US_PER_H)
        ]

    def curves(self, vessel: int, zero: int) -> Curves:
        """Return one vessel's curves; hours count from `zero`, us UTC."""
        true = np.array(self._true)[:, :, vessel]
        return Curves(
            hours=(np.array(self._times) - zero) / US_PER_H,
            shown=np.array(self._shown)[:, vessel],
            true={name: true[:, n] for n, name in enumerate(panels.TRUE)},
            samples=[
                ((drawn - zero) / US_PER_H, values)
                for who, drawn, values in self._samples
                if who == vessel
            ],
            skew_h=np.array(self._skew)[:, vessel],
        )


class _Ages(Layout):
    """Vessels named after faults, each at the age at which it shows them."""

    def age_h(self, index: int) -> float:
        shown = panels.OF[self.vessels[index]]
        return shown.age_h - shown.before_h


class _Fresh(Layout):
    """Vessels whose batches begin at the start."""

    def age_h(self, index: int) -> float:
        del index
        return -self.recipe.before_culture_h


def batches(count: int) -> list[Curves]:
    """Return whole fault-free batches, every ten minutes."""
    plant = Plant(_Fresh(tuple(f"BR{101 + n}" for n in range(count)), SEED), START)
    recipe, recorder = plant.layout.recipe, _Recorder(plant)
    inoculated = START + round(recipe.before_culture_h * US_PER_H)
    end = START + round(recipe.cycle_h * US_PER_H)
    while plant.now < end:
        plant.fast_forward(min(plant.now + 5 * COARSE_US, end))
        recorder.note()
    return [recorder.curves(n, inoculated) for n in range(count)]


def faults(*, fine: bool, process: str = "cho") -> dict[str, tuple[Curves, Curves]]:
    """Return, by fault, its curves and those of the twin without it."""
    known = catalogue.load()
    names = [
        name
        for name, shown in panels.OF.items()
        if shown.fine is fine and shown.process == process
    ]
    step = FINE_US if fine else COARSE_US
    spans = {round(panels.OF[n].before_h * US_PER_H / step) * step for n in names}
    pair = [_with(known, names, process), _with(known, names, process)]
    recorders = [_Recorder(plant) for plant in pair]
    end = START + max(
        round((panels.OF[n].before_h + panels.OF[n].after_h) * US_PER_H) for n in names
    )
    while pair[0].now < end:
        if pair[0].now - START in spans:
            _inject(pair[1], _due(names, pair[0].now - START, step))
        for plant, recorder in zip(pair, recorders, strict=True):
            plant.advance(plant.now + step)
            recorder.note()
    return {
        name: (
            recorders[1].curves(n, _onset(name)),
            recorders[0].curves(n, _onset(name)),
        )
        for n, name in enumerate(names)
    }


def _with(known: Catalogue, names: Sequence[str], process: str) -> Plant:
    kind = organism(process)
    layout = _Ages(
        tuple(names),
        SEED,
        design=kind.design,
        recipe=kind.recipe,
        process=kind.process,
        tags=kind.tags,
    )
    return begin(layout, START, Injections(known, names, process=process))


def _onset(name: str) -> int:
    return START + round(panels.OF[name].before_h * US_PER_H)


def _due(names: Iterable[str], since: int, step: int) -> list[str]:
    def place(name: str) -> int:
        return round(panels.OF[name].before_h * US_PER_H / step) * step

    return [name for name in names if place(name) == since]


def _inject(plant: Plant, names: Iterable[str]) -> None:
    for name in names:
        plant.injections.inject(name, name, None, None, plant.now)


def unit_of(name: str) -> str:
    """Return a curve's label with its unit."""
    if name in panels.TRUE:
        return panels.TRUE[name]
    unit = ALL_ASSAYS[ASSAY[name]].unit if name in ASSAY else TAGS[COLUMN[name]].unit
    if unit is None or unit.ucum == "[pH]":
        return name
    shown = {"Cel": "°C", "/min": "1/min", "10*6/mL": "1e6/mL"}
    return f"{name}, {shown.get(unit.ucum, unit.ucum)}"
