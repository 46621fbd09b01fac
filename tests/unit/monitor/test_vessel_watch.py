"""The watch as a whole: blocks cut anywhere, state taken up anywhere, commands."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from services.monitor.vessel import StateUnusable
from shared.checks import Frozen, Limit, Noise, Rate, Residual, TagChecks
from shared.events import AlarmState, Cause, Command, CommandKind
from shared.readings import Block
from tests.neighbours.watched import BAD, NOON, S, block, told, watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.monitor.vessel import VesselWatch
    from shared.wire_events import Event

CHECKS = {
    "A": TagChecks(
        limits=(
            Limit(
                side="h",
                value=21.0,
                on_delay_s=20,
                deadband=0.2,
                suppressed_phases=("Rest",),
            ),
            Limit(side="l", value=-0.5, of="B", on_delay_s=5, phases=("Feed",)),
        ),
        rate=Rate(per_min=3.0, over_s=30, on_delay_s=0),
    ),
    "B": TagChecks(
        frozen=Frozen(after_s=60), noise=Noise(most=0.6, over_s=60, on_delay_s=0)
    ),
    "C": None,
}
KINDS: dict[str, dict[str, Any]] = {
    "ewma": {},
    "adwin": {"detector": "adwin"},
    "page": {"detector": "page-hinkley"},
    "upper": {"detector": "upper-quantile"},
    "lagged": {"lag_s": 900.0},
    "serviced": {"phases": ("Feed", "Grow")},
}
RESIDUALS = [
    Residual(
        name=name, terms={"A": 1.0, "B": -1.0}, every_s=30, settle_s=600, on_delay_s=0,
        off_delay_s=0, sensitivity=2, **more,
    )
    for name, more in KINDS.items()
]  # fmt: skip
SECONDS = 5400


def fresh() -> VesselWatch:
    return watching(CHECKS, RESIDUALS)


def second(s: int) -> Block:
    """Return the three readings of a second: steps, holes, bad and frozen ones."""
    chance = np.random.default_rng([7, s])
    level = 20.0 + 1.5 * ((s // 400) % 3 == 2) + 0.7 * (s > 3000)
    value = level + 0.3 * chance.standard_normal(3)
    if 1500 < s < 1700:
        value[1] = 19.0
    if 2500 < s < 2560:
        value[1] += 3.0 * chance.standard_normal()
    made = block([1, 2, 3], [s, s + 0.1, s + 0.2], value.tolist())
    if 2000 < s < 2030:
        made.status[0], made.value[0] = BAD, np.nan
    if 3300 < s < 3310:
        made.status[1], made.value[1] = 0x808D0000, np.nan
    return made


def inputs() -> Iterator[tuple[str, int]]:
    for s in range(SECONDS):
        if s % 1300 == 0:
            yield "context", s
        if not 4000 < s < 4100:
            yield "readings", s
        yield "clock", s


def give(watch: VesselWatch, kind: str, s: int) -> list[Event]:
    if kind == "context":
        phase = ("Grow", "Feed", "Rest")[(s // 1300) % 3]
        return watch.context(NOON + s * S, f"B{s // 2600}", phase)
    if kind == "readings":
        return watch.readings(second(s))
    alive = dict.fromkeys((1, 2, 3), not 4000 < s < 4100)
    return watch.clock(NOON + s * S + S // 2, alive)


def whole() -> list[list[Event]]:
    watch = fresh()
    return [give(watch, kind, s) for kind, s in inputs()]


WHOLE = whole()


def test_the_story_tells_of_every_kind() -> None:
    raised = {e.check.split("/", 1)[1] for e in told(list(chain(*WHOLE)), Cause.RAISED)}
    assert raised >= {
        "A/limit-h", "A/limit-l", "A/rate", "B/frozen", "B/noise", "no-data",
        "residual/ewma", "residual/lagged", "residual/serviced",
    }  # fmt: skip
    told_of = told(list(chain(*WHOLE)))
    assert AlarmState.SUPPRESSED in {e.after for e in told_of}


def test_a_state_taken_up_anywhere_gives_the_same_further_events() -> None:
    watch = fresh()
    for number, (kind, s) in enumerate(inputs()):
        if number % 397 == 0:
            state = json.loads(json.dumps(watch.state(), allow_nan=False))
            watch = fresh()
            watch.restore(state)
        assert give(watch, kind, s) == WHOLE[number]


def test_blocks_may_be_cut_anywhere() -> None:
    one, other = fresh(), fresh()
    chance = np.random.default_rng(3)
    columns = [second(s) for s in range(3000)]
    parts = [
        np.concatenate([getattr(c, name) for c in columns])
        for name in ("tag", "time", "value", "status", "tie", "received", "server")
    ]
    long = Block(*parts)
    expected = one.readings(long)
    cuts = np.sort(chance.choice(len(long), 300, replace=False))
    found = [
        event
        for rows in np.split(np.arange(len(long)), cuts)
        for event in other.readings(long.take(rows))
    ]
    # a rise is told once its end is seen: order may differ, content and ids may not
    key = repr
    assert sorted(found, key=key) == sorted(expected, key=key)
    assert len(expected) >= 20


def test_a_state_of_other_checks_is_refused() -> None:
    state = fresh().state()
    with pytest.raises(StateUnusable, match="BR101"):
        watching({"A": CHECKS["A"], "B": None}).restore(state)


def test_an_acknowledgement_counts_once_and_a_shelf_ends_by_the_clock() -> None:
    watch = watching(
        {"A": CHECKS["B"] and TagChecks(limits=(Limit(side="h", value=1.0),))}
    )
    (raised,) = told(watch.readings(block(1, range(100), 2.0)))
    now = NOON + 100 * S
    said = Command("c1", CommandKind.ACKNOWLEDGE, raised.alarm, "me", now, "seen it")
    (seen,) = told(watch.command(said))
    assert (seen.after, seen.actor, seen.comment) == (
        AlarmState.ACKNOWLEDGED,
        "me",
        "seen it",
    )
    assert not watch.command(said)
    shelve = Command("c2", CommandKind.SHELVE, raised.alarm, "me", now, until=now + S)
    assert told(watch.command(shelve))[0].until == now + S
    (back,) = told(watch.clock(now + 2 * S, {1: True}))
    assert (back.cause, back.after) == (
        Cause.SHELF_EXPIRED,
        AlarmState.UNACKNOWLEDGED,
    )
