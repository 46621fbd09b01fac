"""Residuals: what is learned, when, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from services.monitor.detectors import models
from services.monitor.detectors.models import ModelUnusable, from_text
from services.monitor.detectors.residual import SnapshotUnknown
from services.monitor.oxygen import transfer_ratio
from services.monitor.vessel import VesselWatch
from shared.checks import Mode, OxygenBalance, Residual
from shared.events import Cause
from tests.neighbours.watched import (
    NOON,
    OUT_OF_SERVICE,
    S,
    block,
    plant,
    told,
    watching,
)

if TYPE_CHECKING:
    from shared.events import AlarmTransition

TAGS = {"SP": None, "PV": None}


def gap(**more: Any) -> Residual:
    return Residual(
        name="gap", terms={"SP": 1.0, "PV": -1.0}, every_s=60, settle_s=3600,
        on_delay_s=0, off_delay_s=0, **more,
    )  # fmt: skip


def run(
    watch: VesselWatch, minutes: range, value: float, status: int = 0
) -> list[AlarmTransition]:
    events = []
    for m in minutes:
        noise = np.random.default_rng(m).standard_normal(1)[0] * 0.1
        rows = block([1, 2], [60.0 * m, 60.0 * m + 1], [20.0, value + noise])
        rows.status[1] = status
        events += watch.readings(rows)
    return told(events)


@pytest.mark.parametrize(
    "detector", ["ewma", "adwin", "page-hinkley", "upper-quantile"]
)
def test_a_lasting_change_is_an_advisory_alarm(detector: str) -> None:
    watch = watching(TAGS, [gap(detector=detector)])
    assert not run(watch, range(300), 20.0)
    (raised,) = told(run(watch, range(300, 480), 22.0), Cause.RAISED)
    assert raised.explanation.advisory
    assert "advisory" in raised.explanation.expected
    assert "gap" in raised.check


def test_nothing_is_alarmed_while_it_settles_and_nothing_learned_in_alarm() -> None:
    watch = watching(TAGS, [gap()])
    assert not run(watch, range(50), 25.0)
    watch = watching(TAGS, [gap(lag_s=7200.0)])
    run(watch, range(300), 20.0)
    assert len(told(run(watch, range(300, 3000), 22.0))) == 1
    assert [e.cause for e in run(watch, range(3000, 3060), 20.0)] == [Cause.RETURNED]


def test_bad_data_is_neither_learned_nor_judged() -> None:
    watch = watching(TAGS, [gap()])
    run(watch, range(300), 20.0)
    run(watch, range(300, 302), 99.0, 0x80310000)  # ends the last good window
    learned = watch.snapshot("gap")
    assert not run(watch, range(302, 400), 99.0, 0x80310000)
    assert watch.snapshot("gap") == learned


def test_outside_its_phases_it_is_silent_and_learns_nothing() -> None:
    watch = watching(TAGS, [gap(phases=("Feed", "Production"))])
    watch.context(NOON, "B", "Feed")
    run(watch, range(200), 20.0)
    watch.context(NOON + 200 * 60 * S, "B", "Production")
    assert run(watch, range(200, 230), 25.0)  # the next phase of its own goes on
    watch.context(NOON + 230 * 60 * S, "B", "Clean")
    assert [e.cause for e in run(watch, range(230, 300), 30.0)] == [Cause.RETURNED]
    watch.context(NOON + 300 * 60 * S, "B2", "Feed")
    assert not run(watch, range(300, 500), 25.0)  # a new batch has its own past


def test_after_a_calibration_the_past_is_learned_anew() -> None:
    watch = watching(TAGS, [gap()])
    run(watch, range(200), 20.0)
    run(watch, range(200, 205), 20.0, OUT_OF_SERVICE)
    assert not run(watch, range(205, 500), 22.0)


def test_only_the_side_that_is_asked_for_counts() -> None:
    low = watching(TAGS, [gap(side="low")])
    run(low, range(200), 20.0)
    assert not run(low, range(200, 300), 18.0)  # SP - PV rises
    assert run(low, range(300, 400), 23.0)


def test_a_frozen_model_is_that_of_its_snapshot_and_learns_nothing() -> None:
    teacher = watching(TAGS, [gap()])
    run(teacher, range(200), 20.0)
    sha, text = teacher.snapshot("gap")
    made = plant(TAGS, [gap(mode=Mode.FROZEN, snapshot=sha)])
    pupil = VesselWatch(made, made.vessels[0], snapshots={sha: text})
    assert not run(pupil, range(200, 300), 20.0)
    (raised,) = run(pupil, range(300, 400), 23.0)
    assert not raised.explanation.advisory
    with pytest.raises(SnapshotUnknown, match="gap"):
        VesselWatch(made, made.vessels[0], snapshots={sha: text + " "})


def test_a_model_of_another_river_is_refused() -> None:
    with pytest.raises(ModelUnusable, match=r"river 0\.0\.1"):
        from_text("river 0.0.1 xxxx")


def test_the_oxygen_ratio_falls_where_the_probe_reads_low() -> None:
    names = "abcdefghij"
    fields = [n for n in OxygenBalance.model_fields if n not in SIZES]
    balance = OxygenBalance(**dict(zip(fields, names, strict=True)), **SIZES)
    assert balance.tags == tuple(names)
    shown = [140.0, 30.0, 5.0, 1.0, 25.0, 5.0, 30.0, 1900.0, 33.0, 40.0]
    right = transfer_ratio(balance, [*shown[:9], 50.0])
    fouled = transfer_ratio(balance, shown)
    assert right is not None
    assert fouled is not None
    assert 0.85 < fouled / right < 0.95
    assert transfer_ratio(balance, [0.0, *shown[1:]]) is None


SIZES = {
    "overlay_lpm": 10.0,
    "cross_section_m2": 1.13,
    "impeller_m": 0.45,
    "power_number": 0.5,
}


@pytest.mark.parametrize(("lag_s", "found"), [(0.0, True), (345_600.0, False)])
def test_a_slow_change_of_its_own_is_none_against_some_days_ago(
    lag_s: float,
    found: bool,  # noqa: FBT001
) -> None:
    residual = Residual(
        name="ratio", terms={"A": 1.0}, detector="upper-quantile", every_s=1800,
        settle_s=86_400, lag_s=lag_s, band=0.045, sensitivity=0.1, side="low",
    )  # fmt: skip
    slow, fast = models.new(residual), models.new(residual)
    hours = np.arange(0.0, 336.0, 0.5)
    for half, hour in enumerate(hours):
        for model, falls in ((slow, 0.0), (fast, max(hour - 200.0, 0.0) * 0.001)):
            value = 1.0 - 0.006 * hour / 24 - falls
            learns = half < 48
            model.learn(value) if learns else model.judge(value, calm=True)
    assert (slow.score() >= 1.0) is found
    assert fast.score() >= 1.0
