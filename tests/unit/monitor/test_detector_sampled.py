"""An instrument against samples that are known hours after they were drawn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.monitor.vessel import VesselWatch
from shared.checks import SampleCheck
from shared.events import AlarmTransition, Cause
from shared.plant import Vessel
from tests.neighbours.watched import NOON, OUT_OF_SERVICE, S, block, plant, told

if TYPE_CHECKING:
    from shared.wire_events import Event

H = 3600
CHECK = SampleCheck(
    name="pH",
    sample="LAB.PH",
    online="PH",
    scatter=0.0105,
    band=0.03,
    phases=("Feed",),
    priority=2,
)
OUTGASSED = 0.05
SCATTER = (0.01, -0.01, 0.0, 0.005, -0.005, 0.01, -0.01, 0.0, 0.005, -0.005)


def watching(check: SampleCheck = CHECK) -> VesselWatch:
    made = plant({"PH": None, "LAB.PH": None})
    vessel = Vessel.model_validate(
        {**made.vessels[0].model_dump(), "samples": [check.model_dump()]}
    )
    return VesselWatch(made, vessel, servers=made.servers)


def run(
    drifting_h: float = 240.0,
    *,
    upwards: bool = True,
    serviced_h: float | None = None,
    restart: bool = False,
) -> list[AlarmTransition]:
    """Return what ten days with a sample each day bring; it is known 3 h later.

    From `drifting_h` on, the instrument holds its setpoint and the truth goes away by
    0.03 a day.
    """
    watch = watching()
    events: list[Event] = [*watch.context(NOON, "B1", "Feed")]
    for minute in range(0, 240 * 60, 10):
        hour = minute / 60
        status = OUT_OF_SERVICE if serviced_h == hour else 0
        shown = np.nan if status else 7.0
        events += watch.readings(block([1], [minute * 60], [shown], status))
        day, since = divmod(minute - 12 * 60, 24 * 60)
        if since == 3 * 60 and day >= 0:
            drawn_h = 12 + 24 * day
            away = 0.03 / 24 * max(drawn_h - drifting_h, 0.0)
            away = 0.0 if serviced_h and drawn_h > serviced_h else away
            true = 7.0 - away if upwards else 7.0 + away
            found = true + OUTGASSED + SCATTER[day]
            events += watch.late(block([2], [drawn_h * H], [found]))
            events += watch.late(block([2], [drawn_h * H], [found]))
        events += watch.clock(NOON + minute * 60 * S + S, {1: True, 2: True})
        if restart and minute % 3_010 == 0:
            state = json.loads(json.dumps(watch.state(), allow_nan=False))
            watch = watching()
            watch.restore(state)
    return [e for e in told(events) if e.check == "BR101/sample/pH"]


def test_an_instrument_that_agrees_with_its_samples_is_silent() -> None:
    assert not run()


@pytest.mark.parametrize("upwards", [True, False])
def test_a_drift_behind_the_loop_is_found_in_either_direction(upwards: bool) -> None:  # noqa: FBT001
    raised = run(96.0, upwards=upwards)[0]
    assert raised.cause is Cause.RAISED
    assert (raised.time - NOON) / S / H - 96 <= 72
    said = raised.explanation
    assert said.tag == "BR101/PH"
    assert said.advisory
    assert (said.value or 0.0) * (1 if upwards else -1) > 0.03


def test_a_restart_anywhere_changes_nothing() -> None:
    assert run(96.0, restart=True) == run(96.0)


def test_after_a_calibration_what_is_usual_is_learned_anew() -> None:
    raised, returned = run(96.0, serviced_h=190.0)
    assert returned.cause is Cause.RETURNED
    assert returned.time > raised.time


def test_a_sample_counts_once_and_not_outside_its_phases_or_without_readings() -> None:
    watch = watching()
    watch.context(NOON, "B1", "Harvest")
    for minute in range(600):
        watch.readings(block([1], [minute * 60], [7.0]))
        if minute % 60 == 0:
            watch.late(block([2], [minute * 60 - 1200], [5.0 + minute]))
    assert watch.state()["bench"]["samples"][0][6] == []


def counted(watch: VesselWatch, factor: float) -> list[AlarmTransition]:
    """Return what two days bring; the instrument shows 2 per unit of the sample.

    The sample of the first day is so many times what it should be.
    """
    events: list[Event] = [*watch.context(NOON, "B1", "Feed")]
    for minute in range(0, 48 * 60, 10):
        events += watch.readings(block([1], [minute * 60], [7.0]))
        for drawn_h, found in ((6, 3.5 * factor), (30, 3.5)):
            if minute == (drawn_h + 3) * 60:
                events += watch.late(block([2], [drawn_h * H], [found]))
        events += watch.clock(NOON + minute * 60 * S + S, {1: True, 2: True})
    return [e for e in told(events) if e.check == "BR101/sample/pH"]


@pytest.mark.parametrize("factor", [10.0, 0.1])
def test_a_result_that_does_not_fit_a_known_ratio_is_an_alarm_at_once(
    factor: float,
) -> None:
    known = CHECK.model_copy(update={"per_sample": 2.0, "band": 0.7})
    raised, returned = counted(watching(known), factor)
    assert 9 * H * S <= raised.time - NOON <= 9.5 * H * S
    assert not raised.explanation.advisory
    assert (raised.explanation.value or 0.0) * (factor - 1.0) < 0.0
    assert returned.cause is Cause.RETURNED


def test_a_result_that_fits_a_known_ratio_is_silent() -> None:
    known = CHECK.model_copy(update={"per_sample": 2.0, "band": 0.7})
    assert not counted(watching(known), 1.3)
