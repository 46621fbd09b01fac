"""Rate of change, frozen values, scatter."""

from __future__ import annotations

import numpy as np

from services.monitor.vessel import VesselWatch
from shared.checks import Frozen, Noise, Rate, State, TagChecks
from shared.events import Cause
from shared.plant import Tag
from tests.neighbours.watched import NOON, S, after, block, plant, told, watching

CHANCE = np.random.default_rng(5)


def noisy(count: int, sigma: float = 0.1) -> list[float]:
    return [20.0 + sigma * float(x) for x in CHANCE.standard_normal(count)]


def test_a_value_that_moves_too_fast_is_raised_and_returns() -> None:
    rate = Rate(per_min=1.0, over_s=30, on_delay_s=0, off_delay_s=0)
    watch = watching({"A": TagChecks(rate=rate)})
    values = [20.0] * 100 + [20.0 + 0.1 * i for i in range(100)] + [30.0] * 100
    events = told(watch.readings(block(1, range(300), values)))
    assert [e.cause for e in events] == [Cause.RAISED, Cause.RETURNED]
    assert 100 < after(events[0].time) < 120


def test_a_hole_is_not_a_rate() -> None:
    rate = Rate(per_min=1.0, over_s=30, on_delay_s=0)
    watch = watching({"A": TagChecks(rate=rate)})
    events = watch.readings(block(1, range(50), 20.0))
    assert not events + watch.readings(block(1, range(500, 520), 40.0))


def test_a_value_that_does_not_move_at_all_is_frozen() -> None:
    watch = watching({"A": TagChecks(frozen=Frozen(after_s=900))})
    values = noisy(600) + [20.0] * 1200 + noisy(60)
    events = told(watch.readings(block(1, range(1860), values)))
    assert [(e.cause, after(e.time)) for e in events] == [
        (Cause.RAISED, 1500),
        (Cause.RETURNED, 1830),
    ]


def test_silence_is_not_a_frozen_value() -> None:
    watch = watching({"A": TagChecks(frozen=Frozen(after_s=60))})
    watch.readings(block(1, range(30), noisy(30)))
    events = [e for s in range(30, 600) for e in watch.clock(NOON + s * S, {1: True})]
    assert not [e for e in told(events) if e.check.endswith("frozen")]


def test_scatter_outside_its_band_is_raised() -> None:
    noise = Noise(least=0.02, most=0.3, over_s=60, on_delay_s=0, off_delay_s=0)
    for sigma, count in ((0.1, 0), (1.0, 1), (0.001, 1)):
        watch = watching({"A": TagChecks(noise=noise)})
        events = watch.readings(block(1, range(300), noisy(300, sigma)))
        assert len(told(events, Cause.RAISED)) == count


def test_a_trend_is_not_scatter() -> None:
    noise = Noise(most=0.3, over_s=60, on_delay_s=0)
    watch = watching({"A": TagChecks(noise=noise)})
    values = [v + 0.1 * i for i, v in enumerate(noisy(600))]
    assert not watch.readings(block(1, range(600), values))


def test_a_switch_that_stays_on_is_raised_though_only_its_change_is_reported() -> None:
    made = plant({"A": None})
    switch = Tag(
        id=2, name="FOAM", node="ns=2;s=f", type="boolean",
        checks=TagChecks(state=State(values=(1.0,), on_delay_s=300)),
    )  # fmt: skip
    vessel = made.vessels[0].model_copy(
        update={"tags": (*made.vessels[0].tags, switch)}
    )
    watch = VesselWatch(made, vessel, servers=made.servers)
    events = watch.readings(block(2, [0.0, 10.0, 20.0], [0.0, 1.0, 0.0]))
    for s in range(21, 900):
        events += watch.readings(block(2, [float(s)], [1.0])) if s == 100 else []
        events += watch.clock(NOON + s * S, {1: True, 2: True})
    (raised,) = (e for e in told(events) if "FOAM" in e.check)
    assert (raised.check, after(raised.time)) == ("BR101/FOAM/state", 400)
    assert raised.explanation.expected == "another state than 1 (is 1)"
