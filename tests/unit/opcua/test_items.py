"""Wanted and granted monitored items."""

from __future__ import annotations

import numpy as np

from services.ingest.opcua.items import RETRY_FIRST_S, RETRY_LAST_S, Items, Wanted
from shared.domain import Actual, Desired
from shared.plant import Report


def wanted(tag: int, node: str = "", queue: int = 10) -> Wanted:
    return Wanted(tag, node or f"ns=2;s=T{tag}", Report.EACH, 250, queue)


def granted(*tags: int) -> Items:
    items = Items([wanted(tag) for tag in tags], now=0)
    for number, item in enumerate(items.due(0.0)):
        items.grant(item, 100 + number, 1, "")
    return items


def test_handles_follow_the_order_of_tags() -> None:
    items = Items([wanted(30), wanted(10)], now=0)
    assert items.tags.tolist() == [30, 10]
    assert [item.handle for item in items.due(0.0)] == [0, 1]


def test_a_refused_item_is_due_again_after_growing_pauses() -> None:
    items = Items([wanted(1)], now=0)
    (item,) = items.due(0.0)
    now, pauses = 0.0, []
    for _ in range(8):
        items.refuse(item, "BadNodeIdUnknown", 1, now)
        due = items.next_due()
        assert due is not None
        assert items.due(due - 0.001) == []
        pauses.append(due - now)
        now = due
    assert pauses[0] == RETRY_FIRST_S
    assert pauses[-1] == RETRY_LAST_S


def test_a_refusal_is_news_once() -> None:
    items = Items([wanted(1)], now=0)
    (item,) = items.due(0.0)
    assert items.refuse(item, "BadNodeIdUnknown", 1, 0.0) is not None
    assert items.refuse(item, "BadNodeIdUnknown", 2, 9.0) is None
    assert items.refuse(item, "BadOutOfService", 3, 20.0) is not None
    assert items.states()[0].since == 1


def test_a_new_configuration_touches_only_what_changed() -> None:
    items = granted(1, 2, 3)
    changed = items.want([wanted(1), wanted(2, queue=20), wanted(4)], now=5)
    assert {(s.tag, s.desired, s.actual) for s in changed} == {
        (3, Desired.NONE, Actual.DISCONNECTED),
        (2, Desired.SUBSCRIBED, Actual.PENDING),
        (4, Desired.SUBSCRIBED, Actual.PENDING),
    }
    assert sorted(items.leaving()) == [101, 102]
    assert [item.wanted.tag for item in items.due(0.0)] == [2, 4]
    assert items.tags.tolist() == [1, 2, 3, 4]


def test_a_tag_that_comes_back_has_its_old_handle() -> None:
    items = granted(1, 2)
    items.want([wanted(2)], now=5)
    items.want([wanted(1), wanted(2)], now=6)
    assert items.tags.tolist() == [1, 2]
    assert items.handle(1) == 0


def test_a_resumed_subscription_shows_what_was_granted() -> None:
    items = granted(1, 2)
    (item,) = items.items_of([2])
    items.suspend("no connection", 5)
    assert items.subscribed_tags() == ()
    items.resume(6)
    assert items.subscribed_tags() is None
    assert item.granted == 101


def test_a_new_subscription_asks_for_everything_again() -> None:
    items = granted(1, 2)
    items.suspend("no connection", 5)
    changed = items.begin_anew(6)
    assert [s.actual for s in changed] == [Actual.PENDING, Actual.PENDING]
    assert len(items.due(0.0)) == 2
    assert items.leaving() == []


def test_the_first_reading_of_an_item_greets_once() -> None:
    items = Items([wanted(1), wanted(2)], now=0)
    items.ask(items.due(0.0))
    assert items.greets(np.array([1, 1], np.int32))
    assert not items.greets(np.array([1], np.int32))
    assert items.greets(np.array([1, 2], np.int32))
