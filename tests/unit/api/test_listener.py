from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.api.live import MOST_WAITING, Fresh, Listener, Lost, Only
from shared.bus import Damaged, Position, TopicPartition
from shared.domain import Gap, GapCause
from shared.events import AlarmTransition, Change, Detection
from shared.readings import Block, empty
from tests.neighbours.said import began, changed, detected, raised

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.wire_events import Event

AT = TopicPartition("plant", 0)


def block(*tags: int) -> Block:
    rows = np.zeros(len(tags), np.int64)
    return Block(
        tag=np.array(tags, np.int32),
        time=rows,
        value=rows.astype(np.float64),
        status=rows.astype(np.uint32),
        tie=rows.astype(np.int32),
        received=rows,
        server=rows.astype(np.int32),
    )


def fresh(following: int, *tags: int, epoch: str = "e") -> Fresh:
    return Fresh(AT, Position(epoch, following), block(*tags))


def rows(item: Fresh | Lost | None) -> list[int]:
    assert isinstance(item, Fresh)
    assert isinstance(item.what, Block)
    return [int(tag) for tag in item.what.tag]


async def test_a_slow_client_gets_the_count_of_what_it_missed_and_goes_on() -> None:
    listener = Listener({}, None)
    for following in range(MOST_WAITING + 3):
        listener.offer(fresh(following + 1, 1, 2))
    for _ in range(MOST_WAITING):
        assert rows(await listener.take()) == [1, 2]
    lost = await listener.take()
    assert isinstance(lost, Lost)
    assert lost.count == 6
    listener.offer(fresh(MOST_WAITING + 4, 3))
    assert rows(await listener.take()) == [3]


async def test_what_was_missed_is_said_before_what_comes_after_it() -> None:
    listener = Listener({}, None)
    for following in range(MOST_WAITING + 1):
        listener.offer(fresh(following + 1, 1))
    await listener.take()
    listener.offer(fresh(MOST_WAITING + 2, 9))
    for _ in range(MOST_WAITING - 1):
        assert rows(await listener.take()) == [1]
    assert await listener.take() == Lost(1, "this client reads too slowly")
    assert rows(await listener.take()) == [9]


async def test_only_rows_of_the_asked_tags_are_offered() -> None:
    listener = Listener({}, frozenset({2, 5}))
    listener.offer(fresh(1, 1, 3))
    listener.offer(fresh(2, 1, 2, 5, 2))
    assert rows(await listener.take()) == [2, 5, 2]


async def test_a_gap_is_offered_to_those_in_its_scope() -> None:
    mine, other = Listener({}, frozenset({2})), Listener({}, frozenset({3}))
    of_two = Gap("plc", GapCause.TAG_REFUSED, 0, 1, (2,))
    of_all = Gap("plc", GapCause.COLLECTOR_DOWN, 0, 1)
    for listener in (mine, other):
        listener.offer(Fresh(AT, Position("e", 1), of_two))
        listener.offer(Fresh(AT, Position("e", 2), of_all))
        listener.close()
    taken = [item.what async for item in _all(mine)]
    assert taken == [of_two, of_all]
    assert [item.what async for item in _all(other)] == [of_all]


async def _all(listener: Listener) -> AsyncIterator[Fresh]:
    while isinstance(item := await listener.take(), Fresh):
        yield item


async def test_a_record_it_has_had_is_not_offered_again() -> None:
    listener = Listener({AT: Position("e", 5)}, None)
    listener.offer(fresh(5, 1))
    listener.offer(fresh(6, 2))
    listener.offer(fresh(1, 3, epoch="new"))
    assert rows(await listener.take()) == [2]
    assert rows(await listener.take()) == [3]
    listener.offer(Fresh(AT, Position("new", 2), None))
    listener.offer(Fresh(AT, Position("new", 3), empty()))
    assert listener.places[AT] == Position("new", 3)
    listener.close()
    assert await listener.take() is None


async def test_only_events_of_the_asked_vessels_and_types_are_offered() -> None:
    damaged = Damaged(AT, Position("e", 9), Position("e", 9), "rot", None, None)
    said: list[Event | Damaged] = [
        raised(1),
        raised(1, "BR102"),
        began(1),
        changed(1),
        detected(1),
        damaged,
    ]
    mine = Only(frozenset({"BR101"}), frozenset({AlarmTransition, Change, Detection}))
    for only, wanted in ((mine, [0, 3, 4, 5]), (Only(), [0, 1, 2, 3, 4, 5])):
        listener = Listener({}, None, only)
        for offset, event in enumerate(said, 1):
            listener.offer(Fresh(AT, Position("e", offset), event))
        listener.close()
        got = [item.what async for item in _all(listener)]
        assert got == [said[n] for n in wanted]
        assert listener.places[AT] == Position("e", len(said))
