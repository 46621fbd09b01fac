"""Every fault of the catalogue moves the tags of its signature, and no others.

One vessel per fault, beside the same vessels with the same noise and without faults:
what differs is the fault, in closed loop, over the fault or three days of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulators.faults import catalogue
from simulators.faults.acts import STATUSCODES
from simulators.faults.catalogue import us
from simulators.faults.injections import Injections
from simulators.plant import Layout, Plant, begin
from simulators.processes.design import Design
from simulators.recipes import US_PER_H
from simulators.tags import ASSAY, COLUMN, TAGS

if TYPE_CHECKING:
    from simulators.laboratory import Result

pytestmark = pytest.mark.xdist_group("fault_signatures")  # one long run for all tests
START = 1_795_000_000_000_000
KNOWN = catalogue.load()
FAULTS = tuple(
    name for name, fault in KNOWN.faults.items() if fault.process in {None, "cho"}
)
STEP_US = 120_000_000
HOURS = 72
AGES = {
    "A04": 76.0,
    "P02": 2.0,
    "P01": 102.0,
    "A09": 200.0,
    "A03": 126.5,
    "A07T": 118.0,
}
"""Culture hours at the onset, where it does not show at 150 h."""
HALF_HOUR = 15
SHOWS, STILL = 3.5, 7.0
"""Scatters by which an hour's mean moves, at least and at most."""


class OneFaultEach(Layout):
    def age_h(self, index: int) -> float:
        return AGES.get(self.vessels[index], 150.0)


@dataclass
class Both:
    """Readings with and without faults, (k, vessels, tags), and statuses."""

    faulty: np.ndarray
    clean: np.ndarray
    status: np.ndarray
    results: dict[str, list[Result]]

    def moved(self, fault: str) -> np.ndarray:
        """Return difference in scatters over the fault, (k, tags)."""
        spans = min(us(KNOWN.faults[fault].duration.default), HOURS * US_PER_H)
        if fault == "H02":  # what a calibration leaves comes after it
            spans = 24 * US_PER_H
        vessel, steps = FAULTS.index(fault), spans // STEP_US
        sigma = np.array([KNOWN.scatter[tag.name] for tag in TAGS])
        gap: np.ndarray = (self.faulty - self.clean)[:steps, vessel] / sigma
        return gap

    def means(self, fault: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and highest mean of an hour by tag; less if it is short."""
        gap = self.moved(fault)
        width = max(min(2 * HALF_HOUR, len(gap) // 2), 1)
        sums = np.cumsum(np.vstack([np.zeros(gap.shape[1]), gap]), axis=0)
        means = (sums[width:] - sums[:-width]) / width
        return means.min(axis=0), means.max(axis=0)


@pytest.fixture(scope="module")
def both() -> Both:
    layout = OneFaultEach(FAULTS, 11, design=Design(foam_per_h=0.0))
    clean = begin(layout, START, Injections(KNOWN, FAULTS))
    faulty = Plant(layout, START, Injections(KNOWN, FAULTS))
    faulty.restore(clean.to_json())
    for name in FAULTS:
        faulty.injections.inject(name, name, None, None, START)
    shown: dict[str, list[np.ndarray]] = {"faulty": [], "clean": [], "status": []}
    results: dict[str, list[Result]] = {"faulty": [], "clean": []}
    for _ in range(HOURS * US_PER_H // STEP_US):
        for name, plant in (("faulty", faulty), ("clean", clean)):
            plant.advance(plant.now + STEP_US)
            shown[name].append(plant.values)
            results[name] += plant.laboratory.answers(plant.now)
        assert faulty.effects is not None
        shown["status"].append(faulty.effects.status)
    arrays = {name: np.array(rows) for name, rows in shown.items()}
    return Both(**arrays, results=results)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_in_the_tags_of_its_signature(both: Both, fault: str) -> None:
    low, high = both.means(fault)
    single = np.abs(both.moved(fault)).max(axis=0)
    vessel = FAULTS.index(fault)
    for tag, how in KNOWN.faults[fault].signature.items():
        if tag in ASSAY:
            continue
        column = COLUMN[tag]
        held = both.faulty[1:100, vessel, column]
        seen = {
            "rises": high[column] > SHOWS,
            "falls": low[column] < -SHOWS,
            "moves": max(high[column], -low[column]) > SHOWS,
            "jumps": single[column] > SHOWS,
            "stands": float(np.ptp(held)) == 0.0,
            "status": bool(both.status[:, vessel, column].any()),
        }
        assert seen[how], (tag, how, low[column], high[column])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leaves_all_other_tags_alone(both: Both, fault: str) -> None:
    low, high = both.means(fault)
    moved = {
        tag.name: float(max(high[n], -low[n]))
        for n, tag in enumerate(TAGS)
        if tag.name not in KNOWN.faults[fault].signature
    }
    assert {tag: by for tag, by in moved.items() if by > STILL} == {}


def test_faults_that_act_on_what_is_told_change_no_reading(both: Both) -> None:
    for fault in ("C01", "C02", "C03", "H01"):
        vessel = FAULTS.index(fault)
        assert np.array_equal(both.faulty[:, vessel], both.clean[:, vessel]), fault
    flapping = both.status[:20, FAULTS.index("C02"), COLUMN["AIC-102.PV"]]
    assert set(flapping.tolist()) <= {0, STATUSCODES["BadSensorFailure"]}


def assays(both: Both, which: str, fault: str, assay: str) -> list[float]:
    vessel = FAULTS.index(fault)
    return [
        result.values[ASSAY[assay]]
        for result in both.results[which]
        if result.vessel == vessel and result.drawn > START
    ]


def test_low_productivity_shows_in_the_titer_of_samples_only(both: Both) -> None:
    titers = {w: assays(both, w, "P04", "LAB.TITER") for w in ("faulty", "clean")}
    assert len(titers["clean"]) == 3
    gained = {which: values[-1] - values[0] for which, values in titers.items()}
    assert gained["faulty"] < 0.95 * gained["clean"]


def test_mixed_up_samples_are_ten_times_too_large_for_a_day(both: Both) -> None:
    counts = {w: assays(both, w, "H01", "LAB.VCD") for w in ("faulty", "clean")}
    assert counts["faulty"][0] == pytest.approx(10 * counts["clean"][0], rel=1e-3)
    assert counts["faulty"][1:] == counts["clean"][1:]


def test_the_laboratory_sees_the_ph_that_a_drifting_probe_hides(both: Both) -> None:
    outside = {w: assays(both, w, "S01", "LAB.PH") for w in ("faulty", "clean")}
    assert outside["clean"][-1] - outside["faulty"][-1] > 0.04
