"""Time that lies in a declared gap is no time in which a condition was known."""

from __future__ import annotations

import json

import pytest

from services.monitor.partition import PartitionWatch
from services.monitor.vessel import VesselWatch
from shared.bus import Message
from shared.checks import Limit, State, TagChecks
from shared.domain import Gap, GapCause
from shared.events import AlarmTransition
from shared.plant import Report, Tag
from shared.wire import encode_gap
from tests.neighbours.story import (
    NOON_US,
    S_US,
    configuration,
    liveness,
    readings,
    records,
    rows,
)
from tests.neighbours.story import clock as tick
from tests.neighbours.watched import NOON, S, after, block, plant, told

LIMIT = TagChecks(limits=(Limit(side="h", value=50.0, on_delay_s=60),))


def watching() -> VesselWatch:
    """Return a watch of a tag that speaks each second and of a switch."""
    made = plant({"A": LIMIT})
    switch = Tag(
        id=2, name="FOAM", node="ns=2;s=f", type="boolean",
        checks=TagChecks(state=State(values=(1.0,), on_delay_s=60)),
    )  # fmt: skip
    assert switch.reports is Report.CHANGE
    tags = (*made.vessels[0].tags, switch)
    vessel = made.vessels[0].model_copy(update={"tags": tags})
    return VesselWatch(made, vessel, servers=made.servers)


def lost(start: float, end: float | None, tags: tuple[int, ...] | None = None) -> Gap:
    until = None if end is None else NOON + round(end * S)
    return Gap("sim", GapCause.SPOOL_FULL, NOON + round(start * S), until, tags)


def run(
    gaps: list[Gap], missing: range = range(0), *, restart: bool = False
) -> dict[str, float]:
    """Return when each alarm of a value that is beyond from 10 s on was raised."""
    watch, events = watching(), []
    for s in range(300):
        for gap in gaps:
            if (gap.start - NOON) / S <= s:
                watch.declared(gap)
        if s not in missing:
            events += watch.readings(block(1, [float(s)], [60.0 if s >= 10 else 20.0]))
        if s == 10:
            events += watch.readings(block(2, [10.0], [1.0]))
        events += watch.clock(NOON + s * S, {1: True, 2: True})
        if restart and s % 23 == 0:
            state = json.loads(json.dumps(watch.state(), allow_nan=False))
            watch = watching()
            watch.restore(state)
    return {e.check: after(e.time) for e in told(events)}


def test_without_gaps_both_last_their_delay() -> None:
    assert run([]) == {"BR101/A/limit-h": 70, "BR101/FOAM/state": 70}


@pytest.mark.parametrize("restart", [False, True])
def test_a_gap_stands_still_for_values_that_hold_and_those_that_missed(
    restart: bool,  # noqa: FBT001
) -> None:
    found = run([lost(20, 60)], range(20, 60), restart=restart)
    assert found["BR101/FOAM/state"] == 110
    punctual_s = 5  # so long nobody can tell a late reading from a lost one
    assert 110 - punctual_s <= found["BR101/A/limit-h"] <= 111


def test_where_readings_came_at_their_pace_nothing_was_lost() -> None:
    assert run([lost(20, 60)])["BR101/A/limit-h"] == 70


def test_a_gap_of_other_tags_or_another_server_is_none() -> None:
    other = Gap("else", GapCause.SPOOL_FULL, NOON, None)
    assert run([lost(20, 60, (1,)), other])["BR101/FOAM/state"] == 70


def test_a_gap_that_lasts_stands_still_until_its_end_is_known() -> None:
    assert "BR101/FOAM/state" not in run([lost(20, None)])
    found = run([lost(20, None), lost(20, 40)])
    assert found["BR101/FOAM/state"] == 90


def test_the_explanation_says_that_readings_may_be_missing() -> None:
    watch = PartitionWatch(0)
    gap = Gap("dcs", GapCause.QUEUE_OVERFLOW, NOON_US, NOON_US + S_US)
    messages = [configuration(), Message(*encode_gap(gap))]
    for s in range(30):
        at = NOON_US + s * S_US
        messages += [readings(rows([11], [at], [38.0])), liveness(s), tick(s + 0.3)]
    raised = [
        event
        for record in records(messages)
        for event in watch.see(record)
        if isinstance(event, AlarmTransition)
    ]
    said = "; readings may be missing: queue-overflow"
    assert raised[0].explanation.quality.endswith(said)
