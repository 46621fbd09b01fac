"""Where gaps start and end, in source time only."""

from __future__ import annotations

import numpy as np

from services.ingest.collect.gaps import Closing, Front, marking


def handles(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.array(numbers, np.intp)


def times(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, np.int64)


def front(count: int) -> Front:
    one = Front()
    one.grow(count)
    return one


def test_nothing_is_reached_before_the_first_reading() -> None:
    assert front(3).reached() is None


def test_the_front_is_the_newest_time_when_no_tag_lags() -> None:
    one = front(2)
    one.observe(handles(0, 1), times(100, 100), more=False)
    one.observe(handles(0, 1), times(200, 200), more=False)
    assert one.reached() == 200


def test_a_tag_that_lags_by_one_publish_holds_the_front_back() -> None:
    one = front(2)
    for time in (100, 200):
        one.observe(handles(0, 1), times(time, time), more=False)
    one.observe(handles(0), times(300), more=False)
    assert one.reached() == 200


def test_a_tag_that_fell_silent_holds_the_front_for_two_rounds_only() -> None:
    one = front(2)
    one.observe(handles(0, 1), times(100, 100), more=False)
    for time in (200, 300, 400):
        one.observe(handles(0), times(time), more=False)
    assert one.reached() == 400


def test_an_unfinished_round_does_not_move_the_lower_bound() -> None:
    one = front(3)
    for time in (100, 200):
        one.observe(handles(0, 1, 2), times(time, time, time), more=False)
    one.observe(handles(0), times(300), more=True)
    assert one.reached() == 200


def test_recalled_readings_are_known_but_mark_nothing() -> None:
    one = front(2)
    one.recall(handles(1), times(500))
    assert one.newest(1) == 500
    assert one.newest(0) is None
    assert one.reached() is None


def test_a_source_time_in_the_future_or_without_data_marks_nothing() -> None:
    received = times(10_000_000, 10_000_000, 10_000_000)
    status = np.array([0, 0, 0x80320000], np.uint32)
    found = marking(times(15_000_000, 15_000_001, 9_000_000), status, received)
    assert found.tolist() == [True, False, False]


def closing(start: int, count: int) -> Closing:
    return Closing(start, np.ones(count, np.bool_), interval_us=1000)


def test_a_gap_ends_with_the_latest_first_reading() -> None:
    one = closing(101, 2)
    assert one.observe(handles(0, 0), times(300, 400), 5000) is None
    assert one.observe(handles(1), times(350), 5100) == 350


def test_a_gap_is_empty_when_every_tag_still_has_its_value() -> None:
    one = closing(101, 2)
    assert one.observe(handles(0, 1), times(100, 50), 5000) == 101


def test_a_silent_tag_does_not_hold_a_gap_open() -> None:
    one = closing(101, 2)
    assert one.observe(handles(0), times(300), 5000) is None
    assert one.observe(handles(0), times(400), 7000) is None
    assert one.observe(handles(0), times(500), 7001) == 300


def test_a_new_connection_starts_the_search_over() -> None:
    one = closing(101, 2)
    one.observe(handles(0), times(300), 5000)
    one.expect(np.ones(2, np.bool_))
    assert one.observe(handles(0, 1), times(600, 700), 9000) == 700


def test_a_new_subscription_is_complete_only_when_every_item_is_made() -> None:
    one = closing(101, 2)
    one.expect(np.ones(2, np.bool_), anew=True)
    assert one.observe(handles(0), times(300), 5000) is None
    assert one.observe(handles(0), times(400), 9000) is None
    one.made(9500)
    assert one.observe(handles(0), times(500), 11500) is None
    assert one.observe(handles(1), times(450), 11501) == 300
    assert one.late(handles(1), times(450)) == {1: 450}


def test_a_tag_is_late_once_and_only_if_it_may_have_missed_something() -> None:
    one = closing(101, 4)
    one.expect(np.ones(4, np.bool_), anew=True)
    one.made(0)
    assert one.observe(handles(0), times(300), 5000) is None
    assert one.observe(handles(0), times(310), 7001) == 300
    one.forget(handles(3))
    assert one.late(handles(1, 2, 1, 3), times(250, 400, 500, 600)) == {2: 400}
    assert one.late(handles(1, 2), times(700, 700)) == {}
    assert not one.waits_for(np.ones(4, np.bool_))


def test_tags_of_a_later_configuration_hold_no_gap_open() -> None:
    one = closing(101, 1)
    one.grow(3)
    assert one.observe(handles(0, 2), times(300, 400), 5000) == 300
