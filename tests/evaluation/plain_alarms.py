"""The alarm set that a plant has without us: fixed limits around the setpoints. Pure.

Limits of common practice for mammalian culture, as ISA-18.2 asks for them: on-delay
60 s and off-delay 30 s for analogue values, foam and bad data after 30 and 60 s,
silence after 10 s. What stands already is not raised again.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulators.tags import COLUMN, TAGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.evaluation.simulated_batches import Run

    Column = NDArray[np.float64]
    Mask = NDArray[np.bool_]

ON_US = 60_000_000
FOAM_US = 30_000_000
SILENCE_US = 10_000_000
OFF_US = 30_000_000
CULTURE = {"Growth", "Feed", "TemperatureShift", "Production"}
REGULATED = CULTURE - {"TemperatureShift"}
"""Phases in which the temperature is not on its way."""
GOLDEN_BASE_L = 22.0
"""Base of a usual batch; twice as much is an alarm."""
BOTTLES_KG = {"WIT-121.PV": 20.0, "WIT-122.PV": 1.5, "WIT-123.PV": 5.0,
              "WIT-124.PV": 0.25}  # fmt: skip
_LOOPS = {
    "T": ("TIC-101.PV", "TIC-101.SP"),
    "pH": ("AIC-101.PV", "AIC-101.SP"),
    "N": ("SIC-101.PV", "SIC-101.SP"),
}
_WEIGHT = ("WIT-101.PV", "FQ-121.PV", "FQ-122.PV", "FQ-123.PV")
_BAD = 0x80000000


class Plain(NamedTuple):
    """One alarm."""

    time: int
    """us UTC."""
    name: str
    tags: tuple[str, ...]
    """That it is about; none: the whole vessel."""
    until: int = 0
    """When it returned, us UTC; 0: not said."""


def raised(run: Run, place: int) -> list[Plain]:
    """Return the alarms of one batch, in order."""
    culture, regulated = (_during(run, place, named) for named in (CULTURE, REGULATED))
    heard = ~run.silent[:, place]
    found: list[Plain] = []
    for name, tags, beyond, delay in _conditions(run, place, culture, regulated):
        times = _times(run.times, beyond & heard, delay)
        found += [Plain(begin, name, tags, end) for begin, end in times]
    silences = _times(run.times, ~heard, SILENCE_US)
    found += [Plain(begin, "silence", (), end) for begin, end in silences]
    for column in {c for _, p, c, s in run.statuses if p == place and s & _BAD}:
        bad = np.zeros(len(run.times), np.bool_)
        bad[[r for r, p, c, _ in run.statuses if (p, c) == (place, column)]] = True
        tag = TAGS[column].name
        times = _times(run.times, bad, ON_US)
        found += [Plain(begin, f"{tag} bad", (tag,), end) for begin, end in times]
    return sorted(found, key=lambda one: (one.time, one.name))


def _during(run: Run, place: int, named: set[str]) -> Mask:
    mask = np.zeros(len(run.times), np.bool_)
    begun = [*run.phases[place], (len(run.times), "")]
    for (first, phase), (end, _) in pairwise(begun):
        mask[first:end] = phase in named
    return mask


def _conditions(
    run: Run, place: int, culture: Mask, regulated: Mask
) -> list[tuple[str, tuple[str, ...], Mask, int]]:
    def of(tag: str) -> Column:
        column: Column = run.values[:, place, COLUMN[tag]]
        return column

    warm = np.abs(of("TIC-101.PV") - of("TIC-101.SP"))
    ph = np.abs(of("AIC-101.PV") - of("AIC-101.SP"))
    oxygen, head = of("AIC-102.PV"), of("PIC-101.PV")
    speed = np.abs(of("SIC-101.PV") - of("SIC-101.SP"))
    weight = _unexplained_weight(of, culture)
    base = of("FQ-122.PV") > 2.0 * GOLDEN_BASE_L
    conditions = [
        ("temperature", _LOOPS["T"], warm > 0.5, regulated),
        ("temperature, outer", _LOOPS["T"], warm > 1.0, regulated),
        ("pH", _LOOPS["pH"], ph > 0.10, culture),
        ("pH, outer", _LOOPS["pH"], ph > 0.20, culture),
        ("oxygen low", ("AIC-102.PV",), oxygen < 25.0, culture),
        ("oxygen low, outer", ("AIC-102.PV",), oxygen < 15.0, culture),
        ("oxygen high", ("AIC-102.PV",), oxygen > 70.0, culture),
        ("head pressure", ("PIC-101.PV",), head > 60.0, culture),
        ("head pressure, outer", ("PIC-101.PV",), head > 80.0, culture),
        ("agitation", _LOOPS["N"], speed > 5.0, culture),
        ("weight", _WEIGHT, weight > 0.01, culture),
        ("weight, outer", _WEIGHT, weight > 0.03, culture),
        ("base total", ("FQ-122.PV",), base, culture),
    ]
    conditions += [
        (f"{tag} empty", (tag,), of(tag) < kg, culture)
        for tag, kg in BOTTLES_KG.items()
    ]
    foam = (of("LSH-101.PV") > 0.5) & culture
    return [
        *(
            (name, tags, beyond & when, ON_US)
            for name, tags, beyond, when in conditions
        ),
        ("foam", ("LSH-101.PV",), foam, FOAM_US),
    ]


def _unexplained_weight(of: object, culture: Mask) -> Column:
    """Return the share of the weight that inoculation and totals do not explain."""
    if not callable(of) or not culture.any():
        return np.zeros(len(culture))
    added = sum(of(f"FQ-12{n}.PV") * kg for n, kg in ((1, 1.06), (2, 1.1), (3, 1.15)))
    first = int(np.flatnonzero(culture)[0])
    expected = of("WIT-101.PV")[first] + added - added[first]
    share: Column = np.abs(of("WIT-101.PV") / np.maximum(expected, 1.0) - 1.0)
    return share


def _times(times: NDArray[np.int64], beyond: Mask, delay: int) -> list[tuple[int, int]]:
    """Return from when to when a condition that held for its delay is an alarm.

    Short ends do not end it.
    """
    edges = np.flatnonzero(np.diff(np.r_[False, beyond, False]))
    step = int(times[1] - times[0])
    spans = [
        [times[a], times[b - 1]] for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]
    merged: list[list[int]] = []
    for begin, end in spans:
        if merged and begin - merged[-1][1] - step < OFF_US:
            merged[-1][1] = end
        else:
            merged.append([begin, end])
    return [
        (int(begin) + delay, int(end) + step + OFF_US)
        for begin, end in merged
        if end + step - begin > delay
    ]
