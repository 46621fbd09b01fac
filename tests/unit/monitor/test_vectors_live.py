"""Vector checks as the monitor runs them: what is learned, when, and what is said."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from services.monitor.detectors.models import ModelUnusable
from services.monitor.detectors.residual import SnapshotUnknown
from services.monitor.vessel import VesselWatch
from shared.checks import Mode
from shared.events import Cause
from shared.plant import digest
from shared.vector_checks import VectorCheck
from tests.neighbours.watched import (
    BAD,
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
    from shared.wire_events import Event

TAGS = {"T": None, "pH": None, "DO": None, "air": None}
EVERY_S = 60
LEARN = 500
ROWS = np.random.default_rng(5).standard_normal((3000, 5))


def together(**more: Any) -> VectorCheck:
    settings = {
        "name": "all",
        "tags": tuple(TAGS),
        "every_s": EVERY_S,
        "false_alarms_per_week": 3.0,
    }
    return VectorCheck(**{**settings, "learn_s": LEARN * EVERY_S, **more})


def row(number: int, offset: float = 0.0) -> list[float]:
    """Return tags that move together around 20; `offset` of oxygen only."""
    own = ROWS[number]
    value = 20.0 + own[0] + 0.5 * own[1:]
    value[2] += offset
    return [float(v) for v in value]


def run(
    watch: VesselWatch, rows: range, offset: float = 0.0, status: int = 0
) -> list[Event]:
    events: list[Event] = []
    for number in rows:
        made = block(
            [1, 2, 3, 4], [60.0 * number + i for i in range(4)], row(number, offset)
        )
        made.status[2] = status
        events += watch.readings(made)
        events += watch.clock(
            NOON + (60 * number + 30) * S, dict.fromkeys(range(1, 5), True)
        )
    return events


def raised(events: list[Event]) -> list[AlarmTransition]:
    return told(events, Cause.RAISED)


def fresh(**more: Any) -> VesselWatch:
    return watching(TAGS, vectors=[together(**more)])


def test_what_leaves_its_usual_company_is_an_advisory_alarm_that_names_it() -> None:
    watch = fresh()
    assert not raised(run(watch, range(600)))
    (alarm,) = raised(run(watch, range(600, 640), 4.0))
    said = alarm.explanation
    assert alarm.check == "BR101/vector/all"
    assert alarm.priority == 3
    assert said.advisory
    assert said.expected.startswith("a score below 1 (DO ")
    assert "beside the others" in said.expected


def test_nothing_is_said_before_it_has_learned() -> None:
    assert not raised(run(fresh(), range(LEARN), 4.0))


def test_in_alarm_nothing_is_learned() -> None:
    watch = fresh()
    events = run(watch, range(600)) + run(watch, range(600, 900), 6.0)
    assert [e.cause for e in told(events)] == [Cause.RAISED]


def test_bad_readings_are_neither_learned_nor_judged() -> None:
    watch = fresh()
    run(watch, range(600))
    run(watch, range(600, 602), 50.0, BAD)  # ends the last good window
    before = learned(watch)
    assert not raised(run(watch, range(602, 640), 50.0, BAD))
    assert learned(watch) == before


def learned(watch: VesselWatch) -> Any:
    return json.loads(watch.vector_snapshots()["all"])["whitening"]


def test_outside_its_phases_it_neither_learns_nor_judges() -> None:
    watch = fresh(phases=("Feed",))
    watch.context(NOON, "B1", "Grow")
    run(watch, range(10))
    watch.context(NOON + 600 * S, "B1", "Feed")
    run(watch, range(10, 520))
    watch.context(NOON + 520 * 60 * S, "B1", "Harvest")
    before = learned(watch)
    assert not raised(run(watch, range(520, 560), 9.0))
    assert learned(watch) == before
    watch.context(NOON + 560 * 60 * S, "B2", "Feed")
    assert raised(run(watch, range(560, 600), 9.0))


def test_an_instrument_that_was_out_of_service_is_learned_anew() -> None:
    watch = fresh()
    run(watch, range(600))
    run(watch, range(600, 602), 0.0, OUT_OF_SERVICE)
    assert not raised(run(watch, range(602, 760), 4.0))


def test_a_state_taken_up_anywhere_gives_the_same_further_events() -> None:
    def story(watch: VesselWatch, part: range) -> list[Event]:
        return list(
            chain(*(run(watch, range(n, n + 1), 5.0 * (n > 605)) for n in part))
        )

    whole = fresh()
    story(whole, range(600))
    expected = story(whole, range(600, 640))
    for cut in (100, 499, 597):
        watch = fresh()
        story(watch, range(cut))
        state = json.loads(json.dumps(watch.state(), allow_nan=False))
        watch = fresh()
        watch.restore(state)
        story(watch, range(cut, 600))
        assert story(watch, range(600, 640)) == expected
    assert raised(expected)


def test_a_frozen_one_is_that_of_its_snapshot_and_learns_nothing() -> None:
    teacher = fresh()
    run(teacher, range(520))
    text = teacher.vector_snapshots()["all"]
    sha = digest(text)
    frozen = together(mode=Mode.FROZEN, snapshot=sha, priority=1)
    made = plant(TAGS, vectors=[frozen])
    pupil = VesselWatch(made, made.vessels[0], snapshots={sha: text})
    assert not raised(run(pupil, range(520, 560)))
    assert learned(pupil) == json.loads(text)["whitening"]
    (alarm,) = raised(run(pupil, range(560, 600), 4.0))
    assert (alarm.priority, alarm.explanation.advisory) == (1, False)
    with pytest.raises(SnapshotUnknown, match="all"):
        VesselWatch(made, made.vessels[0], snapshots={sha: text + " "})
    other = plant(
        TAGS, vectors=[together(mode="frozen", snapshot=sha, tags=("T", "pH"))]
    )
    with pytest.raises(ModelUnusable, match="expected a snapshot of the tags"):
        VesselWatch(other, other.vessels[0], snapshots={sha: text})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tags": ("T",)}, "at least 2"),
        ({"tags": ("T", "T")}, "each once"),
        ({"priority": 1}, "priority 3"),
        ({"learn_s": 600.0}, "500 to 2000 rows"),
        ({"false_alarms_per_week": 1e-4}, "a row of every_s"),
        ({"mode": "frozen"}, "snapshot"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        together(**more)


def test_a_tag_that_is_not_there_is_named() -> None:
    with pytest.raises(ValidationError, match="vector 'all' term 'X'"):
        watching(TAGS, vectors=[together(tags=("T", "X"))])
