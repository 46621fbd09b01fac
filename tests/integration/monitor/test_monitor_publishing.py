"""What is on `events` is found again, whatever else is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.monitor.changes import STARTED
from services.monitor.places import configuration_at, first_since
from services.monitor.publish import Name, Publisher, named, read_said
from shared.bus import Position
from shared.bus.local import LocalBus
from shared.configuration import apply_configuration, create_topics
from shared.events import Change
from tests.integration.monitor.monitored import (
    PARTITIONS,
    append,
    events,
    open_log,
    plant,
    published,
)
from tests.neighbours.story import NOON_US, YAML, told

if TYPE_CHECKING:
    from pathlib import Path

    from shared.wire_events import Event


def change(number: int) -> Event:
    """Return an event that is like no other."""
    return Change("test", NOON_US + number, "me", "", str(number))


async def test_only_what_was_not_said_is_appended(tmp_path: Path) -> None:
    async with open_log(tmp_path) as bus:
        place = Position("e", 5)
        said = await read_said(bus, events(), None, place)
        first = Publisher(bus, events(), said, await bus.head(events()))
        made = named(place, [change(1), change(2)])
        await first.publish(made)
        await first.say(Change(STARTED, NOON_US, "me", "", ""))
        assert first.end == await bus.head(events())

        said = await read_said(bus, events(), None, place)
        assert said.last == Name("e", 5, 1)
        again = Publisher(bus, events(), said, await bus.head(events()))
        assert await again.publish(made + named(Position("e", 6), [change(3)])) == 1
        assert (again.skipped, again.different) == (2, 0)
        assert [cause for cause, _ in await published(bus)] == ["5:0", "5:1", "6:0"]


async def test_an_event_made_differently_stays_as_it_was_said(tmp_path: Path) -> None:
    async with open_log(tmp_path) as bus:
        place = Position("e", 5)
        head = await bus.head(events())
        said = await read_said(bus, events(), None, place)
        await Publisher(bus, events(), said, head).publish(named(place, [change(1)]))
        said = await read_said(bus, events(), None, place)
        again = Publisher(bus, events(), said, await bus.head(events()))
        assert await again.publish(named(place, [change(9)])) == 0
        assert again.different == 1


async def test_events_of_a_log_that_is_no_more_suppress_nothing(tmp_path: Path) -> None:
    async with open_log(tmp_path) as bus:
        head = await bus.head(events())
        said = await read_said(bus, events(), None, Position("old", 0))
        old = Publisher(bus, events(), said, head)
        await old.publish(named(Position("old", 9), [change(1)]))
        said = await read_said(bus, events(), None, Position("new", 0))
        new = Publisher(bus, events(), said, await bus.head(events()))
        assert await new.publish(named(Position("new", 0), [change(2)])) == 1


async def test_a_place_is_found_by_time_with_its_configuration(tmp_path: Path) -> None:
    clock = iter(range(NOON_US, NOON_US + 10**9, 1_000_000))
    async with LocalBus(tmp_path / "log", clock=lambda: next(clock)) as bus:
        await create_topics(bus, PARTITIONS)
        await append(bus, told(1, 3))
        for number, text in enumerate((YAML, YAML + "# second\n")):
            now = NOON_US + (number + 1) * 100_000_000
            while next(clock) < now:
                pass
            await apply_configuration(bus, text, source="p", actor="me", now=now)
            await append(bus, told(3 + number, 5 + number))
        start = await bus.start(plant())
        held = await configuration_at(bus, plant(), start)
        place = await first_since(bus, plant(), NOON_US + 150_000_000)
        after = await configuration_at(
            bus, plant(), Position(place.epoch, place.offset + 1)
        )
        at_record = await configuration_at(bus, plant(), place)
        end = await first_since(bus, plant(), NOON_US + 10**12)
        assert end == await bus.head(plant())
    assert held is None
    assert at_record is None  # the record there is the configuration itself
    assert after is not None
    assert after.version == 2
