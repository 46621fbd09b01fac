"""Each fault in closed loop, beside the same plant without it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from shared.bioprocess import cho
from simulators.faults import catalogue
from simulators.faults.injections import Injections
from simulators.faults.record import described
from simulators.faults.scenario import parse_scenario
from simulators.plant import Layout, Plant, begin
from simulators.recipes import US_PER_H
from simulators.tags import COLUMN

START = 1_795_000_000_000_000
SECOND = 1_000_000
STEP_H = 1.0 / 30.0
KNOWN = catalogue.load()
VESSELS = ("DRIFT", "FOULED", "FROZEN", "CLOGGED", "MUTE", "CALIBRATED", "TRIPPED")
SCENARIO = """
about: one fault per vessel
faults:
  - {fault: S01, vessel: DRIFT, delay: PT1H, ramp: P2D, magnitude: -0.05}
  - {fault: S04, vessel: FOULED, delay: PT1H, ramp: P2D, magnitude: 0.2}
  - {fault: S07, vessel: FROZEN, delay: PT2H, duration: PT6H}
  - {fault: A01, vessel: CLOGGED, delay: PT4H, duration: PT24H}
  - {fault: C01, vessel: MUTE, delay: PT10H, duration: PT1H}
  - {fault: H02, vessel: CALIBRATED, delay: PT5H, duration: PT30M, magnitude: 0.05}
"""


class SameAge(Layout):
    """Vessels at 80 culture hours: fed, and oxygen is held by its loop."""

    def age_h(self, index: int) -> float:
        del index
        return 80.0


LAYOUT = SameAge(VESSELS, seed=11)


@dataclass
class Beside:
    """A plant with faults and the same without, every two minutes for 50 h."""

    shown: dict[str, np.ndarray]
    """Readings by `faulty` and `clean`, (k, vessels, tags)."""
    truth: dict[str, np.ndarray]
    """pH, oxygen %, temperature, glucose; (k, 4, vessels)."""
    facts: dict[str, dict[str, Any]]
    """Lines of the record, by fault."""
    saved: dict[str, Any]
    """The state at the start."""

    def mean(self, which: str, vessel: str, tag: str, *hours: float) -> float:
        """Return the mean reading from the first to the second hour."""
        chosen = slice(*(round(hour / STEP_H) for hour in hours))
        rows = self.shown[which][chosen, VESSELS.index(vessel), COLUMN[tag]]
        return float(rows.mean())

    def moved(self, vessel: str, tag: str, *hours: float) -> float:
        """Return by how much the fault moved a tag's mean."""
        faulty = self.mean("faulty", vessel, tag, *hours)
        return faulty - self.mean("clean", vessel, tag, *hours)

    def true(self, which: str, row: int, vessel: str, *hours: float) -> float:
        """Return the mean of the truth behind the instruments."""
        chosen = slice(*(round(hour / STEP_H) for hour in hours))
        return float(self.truth[which][chosen, row, VESSELS.index(vessel)].mean())


PH, OXYGEN, TEMPERATURE, GLUCOSE = range(4)


def injections(text: str = SCENARIO) -> Injections:
    return Injections(KNOWN, VESSELS, parse_scenario(text, "test.yaml", KNOWN, VESSELS))


def run(plant: Plant, facts: dict[str, dict[str, Any]]) -> tuple[Any, Any]:
    shown, truth = [], []
    while plant.now < START + 50 * US_PER_H:
        plant.advance(plant.now + 120 * SECOND)
        for one in plant.injections.news():
            facts[one.fault] = described(plant.injections, one, 11)
        state = plant.state
        shown.append(plant.values.copy())
        glucose = state.culture[cho.State.GLUCOSE]
        truth.append(
            np.array([state.ph, state.oxygen_percent, state.temperature, glucose])
        )
    return np.array(shown), np.array(truth)


@pytest.fixture(scope="module")
def beside() -> Beside:
    clean = begin(LAYOUT, START, Injections(KNOWN, VESSELS))
    saved = clean.to_json()
    faulty = Plant(LAYOUT, START, injections())
    body = {name: part for name, part in saved.items() if name != "faults"}
    faulty.restore(body)
    faulty.injections.starts(START)
    facts: dict[str, dict[str, Any]] = {}
    runs = {"faulty": run(faulty, facts), "clean": run(clean, {})}
    return Beside(
        {name: shown for name, (shown, _) in runs.items()},
        {name: truth for name, (_, truth) in runs.items()},
        facts,
        saved,
    )


def test_before_its_onset_a_fault_changes_nothing(beside: Beside) -> None:
    first = round(1.0 / STEP_H) - 1
    faulty, clean = beside.shown["faulty"], beside.shown["clean"]
    assert np.array_equal(faulty[:first], clean[:first])
    tripped = VESSELS.index("TRIPPED")
    assert np.array_equal(faulty[:, tripped], clean[:, tripped])


def test_ph_drift_leaves_the_reading_at_its_setpoint_and_moves_the_truth(
    beside: Beside,
) -> None:
    late = 48.0, 50.0
    assert abs(beside.moved("DRIFT", "AIC-101.PV", *late)) < 0.01
    true = [beside.true(which, PH, "DRIFT", *late) for which in ("faulty", "clean")]
    assert true[0] - true[1] == pytest.approx(0.05, abs=0.01)
    assert beside.moved("DRIFT", "AIC-101.OUT", 25.0, 35.0) > 0.3
    assert beside.moved("DRIFT", "FQ-122.PV", *late) > 0.5
    assert beside.moved("DRIFT", "AIT-103.PV", 35.0, 45.0) < -0.5


def test_a_fouled_oxygen_probe_costs_oxygen_and_hides_it(beside: Beside) -> None:
    late = 48.0, 50.0
    assert beside.mean("faulty", "FOULED", "AIC-102.PV", *late) == pytest.approx(
        40.0, abs=0.5
    )
    assert beside.true("faulty", OXYGEN, "FOULED", *late) == pytest.approx(
        50.0, abs=1.0
    )
    assert beside.moved("FOULED", "AIC-102.OUT", *late) > 3 * 0.21


def test_a_fouled_oxygen_probe_is_slow() -> None:
    plants = [Plant(LAYOUT, START, injections(text)) for text in (SCENARIO, NO_FAULT)]
    shown = []
    for plant in plants:
        plant.now = START
        plant.injections.starts(START - 60 * US_PER_H)
        plant.advance(START + SECOND)
        plant.state.oxygen[:] *= 2.0
        plant.advance(START + 16 * SECOND)
        fouled = VESSELS.index("FOULED")
        seen = plant.values[fouled, COLUMN["AIC-102.PV"]]
        shown.append(seen / plant.state.oxygen_percent[fouled])
    assert shown[0] < 0.8 * 0.85 < shown[1]


NO_FAULT = "about: nothing\nfaults: []\n"


def test_a_frozen_temperature_reads_one_value_and_its_loop_runs_away(
    beside: Beside,
) -> None:
    column = VESSELS.index("FROZEN"), COLUMN["TIC-101.PV"]
    begun, ended = round(2.0 / STEP_H), round(8.0 / STEP_H) - 1
    held = beside.shown["faulty"][begun:ended, column[0], column[1]]
    assert len(set(held.tolist())) == 1
    assert len(set(beside.shown["faulty"][ended : ended + 30, *column].tolist())) > 10
    drift = abs(beside.moved("FROZEN", "TIC-101.OUT", 7.5, 8.0))
    assert drift > 3 * 0.27
    assert abs(beside.moved("FROZEN", "TIC-102.PV", 7.5, 8.0)) > 3 * 0.1
    true = [
        beside.true(w, TEMPERATURE, "FROZEN", 7.5, 8.0) for w in ("faulty", "clean")
    ]
    assert abs(true[0] - true[1]) > 0.3


def test_a_clogged_feed_counts_on_while_weights_stand_and_glucose_falls(
    beside: Beside,
) -> None:
    begun, ended = 4.2, 27.8
    for tag in ("FIC-121.PV", "FQ-121.PV"):
        assert beside.moved("CLOGGED", tag, begun, ended) == pytest.approx(0.0, abs=0.1)

    def change(which: str, tag: str) -> float:
        after = beside.mean(which, "CLOGGED", tag, ended - 0.5, ended)
        return after - beside.mean(which, "CLOGGED", tag, begun, begun + 0.5)

    hours = ended - begun - 0.5
    per_h = 45.0 / 24.0
    assert change("faulty", "FQ-121.PV") == pytest.approx(per_h * hours, rel=0.01)
    assert change("faulty", "WIT-121.PV") == pytest.approx(0.0, abs=0.1)
    assert change("clean", "WIT-121.PV") == pytest.approx(
        -1.06 * per_h * hours, rel=0.01
    )
    assert change("clean", "WIT-101.PV") - change("faulty", "WIT-101.PV") > 40.0
    glucose = [
        beside.true(w, GLUCOSE, "CLOGGED", 27.0, 28.0) for w in ("clean", "faulty")
    ]
    assert glucose[0] - glucose[1] > 3.0


def test_a_calibration_steps_the_reading_once_and_stays(beside: Beside) -> None:
    assert beside.moved("CALIBRATED", "AIC-101.PV", 5.53, 5.6) == pytest.approx(
        0.05, abs=0.01
    )
    reading = beside.shown["faulty"][
        :, VESSELS.index("CALIBRATED"), COLUMN["AIC-101.PV"]
    ]
    assert np.abs(reading - 7.0).max() < 0.1
    gap = beside.shown["faulty"][-1] - beside.shown["clean"][-1]
    true = beside.truth["faulty"][-1] - beside.truth["clean"][-1]
    vessel = VESSELS.index("CALIBRATED")
    assert gap[vessel, COLUMN["AIC-101.PV"]] - true[PH, vessel] == pytest.approx(
        0.05, abs=0.002
    )


def test_a_mute_vessel_goes_on_working(beside: Beside) -> None:
    mute = VESSELS.index("MUTE")
    assert np.array_equal(
        beside.shown["faulty"][:, mute], beside.shown["clean"][:, mute]
    )


def test_a_trip_lets_oxygen_fall_as_fast_as_the_cells_breathe(beside: Beside) -> None:
    plant = Plant(LAYOUT, START, Injections(KNOWN, VESSELS))
    plant.restore(beside.saved)
    vessel = VESSELS.index("TRIPPED")
    one = plant.injections.inject("TRIPPED", "A06", None, None, plant.now)
    before = float(plant.state.oxygen_percent[vessel])
    for _ in range(60):
        plant.advance(plant.now + SECOND)
    shown = plant.values[vessel]
    fallen = before - float(plant.state.oxygen_percent[vessel])
    viable = float(plant.state.viable[vessel])
    breathed = 0.24 * (0.6 + 10 * 0.025) * viable
    assert fallen == pytest.approx(100.0 / 0.196 / 60.0 * breathed, rel=0.25)
    assert shown[COLUMN["SIC-101.PV"]] < 1.0
    assert one.first_detectable == one.onset + SECOND if one.onset else False
    for _ in range(300):
        plant.advance(plant.now + SECOND)
    assert one.over
    assert plant.values[vessel, COLUMN["SIC-101.PV"]] > 79.0


def test_the_record_says_when_each_fault_could_first_be_seen(beside: Beside) -> None:
    facts = beside.facts
    assert set(facts) == {"S01", "S04", "S07", "A01", "C01", "H02"}
    for fault, hours in {"S01": 24.0, "S04": 12.0, "A01": 0.5}.items():
        delay = facts[fault]["first_detectable_us"] - facts[fault]["onset_us"]
        assert 0 < delay < hours * US_PER_H, fault
        assert facts[fault]["not_detectable_because"] is None
    for fault in ("S07", "C01", "H02"):
        assert facts[fault]["first_detectable"] is None
        assert facts[fault]["not_detectable_because"] == KNOWN.faults[fault].unseen


def test_the_record_holds_what_was_planned(beside: Beside) -> None:
    drift = beside.facts["S01"]
    assert drift["id"] == "S01-DRIFT-1"
    assert (drift["class"], drift["target"]) == ("sensor", "AIC-101.PV")
    assert drift["onset_us"] == START + US_PER_H
    assert drift["end_us"] == START + (1 + 7 * 24) * US_PER_H
    assert drift["ramp_s"] == 2 * 86400.0
    assert drift["magnitude"] == -0.05
    assert drift["expected"] == "alarm"
    assert drift["alarm_within_s"] == 3 * 86400.0
    assert "AIC-101.OUT" in drift["signature"]
    assert drift["state"] == "at work"
    assert beside.facts["A01"]["state"] == "over"
    assert beside.facts["H02"]["expected"] == "silent"


def test_a_restored_plant_goes_on_with_its_faults_bit_for_bit(beside: Beside) -> None:
    one = Plant(LAYOUT, START, injections())
    body = {name: part for name, part in beside.saved.items() if name != "faults"}
    one.restore(body)
    one.injections.starts(START - 4 * US_PER_H)
    one.advance(one.now + 60 * SECOND)
    one.injections.inject("TRIPPED", "A06", 0.5, None, one.now)
    other = Plant(LAYOUT, START, injections())
    other.restore(json.loads(json.dumps(one.to_json())))
    for _ in range(40):
        one.advance(one.now + 60 * SECOND)
        other.advance(other.now + 60 * SECOND)
    assert one.values.tolist() == other.values.tolist()
    assert one.to_json() == other.to_json()
