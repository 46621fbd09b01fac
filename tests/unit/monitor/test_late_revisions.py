"""Late readings are judged by every check that can judge them alone."""

from __future__ import annotations

import numpy as np
import pytest

from shared.checks import Frozen, Limit, Noise, Rate, TagChecks
from shared.events import Cause
from tests.neighbours.watched import NOON, S, block, told, watching

CHANCE = np.random.default_rng(4)
WILD = (20.0 + 5.0 * CHANCE.standard_normal(400)).tolist()
STILL = [20.0] * 400
RISING = [20.0 + 0.1 * n for n in range(400)]
CALM = [20.0 + 0.01 * (n % 3) for n in range(400)]
KINDS = {
    "limit-h": (TagChecks(limits=(Limit(side="h", value=30, on_delay_s=60),)), RISING),
    "rate": (TagChecks(rate=Rate(per_min=3.0, over_s=30, on_delay_s=60)), RISING),
    "frozen": (TagChecks(frozen=Frozen(after_s=120)), STILL),
    "noise": (TagChecks(noise=Noise(most=1.0, over_s=60, on_delay_s=60)), WILD),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gives_a_silent_revision_that_is_marked_late(kind: str) -> None:
    checks, late = KINDS[kind]
    watch = watching({"A": checks})
    watch.readings(block(1, range(1000, 1010), CALM[:10]))
    (revised,) = told(watch.late(block(1, range(100, 500), late)))
    assert revised.check == f"BR101/A/{kind}"
    assert (revised.cause, revised.priority, revised.detected_late) == (
        Cause.REVISED,
        4,
        True,
    )
    assert NOON + 100 * S <= revised.explanation.since < NOON + 500 * S
    assert "late" in revised.explanation.expected


@pytest.mark.parametrize("kind", KINDS)
def test_late_readings_that_are_well_say_nothing(kind: str) -> None:
    watch = watching({"A": KINDS[kind][0]})
    watch.readings(block(1, range(1000, 1010), CALM[:10]))
    assert not watch.late(block(1, range(100, 500), CALM))
