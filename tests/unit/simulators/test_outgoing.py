"""In which order instants go out of a troubled server."""

from __future__ import annotations

from simulators.instants import Instant
from simulators.servers.outgoing import Outgoing


def instant(time: int) -> Instant:
    return Instant(time, [0], [1.0])


def times(out: Outgoing, *wanted: int) -> list[int]:
    return [one.time for time in wanted for one in out.pass_on(instant(time))]


def test_without_a_trouble_everything_goes_out_as_it_came() -> None:
    out = Outgoing()
    assert times(out, 1, 2, 3) == [1, 2, 3]
    assert out.skewed(instant(5)).time == 5


def test_shuffled_instants_change_places_and_none_is_lost_when_it_ends() -> None:
    out = Outgoing()
    out.shuffle = 1
    assert times(out, 1, 2, 3, 4, 5) == [2, 1, 4, 3]
    out.shuffle = 0
    assert times(out, 6, 7) == [6, 5, 7]


def test_a_skewed_clock_dates_instants() -> None:
    out = Outgoing()
    out.skew_us = -3
    assert out.skewed(instant(9)).time == 6
