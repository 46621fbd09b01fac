"""A vessel is silent by the pace of its own tags, not by that of times long gone."""

from __future__ import annotations

import numpy as np
import pytest

from services.monitor.columns import Rows
from services.monitor.pace import Pace
from tests.neighbours.watched import BAD, NOON, S, block

IDS = np.array([1, 2, 3], np.int32)


def heard(seconds: list[float], tags: int = 3, status: int = 0) -> Pace:
    """Return what is known after all tags spoke at `seconds` after noon."""
    pace = Pace(np.ones(tags, np.bool_))
    speak(pace, seconds, list(range(1, tags + 1)), status)
    return pace


def speak(pace: Pace, seconds: list[float], tags: list[int], status: int = 0) -> None:
    for s in seconds:
        rows = Rows(block(tags, [s] * len(tags), 20.0, status), IDS)
        for layer in rows.layers(0, len(rows)):
            pace.take(layer)


def silent(pace: Pace, second: float) -> bool:
    return pace.silent(NOON + round(second * S))


@pytest.mark.parametrize("every", [1.0, 20.0, 600.0])
def test_three_intervals_may_be_missed_but_never_less_than_five_seconds(
    every: float,
) -> None:
    pace = heard([n * every for n in range(10)])
    patience = max(3 * every, 5.0)
    assert not silent(pace, 9 * every + patience)
    assert silent(pace, 9 * every + patience + 0.1)


def test_the_pace_of_catching_up_is_forgotten_after_a_few_live_readings() -> None:
    pace = heard([-600.0, -540.0, -480.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    assert silent(pace, 10.0)


def test_a_second_outage_is_noticed_as_fast_as_the_first() -> None:
    pace = heard([0.0, 1.0, 301.0, 302.0, 303.0, 304.0, 305.0])
    assert silent(pace, 311.0)


def test_readings_that_come_in_threes_are_no_silence() -> None:
    pace = heard([60.0 * n + k for n in range(5) for k in (0, 1, 2)])
    assert not silent(pace, 299.0)


def test_slow_tags_do_not_hide_that_most_are_silent_nor_does_one_dead_tag_tell() -> (
    None
):
    pace = heard([0.0, 1.0, 2.0])
    speak(pace, [60.0, 120.0], [3])
    assert silent(pace, 125.0)
    speak(pace, [121.0, 122.0, 123.0, 124.0, 125.0], [2])
    assert not silent(pace, 125.0)


def test_bad_values_are_silence_and_a_single_reading_is_waited_for() -> None:
    assert silent(heard([0.0, 1.0], status=BAD), 1.0)
    once = heard([0.0])
    assert not silent(once, 60.0)
    assert silent(once, 61.0)
