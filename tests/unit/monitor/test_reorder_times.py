"""When readings and clocks come out of the buffer, and when time passes."""

from __future__ import annotations

import numpy as np

from services.monitor import reorder
from services.monitor.reorder import Instant, Passed, Reorder
from shared.readings import Block, merge
from tests.neighbours.story import NOON_US, S_US, rows

PATIENCE_US = 5_500_000
ALIVE = {1: True, 2: True}


def at(*seconds: float, tag: int = 1, delay_s: float = 0.02) -> Block:
    """Return readings of a tag at seconds of the story."""
    times = [NOON_US + round(second * S_US) for second in seconds]
    return rows(
        [tag] * len(times), times, list(seconds), delay_us=round(delay_s * S_US)
    )


def out(buffer: Reorder) -> list[tuple[str, float]]:
    """Return what is released: `r` readings or `c` clocks, with their seconds."""
    return [
        ("r", (due.time - NOON_US) / S_US)
        if isinstance(due, Instant)
        else ("c", (due.now - NOON_US) / S_US)
        for due in buffer.release(ALIVE)
    ]


def tick(buffer: Reorder, second: float) -> None:
    """Give a clock record."""
    buffer.clock(NOON_US + round(second * S_US), ALIVE)


def test_readings_wait_until_the_watermark_is_two_seconds_past_them() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(1.0, 2.0))
    assert out(buffer) == []
    buffer.add(at(2.999))
    assert out(buffer) == []
    buffer.add(at(3.0))
    assert out(buffer) == [("r", 1.0)]
    buffer.add(at(9.0))
    assert out(buffer) == [("r", 2.0), ("r", 2.999), ("r", 3.0)]


def test_readings_of_one_time_come_together_by_tag() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(merge([at(1.0, tag=2), at(1.0, tag=1), at(5.0)]))
    released = buffer.release(ALIVE)
    assert isinstance(released[0], Instant)
    assert released[0].block.tag.tolist() == [1, 2]


def test_a_reading_behind_what_was_released_is_late() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(1.0, 5.0))
    buffer.release(ALIVE)
    late = buffer.add(merge([at(4.0), at(2.5), at(3.3)]))
    assert late.time.tolist() == [NOON_US + 2_500_000]
    assert buffer.marks.late == 1


def test_what_a_tag_says_first_is_never_late() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(1.0, 100.0))
    buffer.release(ALIVE)
    assert len(buffer.add(at(3.0, tag=2))) == 0
    assert out(buffer) == [("r", 3.0)]
    assert len(buffer.add(at(3.5, tag=2))) == 1


def test_the_same_reading_again_is_neither_late_nor_twice() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(merge([at(1.0), at(1.0), at(5.0)]))
    assert out(buffer) == [("r", 1.0)]
    assert len(buffer.add(at(1.0))) == 0
    assert (buffer.marks.late, buffer.marks.repeated) == (0, 2)


def test_clocks_come_between_the_readings_of_their_times() -> None:
    buffer = Reorder(PATIENCE_US)
    for second in (1, 2, 3):
        buffer.add(at(second))
        tick(buffer, second + 0.3)
    buffer.add(at(6.0))
    expected = [("r", 1), ("c", 1.3), ("r", 2), ("c", 2.3), ("r", 3), ("c", 3.3)]
    assert out(buffer) == expected


def test_clocks_go_on_while_a_live_source_is_silent() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(1.0))
    released = []
    for second in range(2, 20):
        tick(buffer, second)
        released += out(buffer)
    assert released == [("r", 1.0), *[("c", s) for s in range(2, 12)]]


def test_readings_as_old_as_the_patience_are_in_time_after_a_silence() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(1.0))
    tick(buffer, 30)
    buffer.release(ALIVE)
    assert len(buffer.add(at(30 - 7.4, delay_s=7.4))) == 0
    assert len(buffer.add(at(30 - 7.6, delay_s=7.6))) == 1


def test_a_source_behind_the_clock_makes_its_own_time() -> None:
    buffer = Reorder(PATIENCE_US)
    day = 86_400.0
    for minute in range(3):
        buffer.add(at(60.0 * minute, delay_s=day))
        tick(buffer, day + minute / 10)
    buffer.add(at(180.0, 180.5, 240.0, delay_s=day - 100))
    released = out(buffer)
    assert [kind for kind, _ in released] == [
        "r",
        "c",
        "r",
        "c",
        "r",
        "c",
        "r",
        "c",
        "r",
    ]
    assert released[-2:] == [("c", 180.0), ("r", 180.5)]


def test_a_silent_source_behind_the_clock_goes_on_from_its_last_time() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(100.0, delay_s=86_400.0))
    tick(buffer, 86_400.0 + 104)
    assert out(buffer) == []
    tick(buffer, 86_400.0 + 130)
    assert out(buffer) == [("r", 100.0), ("c", 100.0)]
    tick(buffer, 86_400.0 + 140)
    assert out(buffer) == [("c", 130.0)]


def test_a_source_whose_clock_is_ahead_moves_no_further_than_its_receipt() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(100.0, 101.0, delay_s=-60.0))
    assert out(buffer) == []
    assert buffer.marks.watermark == NOON_US + 41 * S_US
    assert len(buffer.add(at(42.0))) == 0


def test_manual_entries_do_not_move_the_watermark() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(50.0), moves=False)
    assert buffer.marks.watermark is None
    assert out(buffer) == []


def test_a_simulated_source_that_was_never_heard_is_not_silent() -> None:
    never, past = Reorder(PATIENCE_US), Reorder(PATIENCE_US, may_be_silent=False)
    for second in range(30):
        tick(never, second)
        tick(past, second)
    assert out(never)[-1] == ("c", 21.0)
    assert out(past) == []


def test_a_full_buffer_lets_its_older_half_go() -> None:
    buffer = Reorder(PATIENCE_US)
    most = reorder.MOST_ROWS
    times = NOON_US + 3_600 * S_US + 1_000 * np.arange(most + 1)
    ahead = rows(
        [1] * len(times), times.tolist(), [0.0] * len(times), delay_us=-3_600 * S_US
    )
    buffer.add(ahead)
    released = [e.block for e in buffer.release(ALIVE) if isinstance(e, Instant)]
    whole_cells = -(-((most + 1) // 2 + 1) // 200) * 200
    assert sum(map(len, released)) == whole_cells


def test_what_waits_can_be_taken_over() -> None:
    first, second = Reorder(PATIENCE_US), Reorder(PATIENCE_US)
    first.add(at(1.0, 4.0, 3.0))
    tick(first, 3.3)
    first.release(ALIVE)
    held, clocks = first.waiting()
    second.restore(first.marks, held, clocks, first.last())
    for buffer in (first, second):
        assert len(buffer.add(merge([at(1.0), at(9.0)]))) == 0
    assert out(first) == out(second) != []


def test_waiting_clocks_speak_of_the_tags_of_a_new_configuration() -> None:
    buffer = Reorder(PATIENCE_US)
    buffer.add(at(1.0))
    tick(buffer, 1.3)
    buffer.follow({1: True, 7: True}.keys())
    buffer.add(at(9.0))
    passed = [due for due in buffer.release(ALIVE) if isinstance(due, Passed)]
    assert [due.alive for due in passed] == [{1: True, 7: False}]


def test_a_cell_comes_whole_and_is_cut_where_a_clock_falls_into_it() -> None:
    buffer = Reorder(PATIENCE_US)
    times = [1.0, 1.05, 1.19, 1.2, 1.21]
    buffer.add(merge([at(t, tag=n) for n, t in enumerate(times, 1)]))
    buffer.clock(NOON_US + 1_100_000, ALIVE)
    buffer.add(at(3.0, tag=9))
    assert out(buffer) == [("r", 1.05), ("c", 1.1), ("r", 1.19)]
    buffer.add(at(3.2, tag=9))
    assert out(buffer) == [("r", 1.21)]
