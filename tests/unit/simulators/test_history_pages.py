"""The server's own history: pages, late values, bounds, files, and cut-off ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.instants import Instant
from simulators.servers.history import NOW_OR_NEVER, History, Kept
from simulators.servers.history_files import Files

BAD = 0x80890000


def add(history: History, time: int, *values: float | str | None) -> None:
    columns = Instant(time, range(len(values)), values).columns()
    history.add(columns, time, time + 1)


def all_of(history: History, node: int, portion: int = 1000) -> list[Kept]:
    """Read a variable from the oldest to the newest, in portions."""
    span, found = history.ahead(0, NOW_OR_NEVER), list[Kept]()
    while span is not None:
        kept, left = history.read(node, span, portion)
        found += kept
        if left is None:
            return found
        span = left
    return found


def filled(history: History, count: int) -> History:
    for n in range(count):
        add(history, 10 * n, float(n), f"text {n}")
    return history


@pytest.mark.parametrize("portion", [1, 7, 1000])
def test_what_was_published_is_read_in_order_whatever_the_portion(portion: int) -> None:
    history = filled(History(10_000), 150)
    assert all_of(history, 0, portion) == [
        Kept(10 * n, float(n), 0, 10 * n + 1) for n in range(150)
    ]
    assert [one.value for one in all_of(history, 1, portion)] == [
        f"text {n}" for n in range(150)
    ]
    assert all_of(history, 2, portion) == []


def test_it_is_read_back_from_the_newest() -> None:
    history = filled(History(10_000), 150)
    kept, left = history.read(0, history.back(1490, 1300), 4)
    assert [one.time for one in kept] == [1490, 1480, 1470, 1460]
    assert left is not None
    kept, left = history.read(0, left, 100)
    assert [one.time for one in kept] == list(range(1450, 1300, -10))
    assert left is None


def test_a_late_value_takes_its_place_and_equal_times_stay_as_published() -> None:
    history = filled(History(10_000), 130)
    add(history, 55, -1.0)
    add(history, 60, -2.0)
    values = [one.value for one in all_of(history, 0, 3)]
    assert values[:10] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, -1.0, 6.0, -2.0, 7.0]
    assert len(values) == 132


def test_the_oldest_pages_go_and_a_reader_that_was_there_is_told() -> None:
    history = filled(History(300), 150)
    _, left = history.read(0, history.ahead(0, NOW_OR_NEVER), 5)
    assert left is not None
    for n in range(150, 400):
        add(history, 10 * n, float(n), "more")
    kept = all_of(history, 0)
    assert kept[-1].time == 3990
    assert 100 <= len(kept) <= 300
    with pytest.raises(LookupError, match="kept after"):
        history.read(0, left, 5)


def test_without_room_there_is_no_history() -> None:
    history = filled(History(0), 3)
    assert not history.keeps
    assert all_of(history, 0) == []


def on_disk(folder: Path, most: int = 10_000) -> tuple[History, Files]:
    files = Files(folder)
    history = History(most, files, instants=10)
    for number, page in files.pages():
        history.found(number, page)
    return history, files


def test_a_restarted_server_still_has_what_was_put_into_files(tmp_path: Path) -> None:
    history, files = on_disk(tmp_path)
    filled(history, 95)
    before = all_of(history, 1)
    history.close_page()
    files.close()
    again, files = on_disk(tmp_path)
    assert all_of(again, 1) == before
    add(again, 950, 95.0, "text 95")
    assert [one.value for one in all_of(again, 0)] == [float(n) for n in range(96)]
    files.close()


def test_a_page_that_a_kill_cut_short_is_left_out_and_cut_off(tmp_path: Path) -> None:
    history, files = on_disk(tmp_path)
    filled(history, 30)
    files.close()
    (path,) = tmp_path.glob("history-*.pages")
    whole = path.read_bytes()
    for cut in (len(whole) - 1, len(whole) - 200, 3):
        path.write_bytes(whole[:cut])
        again, files = on_disk(tmp_path)
        times = [one.time for one in all_of(again, 0)]
        assert times == [10 * n for n in range(len(times))]
        assert len(times) in {20, 10, 0}
        files.close()
    assert path.stat().st_size == 0


def test_a_flipped_byte_ends_what_is_read_of_a_file(tmp_path: Path) -> None:
    history, files = on_disk(tmp_path)
    filled(history, 30)
    files.close()
    (path,) = tmp_path.glob("history-*.pages")
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))
    again, files = on_disk(tmp_path)
    assert [one.time for one in all_of(again, 0)] == [10 * n for n in range(10)]
    files.close()


def test_files_go_with_their_last_page(tmp_path: Path) -> None:
    history, files = on_disk(tmp_path, most=100)
    filled(history, 6_000)
    assert len(list(tmp_path.glob("history-*.pages"))) <= 2
    files.close()
