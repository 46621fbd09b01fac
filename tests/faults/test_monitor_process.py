"""The monitor as a process on the local log: killed, stopped, commanded, replayed."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from services.monitor.changes import STARTED
from services.monitor.differences import diff
from services.monitor.partition import PartitionWatch
from services.monitor.publish import Publisher, Said, named, stored
from services.monitor.replay import replay
from shared.bus import Message, Position
from shared.events import (
    AlarmState,
    AlarmTransition,
    BatchEvent,
    Cause,
    Change,
    Command,
    CommandKind,
)
from shared.wire_events import decode_event, encode_command, encode_event
from tests.integration.monitor.monitored import (
    EVER,
    WHOLE,
    append,
    events,
    monitor_process,
    open_log,
    published,
    replay_command,
    said_live,
    seen_up_to,
)
from tests.neighbours.story import (
    NOON_US,
    S_US,
    YAML,
    clock,
    configuration,
    records,
    told,
)

if TYPE_CHECKING:
    from pathlib import Path

    from shared.bus import Bus
    from shared.wire_events import Event

SECONDS = 240


def undisturbed(messages: list[Message]) -> list[tuple[str, bytes]]:
    """Return (cause, value) of the events of a run that nothing stops."""
    watch = PartitionWatch(0)
    return [
        (f"{record.position.offset}:{number}", encode_event(event)[1])
        for record in records(messages)
        for number, event in enumerate(watch.see(record))
    ]


def events_of(messages: list[Message]) -> list[Event]:
    """Return the events of a run that nothing stops."""
    watch = PartitionWatch(0)
    return [event for record in records(messages) for event in watch.see(record)]


async def test_readings_become_alarms_batches_and_changes(tmp_path: Path) -> None:
    messages = told(0, 60)
    async with open_log(tmp_path) as bus, monitor_process(tmp_path):
        await append(bus, messages)
        await seen_up_to(bus, len(undisturbed(messages)))
        live = await said_live(bus)
    kinds = {type(event) for event in live}
    assert kinds >= {AlarmTransition, BatchEvent, Change}
    assert live == events_of(messages)


@pytest.mark.timeout(300)
async def test_a_monitor_killed_at_random_moments_writes_the_undisturbed_journal(
    tmp_path: Path,
) -> None:
    messages = told(0, SECONDS)
    expected = undisturbed(messages)
    chance = random.Random(11)
    async with open_log(tmp_path) as bus:
        feeding = asyncio.create_task(append(bus, messages, pause_s=0.04))
        kills = 0
        while not feeding.done():
            async with monitor_process(tmp_path) as process:
                await asyncio.sleep(chance.uniform(0.8, 2.4))
                process.kill()
                await process.wait()
                kills += 1
        await feeding
        async with monitor_process(tmp_path):
            await seen_up_to(bus, len(expected))
        assert kills >= 4
        assert await published(bus) == expected
    assert "said differently" not in (tmp_path / "monitor.log").read_text()


async def test_a_monitor_that_is_stopped_goes_on_without_reading_again(
    tmp_path: Path,
) -> None:
    messages = told(0, 80)
    expected = undisturbed(messages)
    half = len(undisturbed(messages[:120]))
    async with open_log(tmp_path) as bus:
        async with monitor_process(tmp_path, checkpoint_every="PT1H") as process:
            await append(bus, messages[:120])
            await seen_up_to(bus, half)
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 30) == 0
        assert (tmp_path / "state" / "partition-0.checkpoint").exists()
        async with monitor_process(tmp_path, checkpoint_every="PT1H"):
            await append(bus, messages[120:])
            await seen_up_to(bus, len(expected))
            assert await published(bus) == expected


async def test_a_command_sent_while_the_monitor_is_down_takes_effect_when_it_returns(
    tmp_path: Path,
) -> None:
    messages = told(0, 22)
    expected = events_of(messages)
    raised = next(e for e in expected if isinstance(e, AlarmTransition))
    command = Command(
        "c-1", CommandKind.ACKNOWLEDGE, raised.alarm, "anna", NOON_US + 30 * S_US
    )
    async with open_log(tmp_path) as bus:
        async with monitor_process(tmp_path) as process:
            await append(bus, messages)
            await seen_up_to(bus, len(expected))
            process.kill()
            await process.wait()
        said = Message(*encode_command(command))
        await append(bus, [said, said, clock(31)])
        async with monitor_process(tmp_path):
            await seen_up_to(bus, len(expected) + 1)
            live = await said_live(bus)
    taken = live[len(expected)]
    assert isinstance(taken, AlarmTransition)
    assert (taken.alarm, taken.cause, taken.actor) == (
        raised.alarm,
        Cause.ACKNOWLEDGED,
        "anna",
    )
    assert taken.after in {AlarmState.ACKNOWLEDGED, AlarmState.NORMAL}
    assert [e for e in live if getattr(e, "actor", None) == "anna"] == [taken]


async def test_a_replay_gives_the_live_journal(tmp_path: Path) -> None:
    tighter = configuration(YAML.replace("value: 37.5, on_delay_s: 3", "value: 37"), 2)
    messages = [*told(0, 40), tighter, *told(40, 90)]
    count = len(undisturbed(messages))
    async with open_log(tmp_path) as bus:
        async with monitor_process(tmp_path) as process:
            await append(bus, messages[:130])
            await seen_up_to(bus, len(undisturbed(messages[:130])))
            process.kill()
            await process.wait()
        async with monitor_process(tmp_path):
            await append(bus, messages[130:])
            await seen_up_to(bus, count)
        live = await said_live(bus)
        again = await replay(bus, 0, EVER)
        assert diff(live, again) == []
        part = await replay(bus, NOON_US + 30 * S_US, NOON_US + 60 * S_US)
        url = f"local:{tmp_path}/log"
        equal = await replay_command(url)
        forged = Publisher(bus, events(), Said(), await bus.head(events()))
        await forged.publish(named(Position("e", 9), [live[-1]]))
        unequal = await replay_command(url)
    assert part == [e for e in live if 30 <= (e.time - NOON_US) / S_US < 60]
    assert 0 < len(part) < len(live)
    assert equal == (0, f"{WHOLE}: {count} events live, {count} in the replay: equal\n")
    assert unequal[0] == 1
    assert f"{count + 1} events live" in unequal[1]
    assert unequal[1].splitlines()[1].startswith("- 2026-01-01T12:01:")


async def test_a_lost_checkpoint_is_said_and_nothing_is_said_twice(
    tmp_path: Path,
) -> None:
    messages = told(0, 90)
    expected = undisturbed(messages)
    async with open_log(tmp_path) as bus:
        async with monitor_process(tmp_path) as process:
            await append(bus, messages[:130])
            await seen_up_to(bus, len(undisturbed(messages[:130])))
            process.terminate()
            await process.wait()
        for file in (tmp_path / "state").iterdir():
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(bytes(content))
        async with monitor_process(tmp_path):
            await append(bus, messages[130:])
            await seen_up_to(bus, len(expected))
            assert await published(bus) == expected
    said = (tmp_path / "monitor.log").read_text()
    assert "do not have the checksum" in said
    assert "warming from" in said
    assert "Traceback" not in said


async def started(bus: Bus, count: int) -> list[Change]:
    """Wait until that many starts were said, and return them."""
    async with asyncio.timeout(60):
        while True:
            found = [
                event
                for partition in (0, 1)
                async for record in stored(bus, events(partition), None)
                if isinstance(
                    event := decode_event(record.headers, record.value), Change
                )
                and event.what == STARTED
            ]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def test_every_start_is_an_event(tmp_path: Path) -> None:
    async with open_log(tmp_path) as bus:
        for life in (1, 2):
            async with monitor_process(tmp_path):
                await append(bus, told(0, 30) if life == 1 else [clock(31)])
                await seen_up_to(bus, len(undisturbed(told(0, 30))))
                starts = await started(bus, life)
    assert [start.actor for start in starts] == ["monitor-1", "monitor-1"]
