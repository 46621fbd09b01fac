"""The contract of detectors that watch all tags of a vessel together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from services.monitor.detectors.course_drift import learned_drift
from services.monitor.detectors.level import Levels, settings
from services.monitor.detectors.mewma import Guard
from services.monitor.detectors.mewma_limits import all_charts, learned, limits
from services.monitor.detectors.trajectory import learned_batches
from services.monitor.detectors.whitening import Whitening

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.monitor.detectors.vector import VectorDetector

    Make = Callable[[Sequence[str]], VectorDetector]

TAGS = ("T", "pH", "DO", "air")
VOTERS = settings([[0.1, 5.0, 0.5, 2, 1, 0, 1, 0], [0.2, 6.0, 0.4, 3, 2, 0, 1, 0.5]])


def normal(seed: int, rows: int, tags: int = len(TAGS)) -> NDArray[np.float64]:
    """Return tags that move together around 37."""
    random = np.random.default_rng(seed)
    together = random.standard_normal((rows, 1))
    return 37.0 + 0.5 * together + random.standard_normal((rows, tags))


def mewma(tags: Sequence[str]) -> VectorDetector:
    return learned(tags, [normal(1, 600, len(tags))], guard=Guard(0.01))


def levels(tags: Sequence[str]) -> VectorDetector:
    return Levels(tags, normal(1, 600, len(tags)), VOTERS)


def courses(tags: Sequence[str]) -> VectorDetector:
    batches = [normal(seed, 150, len(tags)) for seed in range(10, 18)]
    return learned_batches(tags, batches, rate=0.002)


def drifts(tags: Sequence[str]) -> VectorDetector:
    return learned_drift(tags, [normal(seed, 150, len(tags)) for seed in range(10, 18)])


EVERY = pytest.mark.parametrize("make", [mewma, levels, courses, drifts])
MAKES = pytest.mark.parametrize("make", [mewma, levels])


def scores(
    detector: VectorDetector, rows: NDArray[np.float64], *, learning: bool = True
) -> list[float]:
    return [detector.learn(row, learning=learning) for row in rows]


def stepped(tag: int, by: float) -> NDArray[np.float64]:
    rows = normal(2, 120)
    rows[60:, tag] += by
    return rows


@EVERY
def test_the_same_rows_give_the_same_scores(make: Make) -> None:
    rows = stepped(1, 8.0)
    assert scores(make(TAGS), rows) == scores(make(TAGS), rows)


@MAKES
def test_a_step_is_found_and_explained_by_its_tag(make: Make) -> None:
    detector = make(TAGS)
    found = scores(detector, stepped(2, 8.0))
    assert max(found[:60]) < 1.0
    assert min(found[80:]) >= 1.0
    first, *others = detector.explain()
    assert first.tag == "DO"
    assert first.away > 3.0
    assert first.share > max(c.share for c in others)
    assert sum(c.share for c in (first, *others)) == pytest.approx(1.0)


@EVERY
def test_scoring_changes_nothing_and_says_what_learning_will_say(make: Make) -> None:
    detector = make(TAGS)
    for row in stepped(0, 9.0):
        before = json.dumps(detector.state())
        expected = detector.score(row)
        assert json.dumps(detector.state()) == before
        assert detector.learn(row, learning=True) == expected


@EVERY
@pytest.mark.parametrize("learning", [True, False])
def test_a_restored_detector_scores_bit_for_bit_the_same(
    make: Make, *, learning: bool
) -> None:
    rows = stepped(3, 7.0)
    detector, other = make(TAGS), make(TAGS)
    scores(detector, rows[:70], learning=learning)
    other.restore(json.loads(json.dumps(detector.state())))
    assert scores(other, rows[70:], learning=learning) == scores(
        detector, rows[70:], learning=learning
    )
    assert other.state() == detector.state()
    assert other.explain() == detector.explain()


@MAKES
def test_a_missing_value_is_no_evidence(make: Make) -> None:
    detector = make(TAGS)
    rows = normal(3, 200)
    rows[:, 1] = np.nan
    assert np.quantile(scores(detector, rows), 0.95) < 1.0
    assert detector.learn(np.full(4, np.nan), learning=True) < 1.0
    rows = stepped(2, 8.0)
    rows[:, 1] = np.nan
    assert scores(detector, rows)[-1] >= 1.0
    assert detector.explain()[0].tag == "DO"


@EVERY
def test_another_unit_of_measure_changes_no_score(make: Make) -> None:
    celsius, fahrenheit = make(TAGS), make(TAGS)
    rows = stepped(0, 8.0)
    other = rows.copy()
    other[:, 0] = 1.8 * rows[:, 0] + 32.0
    scores(celsius, rows[:30])
    scores(fahrenheit, rows[:30])
    fahrenheit.rescale("T", 1.8, 32.0)
    celsius.rescale("T", 1.0, 0.0)
    np.testing.assert_allclose(
        scores(fahrenheit, other[30:]), scores(celsius, rows[30:]), rtol=1e-6
    )
    assert fahrenheit.explain()[0].tag == celsius.explain()[0].tag


@MAKES
def test_nothing_is_learned_in_alarm_or_when_forbidden(make: Make) -> None:
    def center(state: dict[str, Any]) -> NDArray[np.float64]:
        kept = state["whitening"]["mean"] if "whitening" in state else state["base"]
        return np.atleast_2d(np.array(kept, float))[:, 2]

    detector = make(TAGS)
    scores(detector, normal(5, 50), learning=False)
    begun = center(detector.state())
    scores(detector, normal(6, 50), learning=False)
    np.testing.assert_array_equal(center(detector.state()), begun)
    scores(detector, normal(6, 50))
    assert (center(detector.state()) != begun).all()
    scores(detector, stepped(2, 12.0)[60:80])
    in_alarm = center(detector.state())
    scores(detector, stepped(2, 12.0)[60:])
    np.testing.assert_array_equal(center(detector.state()), in_alarm)


@MAKES
def test_tags_come_and_go_while_the_others_go_on(make: Make) -> None:
    before = make(TAGS)
    scores(before, normal(4, 100))
    after = make(("DO", "new", "T"))
    after.restore(before.state())
    assert after.tags == ("DO", "new", "T")
    rows = normal(5, 120)[:, [2, 1, 0]]
    assert max(scores(after, rows)) < 1.0
    rows[60:, 0] += 10.0
    assert scores(after, rows)[-1] >= 1.0
    assert after.explain()[0].tag == "DO"


@pytest.mark.parametrize("missing", [False, True])
def test_the_charts_of_a_row_are_those_of_the_whole_recording(*, missing: bool) -> None:
    whitening = Whitening(len(TAGS))
    rows = normal(1, 600)
    whitening.fit(rows)
    bound = limits([rows], 0.01)
    later = stepped(1, 3.0)
    if missing:
        later[40:70, 2] = np.nan
    at_once = (all_charts(whitening, later) / bound).max(axis=1)
    detector = learned(TAGS, [rows])
    np.testing.assert_allclose(scores(detector, later, learning=False), at_once)


def test_limits_keep_the_rate_on_rows_that_nobody_saw() -> None:
    detector = learned(TAGS, [normal(1, 4000)], rate=0.01)
    share = np.mean(np.array(scores(detector, normal(9, 8000), learning=False)) >= 1.0)
    assert 0.004 < share < 0.02


def test_more_scatter_and_less_scatter_are_both_found() -> None:
    for factor in (2.5, 0.1):
        rows = 37.0 + factor * (normal(7, 200) - 37.0)
        detector = learned(TAGS, [normal(1, 1000)])
        assert scores(detector, rows, learning=False)[-1] >= 1.0


def test_a_slow_drift_is_learned_and_does_not_alarm() -> None:
    rows = normal(3, 3000)
    rows[:, 0] += np.linspace(0.0, 1.0, 3000)
    shares = {}
    for learning in (True, False):
        detector = learned(TAGS, [normal(1, 1500)], guard=Guard(0.003))
        found = np.array(scores(detector, rows, learning=learning))
        shares[learning] = float((found >= 1.0).mean())
    assert shares[True] < 0.1
    assert shares[False] > 0.3


def test_a_whitened_row_has_no_correlation_left() -> None:
    whitening = Whitening(len(TAGS))
    rows = normal(1, 5000)
    whitening.fit(rows)
    np.testing.assert_allclose(np.cov(whitening.white(rows).T), np.eye(4), atol=0.01)
    learner = Whitening(len(TAGS))
    for row in rows:
        learner.learn(row, 0.0)
    np.testing.assert_allclose(learner.mean, whitening.mean)
    np.testing.assert_allclose(learner.covariance, whitening.covariance, rtol=0.05)


def test_a_level_that_returns_ends_the_vote_and_one_that_stays_never_does() -> None:
    detector = Levels(TAGS, normal(1, 600), VOTERS)
    rows = normal(2, 900)
    rows[100:, 0] += 9.0
    assert min(scores(detector, rows)[150:]) >= 1.0
    assert max(scores(detector, normal(3, 200))[60:]) < 1.0


def test_a_batch_is_judged_by_what_changes_not_by_its_own_offset() -> None:
    usual = np.linspace(0.0, 50.0, 150)[:, np.newaxis]
    detector = learned_batches(
        TAGS, [usual + normal(seed, 150) for seed in range(10, 22)]
    )
    rows = usual + normal(30, 150) + 3.0
    found = scores(detector, rows[:75])
    assert np.mean(np.array(found) >= 1.0) < 0.05
    rows[75:, 2] += 9.0
    assert max(scores(detector, rows[75:80])) >= 1.0
    assert detector.explain()[0].tag == "DO"


def test_a_slow_drift_is_found_and_a_disturbance_is_not() -> None:
    batches = [normal(seed, 300) for seed in range(10, 22)]
    detector = learned_drift(TAGS, batches)
    rows = normal(30, 300)
    rows[100:105, 1] += 50.0
    assert np.mean(np.array(scores(detector, rows)) >= 1.0) < 0.05
    drifting = learned_drift(TAGS, batches)
    rows = normal(31, 300)
    rows[:, 2] += np.linspace(0.0, 6.0, 300)
    found = np.array(scores(drifting, rows)) >= 1.0
    assert found[-100:].mean() > 0.9
    assert drifting.explain()[0].tag == "DO"


def test_batches_of_unequal_length_and_missing_values_have_one_course() -> None:
    three = learned_batches(TAGS, [normal(seed, 150) for seed in range(10, 13)])
    assert np.isfinite(scores(three, normal(30, 150))).all()
    batches = [normal(seed, 140 + seed) for seed in range(10, 18)]
    batches[3][20:60, 1] = np.nan
    detector = learned_batches(TAGS, batches)
    rows = normal(30, 250)
    rows[10:30, 0] = np.nan
    assert np.mean(np.array(scores(detector, rows)) >= 1.0) < 0.05


def test_a_tag_that_no_normal_batch_has_does_not_silence_the_others() -> None:
    batches = [normal(seed, 150) for seed in range(10, 18)]
    for batch in batches:
        batch[:, 0] = np.nan
        batch[:60, 1] = np.nan
    detector = learned_batches(TAGS, batches)
    rows = normal(30, 150)
    rows[75:, 2] += 12.0
    found = scores(detector, rows)
    assert np.isfinite(found).all()
    assert max(found[75:80]) >= 1.0
    assert detector.explain()[-1].share == 0.0
