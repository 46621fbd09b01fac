"""The scores of the catalogue say what they claim, on outcomes made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulators.tags import COLUMN, TAGS
from tests.evaluation import plain_alarms
from tests.evaluation.catalogue_score import (
    Alarms,
    Outcome,
    Said,
    caused,
    most_expected,
    scores,
)
from tests.evaluation.plain_alarms import Plain
from tests.evaluation.simulated_batches import Run, Truth

H = 3_600_000_000
ONSET = 100 * H


def outcome(
    *said: tuple[float, str | None],
    kind: str = "sensor",
    fault: str = "S01",
    plain: tuple[float, ...] = (),
) -> Outcome:
    truth = Truth(
        fault, kind, "A.PV", ("A.PV",), 1.0, ONSET, ONSET + 10 * H, ONSET + 2 * H
    )
    alarms = tuple(
        Said(ONSET + round(h * H), "V/check", verdict, ("B.PV", "A.PV"), "words")
        for h, verdict in said
    )
    spoken = tuple(Plain(ONSET + round(h * H), "plain", ("A.PV",)) for h in plain)
    return Outcome(1, truth, alarms, 0, spoken, 0.0, 1)


def test_an_alarm_counts_from_the_onset_to_a_day_behind_the_end() -> None:
    early, late, right = (
        outcome((-1, "sensor")),
        outcome((35, None)),
        outcome((3, None)),
    )
    assert scores([early, late, right]).detected == 1
    assert right.delay_h == pytest.approx(1.0)
    assert early.delay_h is None


def test_delays_are_compared_where_both_speak_and_counted_where_we_speak_alone() -> (
    None
):
    found = scores(
        [
            outcome((3, None), plain=(7.0,)),
            outcome((4, None)),
            outcome(),
            outcome((33, None)),
        ]
    )
    assert found.both == pytest.approx((1.0, 5.0))
    assert (found.alone, found.alone_soon) == (3, 1)
    assert (found.detected, found.plain_detected, found.scored) == (3, 1, 4)


def test_a_fault_that_is_missed_or_misjudged_lowers_the_f1_of_its_class() -> None:
    found = scores(
        [
            outcome((3, "sensor")),
            outcome((3, "actuator")),
            outcome((3, "actuator"), kind="actuator"),
            outcome(kind="process"),
        ]
    )
    assert found.f1["sensor"] == pytest.approx(2 / 3)
    assert found.f1["actuator"] == pytest.approx(2 / 3)
    assert found.f1["process"] == 0.0
    assert found.macro_f1 == pytest.approx(4 / 9)
    assert (found.in_top, found.named) == (3, 3)


def test_a_calibration_is_right_when_nothing_is_said() -> None:
    quiet, loud = outcome(fault="H02", kind="human"), outcome((1, None), fault="H02")
    assert scores([quiet]).silent == 1
    assert scores([loud]).silent == 0


def test_what_the_same_batch_without_the_fault_says_too_tells_nothing() -> None:
    found = replace(
        outcome((3, None), (5, "sensor"), plain=(3.0, 7.0)),
        without=Alarms(
            said=((ONSET + 3 * H + H // 2, "V/check"), (ONSET + 5 * H, "other")),
            plain=((ONSET + 2 * H, "plain"),),
        ),
    )
    telling = caused(found)
    assert [one.verdict for one in telling.said] == ["sensor"]
    assert telling.plain_delay_h == pytest.approx(5.0)
    assert scores([telling]).both == pytest.approx((3.0, 5.0))


def test_an_alarm_about_other_tags_tells_nothing_of_a_fault() -> None:
    elsewhere = Plain(ONSET + 3 * H, "foam", ("LSH-101.PV",))
    said = Said(ONSET + 3 * H, "V/foam", None, ("X", "Y", "Z", "A.PV"), "", ("X",))
    found = replace(outcome(), said=(said,), plain=(elsewhere,))
    assert caused(found).first is None
    assert caused(found).plain_first is None
    named = replace(said, ranked=("X", "Y", "A.PV"))
    assert caused(replace(found, said=(named,))).first == named


def test_a_fault_that_shows_in_no_tag_is_told_by_any_alarm_of_its_own() -> None:
    silence = Plain(ONSET + 3 * H, "silence", ())
    found = outcome(kind="communication", fault="C01")
    assert found.truth is not None
    nowhere = replace(found.truth, signature=(), target=None)
    assert caused(replace(found, truth=nowhere, plain=(silence,))).plain_delay_h == 1.0


def test_the_upper_bound_of_a_rate_is_that_of_poisson() -> None:
    assert most_expected(0) == pytest.approx(3.00, abs=0.01)
    assert most_expected(10) == pytest.approx(16.96, abs=0.01)
    assert most_expected(60) == pytest.approx(74.4, abs=0.1)


def run_of(tag: str, values: list[float], silent: list[int]) -> Run:
    rows = len(values)
    shown = np.zeros((rows, 1, len(TAGS)))
    usual = {"AIC-102.PV": 40.0, "WIT-101.PV": 1500.0, "WIT-121.PV": 800.0,
             "WIT-122.PV": 60.0, "WIT-123.PV": 200.0, "WIT-124.PV": 10.0}  # fmt: skip
    for name, value in usual.items():
        shown[:, 0, COLUMN[name]] = value
    shown[:, 0, COLUMN[tag]] = values
    quiet = np.zeros((rows, 1), np.bool_)
    quiet[silent] = True
    return Run(
        seed=1, names=("BR101",), times=np.arange(rows, dtype=np.int64) * 30_000_000,
        values=shown, silent=quiet, skew=np.zeros((rows, 1), np.int64),
        phases=[[(0, "Growth")]], truths=[None], clean=[0],
    )  # fmt: skip


def test_the_plain_alarm_set_waits_its_delay_once_for_each_time() -> None:
    low, fine = [20.0], [40.0]
    run = run_of("AIC-102.PV", fine * 3 + low * 2 + fine + low * 3 + fine * 3, [])
    (found,) = plain_alarms.raised(run, 0)
    assert found[:3] == (6 * 30_000_000 + 60_000_000, "oxygen low", ("AIC-102.PV",))
    assert found.until == 9 * 30_000_000 + 30_000_000


def test_the_plain_alarm_set_hears_silence_at_once() -> None:
    run = run_of("AIC-102.PV", [40.0] * 10, [4, 5])
    (found,) = plain_alarms.raised(run, 0)
    assert found[:3] == (4 * 30_000_000 + 10_000_000, "silence", ())
    assert found.until == 6 * 30_000_000 + 30_000_000
