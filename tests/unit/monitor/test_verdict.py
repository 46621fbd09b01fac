"""The verdict: which cause explains what a vessel shows, and what speaks for it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from services.monitor.balances.verdict import Shown, verdict
from services.monitor.vessel import VesselWatch
from shared.checks import CauseKind, PossibleCause, Residual
from shared.events import AlarmTransition, Cause, Verdict
from shared.plant import Plant, Vessel
from shared.wire_events import decode_event, encode_event
from tests.neighbours.watched import block, plant, told

OXYGEN, PHASE = "residual/oxygen", "residual/cells"
CAUSES = (
    PossibleCause(
        name="probe reads low", kind=CauseKind.SENSOR, tag="DO", shows=(f"{OXYGEN}-",)
    ),
    PossibleCause(
        name="gas analyser drifts",
        kind=CauseKind.SENSOR,
        tag="O2",
        shows=(f"{OXYGEN}-", "residual/heat+"),
    ),
    PossibleCause(
        name="something grows",
        kind=CauseKind.PROCESS,
        shows=(f"{OXYGEN}+", PHASE),
        may=("residual/heat",),
    ),
)


def judged(**strengths: float) -> Verdict | None:
    shown = {f"residual/{n}": Shown(s, f"{n} {s:+g}") for n, s in strengths.items()}
    return verdict("BR101", CAUSES, OXYGEN, shown)


def test_the_cause_that_shows_in_all_that_is_shown_is_named_first() -> None:
    alone, both = judged(oxygen=-1.0), judged(oxygen=-1.0, heat=1.0)
    assert alone is not None
    assert both is not None
    assert alone.cause == "probe reads low"
    assert both.cause == "gas analyser drifts"
    assert both.ranked == ("BR101/O2", "BR101/DO")
    assert both.evidence == ("oxygen -1", "heat +1")


def test_a_side_that_a_cause_does_not_show_speaks_against_it() -> None:
    found = judged(oxygen=1.0, cells=-1.0)
    assert found is not None
    assert (found.kind, found.tag) == ("process", None)
    assert found.ranked == ()


def test_more_evidence_gives_more_confidence_and_what_is_missing_is_said() -> None:
    weak, strong = judged(oxygen=1.0), judged(oxygen=1.0, cells=1.0)
    assert weak is not None
    assert strong is not None
    assert 0.0 < weak.confidence < strong.confidence < 1.0
    assert weak.evidence[-1] == f"not (yet) in {PHASE}"


def test_a_check_that_no_cause_knows_has_no_verdict() -> None:
    assert verdict("BR101", CAUSES, "residual/other", {}) is None


def test_a_verdict_reads_as_a_sentence() -> None:
    found = judged(oxygen=-1.0, heat=1.0)
    assert found is not None
    assert found.words.startswith("Sensor BR101/O2, ")
    assert found.words.endswith("%: gas analyser drifts (oxygen -1; heat +1).")


def balanced() -> Plant:
    """Return a vessel whose tank loses what its pump counts."""
    balance = Residual(
        name="feed", formula="[W] + 2 * [Q]", expected=100.0, band=1.0,
        every_s=60, settle_s=0, on_delay_s=0, priority=2,
    )  # fmt: skip
    clog = PossibleCause(
        name="line clogged", kind=CauseKind.ACTUATOR, tag="Q",
        shows=("residual/feed+",), advice="Open it.",
    )  # fmt: skip
    made = plant({"W": None, "Q": None}, [balance])
    vessel = made.vessels[0].model_copy(update={"causes": (clog,)})
    return made.model_copy(update={"vessels": (vessel,)})


def play(watch: VesselWatch, minutes: range, lost: float) -> list[AlarmTransition]:
    events = []
    for minute in minutes:
        noise = float(np.random.default_rng(minute).standard_normal()) * 0.1
        values = [100.0 - 0.2 * minute * lost + noise, 0.1 * minute]
        events += watch.readings(block([1, 2], [60.0 * minute, 60.0 * minute], values))
    return told(events)


def test_an_alarm_names_its_cause_and_begins_its_advice_with_it() -> None:
    made = balanced()
    watch = VesselWatch(made, made.vessels[0])
    assert not play(watch, range(100), 1.0)
    (raised,) = play(watch, range(100, 200), 0.0)
    why = raised.explanation
    assert raised.cause is Cause.RAISED
    assert why.verdict is not None
    assert (why.verdict.kind, why.verdict.tag) == ("actuator", "BR101/Q")
    assert why.advice.startswith("Actuator BR101/Q, ")
    assert why.advice.endswith("Open it.")
    assert not why.advisory  # the value is known, nothing was learned


def test_a_verdict_survives_the_log_and_the_checkpoint() -> None:
    made = balanced()
    watch = VesselWatch(made, made.vessels[0])
    (raised,) = play(watch, range(200), 0.5)
    assert decode_event(*encode_event(raised)) == raised
    other = VesselWatch(made, made.vessels[0])
    other.restore(json.loads(json.dumps(watch.state())))
    rest = range(200, 400)
    assert play(watch, rest, 1.0) == play(other, rest, 1.0) != []


def test_a_cause_of_a_check_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="residual/heat"):
        Vessel.model_validate(
            {**balanced().vessels[0].model_dump(), "causes": [CAUSES[1]]}
        )
