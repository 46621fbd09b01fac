"""The catalogue, scenario files, injection at run time, the record, publication."""

from __future__ import annotations

import copy
import json
import math
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulators.faults import catalogue, record, scenario
from simulators.faults.injections import InjectionRefused, Injections
from simulators.faults.located import FileInvalid, parse
from simulators.faults.record import FaultRecord
from simulators.laboratory import Result
from simulators.publication import (
    BAD_NO_COMMUNICATION,
    BAD_OUT_OF_SERVICE,
    Publication,
)
from simulators.settings import SimulatorSettings
from simulators.start import StateOfAnotherPlant, start
from simulators.storage import replace_json
from simulators.tags import ASSAYS, COLUMN, CONTEXT, TAGS

if TYPE_CHECKING:
    from simulators.faults.effects import Effects
    from simulators.instants import Instant

START = 1_795_000_000_000_000
HOUR = 3_600_000_000
SECOND = 1_000_000
KNOWN = catalogue.load()
VESSELS = ("BR101", "BR102", "BR103")
CHO_FAULTS = sorted(n for n, f in KNOWN.faults.items() if f.process in {None, "cho"})
WIDTH = len(TAGS) + len(CONTEXT) + len(ASSAYS)


def injections(*faults: str) -> Injections:
    text = "about: a test\nfaults:\n" + "".join(f"  - {{{f}}}\n" for f in faults)
    if not faults:
        text = "about: a test\nfaults: []\n"
    planned = scenario.parse_scenario(text, "test.yaml", KNOWN, VESSELS)
    return Injections(KNOWN, VESSELS, planned)


def test_the_catalogue_has_every_fault_of_the_reference_and_each_fits_itself() -> None:
    wanted = {"S": 16, "A": 10, "P": 5, "C": 4, "H": 2}
    ids = {f"{letter}{n:02d}" for letter, m in wanted.items() for n in range(1, m + 1)}
    assert set(KNOWN.faults) == ids | {"A07T"}  # A07 by time instead of value
    kinds = {"S": "sensor", "A": "actuator", "P": "process", "C": "communication"}
    for name, fault in KNOWN.faults.items():
        assert not list(
            fault.misfits(
                fault.magnitude.default,
                fault.ramp_of(fault.magnitude.default),
                fault.duration.default,
            )
        ), name
        assert fault.kind == kinds.get(name[0], "human")
        assert fault.what
        assert fault.signature or fault.unseen, name


def test_the_limits_of_the_demo_faults_are_as_promised() -> None:
    limits = {name: fault.alarm_within for name, fault in KNOWN.faults.items()}
    assert {name: limit for name, limit in limits.items() if limit is not None} == {
        "S01": timedelta(days=3),
        "S04": timedelta(days=3),
        "S07": timedelta(minutes=30),
        "A01": timedelta(hours=4),
        "A06": timedelta(minutes=2),
        "C01": timedelta(minutes=1),
    }


def test_the_demo_scenario_fits_its_three_vessels_and_three_days() -> None:
    demo = scenario.load("demo", KNOWN, VESSELS)
    assert {planned.fault for planned in demo.faults} == {
        "S01", "S04", "S07", "A01", "A06", "H02",
    }  # fmt: skip
    (trip,) = (planned for planned in demo.faults if planned.after == "live")
    assert trip.fault == "A06"
    assert trip.delay == timedelta(minutes=1)
    for planned in demo.faults:
        assert planned is trip or planned.delay < timedelta(days=1)


WRONG = """about: wrong
faults:
  - {fault: S01, vessel: BR101, magnitude: 0.1, ramp: P4D}
  - fault: S99
    vessel: BR109
  - fault: S04
    vessel: BR102
    magnitude: 0.5
    duration: PT1M
  - {fault: S01, vessel: BR103, magnitude: 0.2, ramp: P4D}
  - {fault: H02, vessel: BR103, alarm_within: PT1M}
"""


def test_every_error_of_a_scenario_names_line_field_and_what_was_expected() -> None:
    with pytest.raises(FileInvalid) as caught:
        scenario.parse_scenario(WRONG, "wrong.yaml", KNOWN, VESSELS)
    assert copy.copy(caught.value).problems == caught.value.problems
    assert caught.value.problems == [
        "wrong.yaml:5: faults[1].vessel: BR109: expected one of BR101, BR102, BR103",
        f"wrong.yaml:4: faults[1].fault: S99: expected one of {', '.join(CHO_FAULTS)}",
        "wrong.yaml:8: faults[2].magnitude: 0.5: expected 0.02 to 0.2",
        "wrong.yaml:9: faults[2].duration: 0:01:00: "
        "expected 1:00:00 to 60 days, 0:00:00",
        "wrong.yaml:10: faults[3].ramp: 4 days, 0:00:00: "
        "expected at least 8 days, 0:00:00 for this magnitude",
        "wrong.yaml:11: faults[4].alarm_within: H02 must stay silent: expected none",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("about: x\nfaults:\n  - {fault: S01, vessel: B, delay: soon}\n",
         r"x\.yaml:3: faults\[0\]\.delay: .*\(found 'soon'\)"),
        ("about: x\nfaults:\n  - fault: S01\n    vessel: B\n    size: 3\n",
         r"x\.yaml:5: faults\[0\]\.size: Extra inputs are not permitted"),
        ("about: x\nfaults:\n  - fault: S01\n    vessel: B\n    delay: -PT1S\n",
         r"x\.yaml:5: faults\[0\]\.delay: .*greater than or equal to 0"),
        ("- 1\n", r"x\.yaml:1: expected a mapping with about, faults"),
        ("about: [\n", r"x\.yaml:2: not YAML"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_scenario_is_told_where(text: str, problem: str) -> None:
    with pytest.raises(FileInvalid, match=problem):
        scenario.parse_scenario(text, "x.yaml", KNOWN, VESSELS)


@pytest.mark.parametrize("name", ["elsewhere.yaml", "unheard-of"])
def test_a_scenario_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(FileInvalid, match=f"{name}.*expected"):
        scenario.load(name, KNOWN, VESSELS)


def test_an_effect_on_a_tag_that_does_not_exist_is_refused() -> None:
    text = "faults: {X: {effects: [{act: offset, tag: XIC-1.PV}]}}"
    with pytest.raises(FileInvalid, match=r"effects\[0\].*tag XIC-1.PV: expected"):
        parse(text, "faults.yaml", catalogue.Catalogue)


def test_what_a_plan_leaves_out_comes_from_the_catalogue() -> None:
    made = injections("fault: S01, vessel: BR102, magnitude: 0.2")
    made.starts(START)
    (one,) = made.all
    assert one.onset == START
    assert one.ramp == 8 * 24 * HOUR
    assert one.duration == 7 * 24 * HOUR
    assert one.alarm_within == 3 * 24 * HOUR


def test_a_delay_from_going_live_counts_from_the_first_time_only() -> None:
    made = injections("fault: A06, vessel: BR101, after: live, delay: PT1M")
    made.starts(START)
    assert made.all[0].onset is None
    made.goes_live(START + HOUR)
    made.goes_live(START + 2 * HOUR)
    assert made.all[0].onset == START + HOUR + 60 * SECOND


def test_a_ramp_rises_and_a_fault_ends_at_its_end() -> None:
    made = injections("fault: S01, vessel: BR102, magnitude: 0.05, ramp: P2D")
    made.starts(START)
    column = COLUMN["AIC-101.PV"]
    made.beginning(START)
    sizes = []
    for hour in (0, 24, 48, 72, 7 * 24 - 1, 7 * 24):
        at = START + hour * HOUR
        sizes.append(float(made.effects(at, at).offset[1, column]))
    assert sizes == pytest.approx([0.0, 0.025, 0.05, 0.05, 0.05, 0.0])
    assert made.all[0].over
    assert {one.id for one in made.news()} == {"S01-BR102-1"}
    assert made.idle


def test_a_calibration_lasts_until_the_next_batch() -> None:
    made = injections("fault: H02, vessel: BR103, magnitude: -0.03, duration: PT10M")
    made.starts(START)
    made.beginning(START)
    column = COLUMN["AIC-101.PV"]
    during = made.effects(START, START + SECOND)
    assert during.held[2, column]
    assert during.status[2, column] == BAD_OUT_OF_SERVICE
    after = made.effects(START, START + HOUR)
    assert after.correction[2, column] == -0.03
    assert not after.held.any()
    made.news()
    assert not made.idle
    made.new_batch(2)
    assert made.idle


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("BR9", "A06", None, None), "vessel BR9: expected one of BR101"),
        (("BR101", "S99", None, None), "fault S99: expected one of A01"),
        (
            ("BR101", "P05", None, None),
            "P05: expected a plant that runs hek293, not cho",
        ),
        (("BR101", "A06", 0.1, None), "magnitude 0.1: expected 0.5 to 1"),
        (("BR101", "A06", math.inf, None), "magnitude inf: expected"),
        (("BR101", "A06", None, timedelta(days=1)), "duration 1 day.*expected 0:01:00"),
    ],
)
def test_an_injection_that_does_not_fit_is_refused(
    given: tuple[str, str, float | None, timedelta | None], message: str
) -> None:
    made = injections()
    with pytest.raises(InjectionRefused, match=message):
        made.inject(*given, now=START)
    assert made.all == []


def test_a_fault_at_work_is_not_injected_again_but_cleared() -> None:
    made = injections()
    one = made.inject("BR101", "A06", None, None, START)
    with pytest.raises(InjectionRefused, match="A06-BR101-1 is at work"):
        made.inject("BR101", "A06", None, None, START + SECOND)
    made.beginning(START + SECOND)
    assert made.effects(START, START + SECOND).speed.tolist() == [0.0, 1.0, 1.0]
    assert made.clear("BR101", "A06", START + 2 * SECOND) == 1
    assert made.clear("BR101", "A06", START + 2 * SECOND) == 0
    later = made.effects(START + 2 * SECOND, START + 3 * SECOND)
    assert later.speed.tolist() == [1.0, 1.0, 1.0]
    assert (one.over, one.end) == (True, START + 2 * SECOND)
    assert made.inject("BR101", "A06", None, None, START + HOUR).id == "A06-BR101-2"


def test_a_planned_fault_that_is_cleared_never_comes() -> None:
    made = injections("fault: A06, vessel: BR101, after: live")
    made.clear("BR101", "A06", START)
    made.goes_live(START + HOUR)
    assert made.beginning(START + 2 * HOUR) == []
    assert record.described(made, made.all[0], 1)["state"] == "cancelled"


def test_too_many_faults_are_refused() -> None:
    vessels = [f"V{n}" for n in range(201)]
    made = Injections(KNOWN, vessels)
    for vessel in vessels[:200]:
        made.inject(vessel, "C01", None, None, START)
    with pytest.raises(InjectionRefused, match="200 faults: expected below 200"):
        made.inject(vessels[200], "C01", None, None, START)


def test_the_last_line_of_a_fault_counts_and_a_cut_one_does_not(tmp_path: Path) -> None:
    made = injections("fault: S07, vessel: BR102, delay: PT1H")
    made.starts(START)
    file = FaultRecord(tmp_path)
    file.write(made, 4, [])
    assert not file.path.exists()
    file.write(made, 4, made.news())
    with file.path.open("a") as cut:
        cut.write('{"id": "S07-BR1')
    made.beginning(START + 2 * HOUR)
    file.write(made, 4, made.news())
    found = record.read(file.path)
    assert list(found) == ["S07-BR102-1"]
    line = found["S07-BR102-1"]
    assert line["state"] == "at work"
    assert line["onset_us"] == START + HOUR
    assert line["onset"] == "2026-11-18T12:06:40Z"
    assert line["seed"] == 4
    assert len(file.path.read_text().splitlines()) == 3


def test_a_saved_plant_of_another_scenario_is_refused(tmp_path: Path) -> None:
    given = {"data": tmp_path, "vessels": 1, "history": "PT1H"}
    plain = SimulatorSettings.model_validate(given)
    begun = start(plain, START)
    state = {"version": 2, "live": True, "published_before": 0}
    replace_json(tmp_path / "state.json", state | {"plant": begun.site.to_json()[0]})
    path = tmp_path / "one.yaml"
    path.write_text("about: x\nfaults: [{fault: A06, vessel: BR101}]\n")
    other = SimulatorSettings.model_validate(given | {"scenario": str(path)})
    with pytest.raises(StateOfAnotherPlant, match="scenario of the saved plant"):
        start(other, START)


ROW = [1.0] * len(TAGS)
WORDS = ("B-1", "Growth", "P", "C", "Running")


def published(
    publication: Publication, time: int, effects: Effects | None, vessels: int = 1
) -> Instant:
    (instant,) = publication.instants(time, [ROW] * vessels, [WORDS] * vessels, effects)
    return instant


def test_a_silent_vessel_is_announced_once_and_comes_back_whole() -> None:
    made = injections("fault: C01, vessel: BR102, duration: PT1M")
    made.starts(START)
    made.beginning(START)
    publication = Publication(3, first=1)
    published(publication, START - 1, None, 3)
    told = published(publication, START, made.effects(START, START), 3)
    second = range(1 + WIDTH, 1 + 2 * WIDTH - len(ASSAYS))
    columns = told.columns()
    assert columns.nodes[columns.statuses != 0].tolist() == list(second)
    assert set(columns.statuses.tolist()) == {0, BAD_NO_COMMUNICATION}
    still = published(publication, START + 1, made.effects(START, START + 1), 3)
    assert not set(still.nodes) & set(second)
    assert set(still.nodes) & {1, 1 + 2 * WIDTH}
    over = START + 3600 * SECOND
    back = published(publication, over, made.effects(over, over), 3)
    assert set(second) <= set(back.nodes)
    assert back.statuses is None


def test_mere_silence_has_no_last_word_and_changes_in_it_are_told_after_it() -> None:
    made = injections("fault: C01, vessel: BR101, magnitude: 0, duration: PT1M")
    made.starts(START)
    made.beginning(START)
    publication = Publication(3, first=0)
    published(publication, START - 1, None, 3)
    silent = published(publication, START, made.effects(START, START), 3)
    assert min(silent.nodes) >= WIDTH
    harvest = ("B-1", "Harvest", "P", "C", "Running")
    (back,) = publication.instants(
        START + HOUR, [ROW] * 3, [harvest, WORDS, WORDS], None
    )
    context = [n for n in back.nodes if n % WIDTH >= len(TAGS)]
    assert context == [len(TAGS) + 1]


def test_a_calibrated_instrument_is_out_of_service_meanwhile() -> None:
    made = injections("fault: H02, vessel: BR101, duration: PT1M")
    made.starts(START)
    made.beginning(START)
    instant = published(Publication(3, first=0), START, made.effects(START, START), 3)
    at = list(instant.nodes).index(COLUMN["AIC-101.PV"])
    columns = instant.columns()
    assert math.isnan(columns.numbers[at])
    assert columns.statuses[at] == BAD_OUT_OF_SERVICE
    assert (columns.statuses != 0).sum() == 1


def test_a_flapping_tag_is_bad_for_half_of_each_period() -> None:
    made = injections("fault: C02, vessel: BR101")
    made.starts(START)
    made.beginning(START)
    publication, seen = Publication(3, first=0), []
    for second in range(0, 240, 30):
        at = START + second * SECOND
        instant = published(publication, at, made.effects(at, at), 3)
        place = list(instant.nodes).index(COLUMN["AIC-102.PV"])
        seen.append(math.isnan(instant.columns().numbers[place]))
    assert seen == [True, True, False, False] * 2


def test_a_vessel_with_a_wrong_clock_is_published_at_its_own_time() -> None:
    made = injections("fault: C03, vessel: BR102, magnitude: -30")
    made.starts(START)
    made.beginning(START)
    effects = made.effects(START, START)
    common, apart = Publication(3, 0).instants(START, [ROW] * 3, [WORDS] * 3, effects)
    assert (common.time, apart.time) == (START, START - 30 * SECOND)
    assert {n // WIDTH for n in common.nodes} == {0, 2}
    assert {n // WIDTH for n in apart.nodes} == {1}


def test_slow_instruments_are_published_once_in_each_period() -> None:
    publication, sent = Publication(1, first=0), 0
    raman = COLUMN["AIT-106A.PV"]
    for second in range(0, 3600, 60):
        instant = published(publication, START + second * SECOND, None)
        sent += raman in instant.nodes
    assert sent in {4, 5}


def test_an_assay_is_published_at_the_time_its_sample_was_drawn() -> None:
    publication = Publication(2, first=1)
    values = tuple(float(n) for n in range(len(ASSAYS)))
    instant = publication.assays(Result(1, "B-1", 1, START, START + HOUR, values))
    assert instant.time == START
    assert list(instant.nodes) == list(range(1 + 2 * WIDTH - 8, 1 + 2 * WIDTH))
    before = publication.assays_unknown(START)
    assert np.isnan(before.columns().numbers).all()
    assert set(instant.nodes) < set(before.nodes)


def test_the_record_is_json_that_any_tool_reads(tmp_path: Path) -> None:
    made = injections("fault: C01, vessel: BR101")
    made.starts(START)
    FaultRecord(tmp_path).write(made, 1, made.news())
    (line,) = (tmp_path / record.FILE).read_text().splitlines()
    assert json.loads(line)["fault"] == "C01"
