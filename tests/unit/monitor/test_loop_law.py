"""A loop that leaves its law: the contract of detectors, and what is found by it."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from services.monitor.detectors.loop_law import LAGS, Law, LoopLaw, learned_loop

TAGS = ("pH", "base")
SETPOINT, GAIN, MOST = 7.0, 40.0, 100.0
NO_LAW = Law(0.0, np.zeros(LAGS), 1.0, 0.0, 1.0)


def loop(seed: int, rows: int = 300, drift: float = 0.0) -> NDArray[np.float64]:
    """Return what is recorded of a loop whose own sensor drifts so far by the end."""
    random = np.random.default_rng(seed)
    value, output, found = SETPOINT, 30.0, []
    for row in range(rows):
        seen = value + drift * row / rows
        output = min(max(output + GAIN * (SETPOINT - seen), 0.0), MOST)
        value += 0.005 * (output - 30.0) + 0.05 * random.standard_normal()
        found.append((value, output + 0.1 * random.standard_normal()))
    return np.array(found)


@cache
def _state() -> str:
    return json.dumps(learned_loop(TAGS, [loop(seed) for seed in range(6)]).state())


def detector() -> LoopLaw:
    made = LoopLaw(TAGS, NO_LAW, 1.0)
    made.restore(json.loads(_state()))
    return made


def scores(watching: LoopLaw, rows: NDArray[np.float64]) -> list[float]:
    return [watching.learn(row, learning=True) for row in rows]


def test_a_loop_that_acts_on_another_value_than_the_recorded_is_found() -> None:
    watching = detector()
    found = np.array(scores(watching, loop(30, drift=0.03)))
    assert found[:10].max() < 1.0
    assert found[-100:].min() >= 1.0
    assert [c.tag for c in watching.explain()] == ["base", "pH"]


def test_a_loop_that_follows_its_law_is_not_whatever_disturbs_it() -> None:
    rows = np.array(scores(detector(), loop(31, rows=2000)))
    assert np.mean(rows >= 1.0) < 0.02


def test_an_output_at_the_end_of_its_range_says_nothing() -> None:
    watching = detector()
    scores(watching, loop(32))
    before = watching.score(np.array([SETPOINT, MOST]))
    saturated = np.column_stack([np.linspace(6.0, 5.0, 50), np.full(50, MOST)])
    assert set(scores(watching, saturated)) == {before}


def test_missing_values_say_nothing() -> None:
    watching = detector()
    rows = loop(33)
    rows[50:60, 0] = np.nan
    rows[100:110, 1] = np.nan
    found = scores(watching, rows)
    assert np.isfinite(found).all()
    assert len(set(found[50:60])) == 1


def test_scoring_changes_nothing_and_says_what_learning_will_say() -> None:
    watching = detector()
    for row in loop(34, drift=0.2):
        before = json.dumps(watching.state())
        expected = watching.score(row)
        assert json.dumps(watching.state()) == before
        assert watching.learn(row, learning=True) == expected


def test_a_restored_loop_scores_bit_for_bit_the_same() -> None:
    rows = loop(35, drift=0.2)
    watching, other = detector(), LoopLaw(TAGS, NO_LAW, 1.0)
    scores(watching, rows[:70])
    other.restore(json.loads(json.dumps(watching.state())))
    assert scores(other, rows[70:]) == scores(watching, rows[70:])
    assert other.state() == watching.state()


def test_the_state_of_another_loop_is_not_taken() -> None:
    other = LoopLaw(("T", "steam"), NO_LAW, 1.0)
    before = other.state()
    other.restore(detector().state())
    assert other.state() == before


@pytest.mark.parametrize(("tag", "factor"), [("pH", 1000.0), ("base", -0.5)])
def test_another_unit_of_measure_changes_no_score(tag: str, factor: float) -> None:
    rows = loop(36, drift=0.2)
    other = rows.copy()
    other[:, TAGS.index(tag)] = factor * other[:, TAGS.index(tag)] + 3.0
    usual, rescaled = detector(), detector()
    scores(usual, rows[:30])
    scores(rescaled, rows[:30])
    rescaled.rescale(tag, factor, 3.0)
    np.testing.assert_allclose(
        scores(rescaled, other[30:]), scores(usual, rows[30:]), rtol=1e-6
    )
