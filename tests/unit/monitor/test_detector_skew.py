"""A vessel's clock that is wrong is told from what is merely late."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.monitor.vessel import VesselWatch
from shared.checks import Skew
from shared.events import AlarmTransition, Cause
from shared.plant import Vessel
from tests.neighbours.watched import NOON, S, block, plant

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.wire_events import Event

LENGTH_S = 600


def watching() -> VesselWatch:
    made = plant({"PH": None})
    body = made.vessels[0].model_dump() | {"skew": Skew().model_dump()}
    return VesselWatch(made, Vessel.model_validate(body), servers=made.servers)


def run(
    lag_s: Callable[[int], float], *, watch: VesselWatch | None = None
) -> list[AlarmTransition]:
    """Return the transitions of ten minutes at 1 Hz, received so late."""
    watch = watch or watching()
    events: list[Event] = []
    for second in range(LENGTH_S):
        sent = block([1], [second], [7.0 + 0.001 * (second % 7)])
        late = np.array([round(lag_s(second) * S)], np.int64)
        events += watch.readings(replace(sent, received=sent.time + late))
        events += watch.clock(NOON + second * S + 300_000, {1: True})
    return [one for one in events if isinstance(one, AlarmTransition)]


@pytest.mark.parametrize("lag_s", [30.0, -30.0, 3600.0])
def test_times_that_are_steadily_off_are_an_alarm_within_two_minutes(
    lag_s: float,
) -> None:
    found = run(lambda second: 0.02 if second < 200 else lag_s)
    (raised,) = [one for one in found if one.cause is Cause.RAISED]
    assert raised.check.endswith("/clock-skew")
    assert NOON + 200 * S < raised.time <= NOON + 320 * S
    assert raised.explanation.value == pytest.approx(-lag_s, abs=0.1)
    words = f"{abs(lag_s):.1f} s {'behind' if lag_s > 0 else 'ahead of'} their receipt"
    assert words in raised.explanation.expected


def test_a_clock_that_is_set_right_ends_the_alarm() -> None:
    found = run(lambda second: 30.0 if 100 <= second < 300 else 0.02)
    assert [one.cause for one in found] == [Cause.RAISED, Cause.RETURNED]


@pytest.mark.parametrize(
    "lag_s",
    [
        lambda _: 2.0,
        lambda second: max(0.1, 20.0 - 20.0 * (second % 40) / 30.0),
        lambda second: 86_400.0 - 120.0 * second,
    ],
    ids=["a slow line", "queues that are sent late", "catching up with the past"],
)
def test_what_is_late_but_not_steadily_is_no_alarm(
    lag_s: Callable[[int], float],
) -> None:
    assert not run(lag_s)


def test_a_watch_goes_on_from_its_state() -> None:
    first, second = watching(), watching()
    run(lambda _: 30.0, watch=first)
    second.restore(first.state())
    assert second.state() == first.state()
