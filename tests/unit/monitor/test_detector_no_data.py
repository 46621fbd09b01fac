"""Silence: of a server, of a vessel; one alarm, not thirty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.checks import Frozen, Limit, TagChecks
from shared.events import Cause
from tests.neighbours.watched import BAD, NOON, S, after, block, told, watching

if TYPE_CHECKING:
    from shared.events import AlarmTransition
    from shared.readings import Block
    from shared.wire_events import Event

TAGS = {
    f"T{i}": TagChecks(
        limits=(Limit(side="h", value=50.0),), frozen=Frozen(after_s=300)
    )
    for i in range(30)
}


def second(s: int, status: int = 0) -> Block:
    value = np.nan if status else 20.0 + 0.01 * (s % 7)
    return block(list(range(1, 31)), [float(s)] * 30, value, status)


class Line:
    """A vessel of thirty tags, a second at a time."""

    def __init__(self) -> None:
        self._watch = watching(TAGS)
        assert not self.run(range(60))

    def run(
        self,
        seconds: range,
        *,
        alive: bool = True,
        readings: bool = True,
        status: int = 0,
    ) -> list[AlarmTransition]:
        events: list[Event] = []
        for s in seconds:
            if readings:
                events += self._watch.readings(second(s, status))
            proven = dict.fromkeys(range(1, 31), alive)
            events += self._watch.clock(NOON + s * S, proven)
        return told(events)


def test_a_silent_server_is_one_alarm_and_returns_when_it_is_heard() -> None:
    line = Line()
    (raised,) = line.run(range(60, 1200), alive=False, readings=False)
    assert (raised.check, raised.priority) == ("sim/no-data", 2)
    assert after(raised.time) == 60 + 10 + 20 - 1
    assert raised.explanation.quality.startswith("missing since")
    returned = line.run(range(1200, 1300), alive=True, readings=True)
    assert [(e.check, e.cause) for e in returned] == [("sim/no-data", Cause.RETURNED)]


def test_a_silent_vessel_of_a_living_server_is_one_alarm() -> None:
    line = Line()
    (raised,) = line.run(range(60, 1200), alive=True, readings=False)
    assert raised.check == "BR101/no-data"
    assert after(raised.time) < 60 + 45


def test_a_vessel_with_only_bad_values_is_one_alarm() -> None:
    line = Line()
    (raised,) = line.run(range(60, 400), alive=True, readings=True, status=BAD)
    assert raised.check == "BR101/no-data"


def test_a_short_silence_is_none() -> None:
    line = Line()
    assert not line.run(range(60, 70), alive=False, readings=False)
    assert not line.run(range(70, 200), alive=True, readings=True)
