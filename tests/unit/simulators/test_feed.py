"""Monitored items as arrays: what is queued, dropped, marked, and how it is encoded."""

from __future__ import annotations

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from simulators.instants import TICKS_AT_1970, Instant
from simulators.servers.feed import Feed, Item
from simulators.servers.notifications import (
    BOOLEAN,
    DOUBLE,
    INT32,
    NEVER,
    OVERFLOW,
    STRING,
    data_change,
)

T0 = TICKS_AT_1970 + 17_950_000_000_000_000
SERVER = T0 + 5
BAD = 0x806D0000
TYPES = np.array([DOUBLE, DOUBLE, BOOLEAN, INT32, STRING], np.uint8)


def fed(*items: Item) -> Feed:
    feed = Feed(TYPES)
    for item in items:
        feed.add(item)
    return feed


def take(feed: Feed, time: int, *values: float | str | None, status: int = 0) -> None:
    statuses = [status] * len(values)
    instant = Instant(time, range(len(values)), values, statuses)
    feed.take(instant.columns(), T0 + time, SERVER)


def sent(feed: Feed) -> list[tuple[int, object, int, int]]:
    """Return handle, value, status and time as an independent decoder reads them."""
    body = data_change(feed.give())
    found = struct_from_binary(ua.DataChangeNotification, Buffer(body))
    rows = []
    for one in found.MonitoredItems:
        value = one.Value
        time = ua.datetime_to_win_epoch(value.SourceTimestamp) - T0
        content = None if value.Value is None else value.Value.Value
        rows.append((one.ClientHandle, content, value.StatusCode.value, time))
    return rows


def every(node: int, size: int = 10) -> Item:
    return Item(node, 70 + node, size, each=True)


def test_every_type_is_encoded_as_a_standard_client_decodes_it() -> None:
    feed = fed(*(every(node) for node in range(5)))
    take(feed, 0, 1.5, None, 1.0, -7.0, "größer")
    assert sorted(sent(feed)) == [
        (70, 1.5, 0, 0),
        (71, None, 0, 0),
        (72, True, 0, 0),
        (73, -7, 0, 0),
        (74, "größer", 0, 0),
    ]
    assert not feed.waits


def test_a_status_goes_with_its_value_and_a_bad_one_without() -> None:
    feed = fed(every(0), every(4))
    take(feed, 0, 1.5, status=0x40000000)
    take(feed, 10, 1.5, status=BAD)
    assert sent(feed) == [(70, 1.5, 0x40000000, 0), (70, None, BAD, 10)]


def test_a_value_that_was_never_published_has_a_status_and_no_times() -> None:
    feed = fed(every(0))
    columns = Instant(0, [0], [None], [BAD]).columns()
    feed.take_one(0, columns, NEVER, NEVER)
    body = data_change(feed.give())
    (one,) = struct_from_binary(ua.DataChangeNotification, Buffer(body)).MonitoredItems
    assert one.Value.SourceTimestamp is None
    assert one.Value.StatusCode.value == BAD


def test_values_of_one_item_keep_their_order_and_others_are_not_sent() -> None:
    feed = fed(every(1))
    for n in range(5):
        take(feed, 10 * n, float(n), float(n * n))
    assert [(row[0], row[1], row[3]) for row in sent(feed)] == [
        (71, float(n * n), 10 * n) for n in range(5)
    ]


def test_an_item_of_changes_reports_changes_of_value_text_or_status() -> None:
    feed = fed(Item(0, 1, 10, each=False), Item(4, 5, 10, each=False))
    for n, (value, text) in enumerate(
        ((1.0, "a"), (1.0, "a"), (2.0, "a"), (2.0, "b"), (2.0, "b"))
    ):
        take(feed, n * 10, value, 0.0, 0.0, 0.0, text)
    take(feed, 60, 2.0, status=0x40000000)
    assert [(row[0], row[3]) for row in sent(feed)] == [
        (1, 0), (5, 0), (1, 20), (5, 30), (1, 60),
    ]  # fmt: skip


def test_a_deadband_counts_from_the_value_reported_last() -> None:
    feed = fed(Item(0, 1, 10, each=False, deadband=1.0))
    for n, value in enumerate((0.0, 0.6, 1.2, 1.8, 2.4)):
        take(feed, n * 10, value)
    assert [row[1] for row in sent(feed)] == [0.0, 1.2, 2.4]


def test_a_full_queue_drops_its_oldest_and_marks_the_next() -> None:
    feed = fed(every(0, size=3), every(1, size=10))
    for n in range(6):
        take(feed, 10 * n, float(n), float(n))
    assert feed.fullest() == 1.0
    rows = sent(feed)
    assert [(r[1], r[2]) for r in rows if r[0] == 70] == [
        (3.0, OVERFLOW), (4.0, 0), (5.0, 0),
    ]  # fmt: skip
    assert [(r[1], r[2]) for r in rows if r[0] == 71] == [
        (float(n), 0) for n in range(6)
    ]
    assert feed.dropped == 3
    assert feed.fullest() == 0.0


def test_a_queue_of_one_keeps_the_newest_without_a_mark() -> None:
    feed = fed(every(0, size=1))
    for n in range(3):
        take(feed, 10 * n, float(n))
    assert sent(feed) == [(70, 2.0, 0, 20)]
    assert feed.dropped == 2


def test_duplicates_are_sent_only_when_asked_for() -> None:
    feed = fed(every(0))
    feed.take(Instant(0, [0], [1.0]).columns(), T0, SERVER, times=2)
    assert [row[1] for row in sent(feed)] == [1.0, 1.0]


def test_two_items_on_one_variable_get_it_both_and_a_removed_one_nothing() -> None:
    feed = fed(every(0), Item(0, 99, 10, each=True))
    take(feed, 0, 1.0)
    assert [row[0] for row in sent(feed)] == [70, 99]
    feed.remove(0)
    take(feed, 10, 2.0)
    assert [row[0] for row in sent(feed)] == [99]
    assert feed.nodes.tolist() == [0]
    slot = feed.add(every(1))
    assert slot == 0
    take(feed, 20, 3.0, 4.0)
    assert [row[:2] for row in sent(feed)] == [(71, 4.0), (99, 3.0)]


@pytest.mark.parametrize("count", [63, 64, 65, 200])
def test_there_is_room_for_any_number_of_items(count: int) -> None:
    feed = Feed(np.full(count, DOUBLE, np.uint8))
    for node in range(count):
        feed.add(every(node))
    take(feed, 0, *(float(n) for n in range(count)))
    assert [row[1] for row in sent(feed)] == [float(n) for n in range(count)]
