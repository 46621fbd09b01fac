"""Every alarm says why it is there, in all parts."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.checks import Frozen, Limit, Noise, Rate, Residual, TagChecks
from shared.events import Cause, Explanation
from tests.neighbours.watched import NOON, S, block, told, watching

if TYPE_CHECKING:
    from shared.events import AlarmTransition
    from shared.wire_events import Event

EVERYTHING = TagChecks(
    limits=(Limit(side="h", value=25.0, on_delay_s=10, advice="look at the jacket"),),
    rate=Rate(per_min=5.0, over_s=30, on_delay_s=0),
    frozen=Frozen(after_s=100),
    noise=Noise(most=0.5, over_s=60, on_delay_s=0),
)
GAP = Residual(name="gap", terms={"A": 1.0, "B": -1.0}, settle_s=1200, on_delay_s=0)


def story() -> list[AlarmTransition]:
    """Return the alarms of a vessel in which everything goes wrong."""
    watch = watching({"A": EVERYTHING, "B": None}, [GAP])
    chance = np.random.default_rng(1)
    value = 20.0 + 0.1 * chance.standard_normal(7200)
    value[4800:] += 8.0
    value[6000:6300] = 28.0
    value[6300:] += 3.0 * chance.standard_normal(900)
    other = 20.0 + 0.1 * chance.standard_normal(7200)
    other[4700:] += 5.0
    events: list[Event] = []
    for start in range(0, 7200, 60):
        part = range(start, start + 60)
        both = [s for s in part for _ in range(2)]
        pairs = [v for s in part for v in (value[s], other[s])]
        events += watch.readings(block([1, 2] * 60, [float(s) for s in both], pairs))
    for s in range(7200, 7300):
        events += watch.clock(NOON + s * S, {})
    return told(events, Cause.RAISED)


ALARMS = story()


def test_the_story_raises_every_kind_of_check() -> None:
    kinds = {alarm.check.partition("/")[2].split("/")[-1] for alarm in ALARMS}
    assert kinds == {"limit-h", "rate", "frozen", "noise", "gap", "no-data"}


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: str(alarm.check))
def test_every_part_is_there(alarm: AlarmTransition) -> None:
    why = alarm.explanation
    for part in ("check", "tag", "expected", "quality", "trend", "advice"):
        assert getattr(why, part)
    assert NOON < why.since <= alarm.time
    assert (why.value is None) == alarm.check.endswith("no-data")
    assert why.trend.startswith(f"/recorded?tag={why.tag}&start=2026-")
    assert why.advisory == ("residual" in alarm.check)
    assert ("advisory" in why.expected) == why.advisory


def lacking(whole: Explanation, name: str) -> Explanation:
    parts: dict[str, Any] = {name: ""}
    return replace(whole, **parts)


def test_an_alarm_without_any_part_is_refused() -> None:
    whole = ALARMS[0].explanation
    texts = [f.name for f in fields(Explanation) if f.type == "str"]
    assert len(texts) == 6
    for name in texts:
        with pytest.raises(ValueError, match="lacks a part"):
            lacking(whole, name)


def test_other_tags_that_moved_are_named_in_their_own_sigmas() -> None:
    (limit,) = (alarm for alarm in ALARMS if alarm.check.endswith("limit-h"))
    (moved,) = limit.explanation.moved
    assert moved.tag == "BR101/B"
    assert moved.before == pytest.approx(20.0, abs=0.1)
    assert moved.now == pytest.approx(25.0, abs=0.1)
    assert moved.sigmas > 50
    assert limit.explanation.advice == "look at the jacket"
