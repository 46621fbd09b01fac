from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from services.api.moments import now_us
from shared.bus import Message
from shared.domain import Gap, GapCause
from shared.events import AlarmState, Cause
from shared.wire import encode_gap
from tests.integration.api.stored import ISO0, T0, Client, S, StoredPlant, block
from tests.neighbours.said import began, changed, detected, raised, went_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def test_current_values_come_from_the_database_and_then_from_the_log(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((1, 0, 1.0), (1, 5, 2.0), (2, 0, 7.0)))
    await plant.log(block((1, 6, 3.0)))
    async for found in api.until("/current", vessel="BR101"):
        if found["value"][found["tag"].index("BR101/TIC-101.PV")] == 3.0:
            break
    by_tag = dict(zip(found["tag"], found["value"], strict=True))
    assert by_tag == {
        "BR101/AIC-101.PV": 7.0,
        "BR101/BatchId": None,
        "BR101/Phase": None,
        "BR101/TIC-101.PV": 3.0,
        "BR101/XV-101": None,
    }
    at = found["tag"].index("BR101/TIC-101.PV")
    assert found["time"][at] == "2026-09-21T14:13:26Z"
    assert abs(found["age_s"][at] - (now_us() - T0 - 6 * S) / S) < 30
    assert (found["unit"][at], found["status"][at]) == ("Cel", 0)
    assert (found["complete"], found["gaps"]) == (True, [])


async def test_an_older_or_future_reading_is_not_the_current_one(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((1, 10, 1.0)))
    await plant.put(block((1, 100, 9.0), ago_s=-60))
    await plant.log(block((1, 5, 2.0), (1, 200, 3.0), ago_s=-60))
    await plant.log(block((2, 0, 4.0)))
    async for found in api.until("/current", tag=["1", "2"]):
        if found["value"][1] == 4.0:
            break
    assert found["value"] == [1.0, 4.0]


async def test_a_gap_that_lasts_is_with_the_current_values(
    plant: StoredPlant, api: Client
) -> None:
    cause = GapCause.SERVER_UNREACHABLE
    await plant.declare(Gap("plc1", cause, T0, None))
    async for found in api.until("/current", tag=["1", "11"]):
        if found["gaps"]:
            break
    assert (found["complete"], found["completeness"]) == (False, 0.5)
    assert found["gaps"][0]["start"] == ISO0
    closed = Message(*encode_gap(Gap("plc1", cause, T0, T0 + S)))
    await plant.bus.append(plant.at, [closed])
    async for found in api.until("/current", tag=["1", "11"]):
        if not found["gaps"]:
            break
    assert found["complete"]


Event = dict[str, Any]


@asynccontextmanager
async def streaming(
    api: Client, last: str | None = None, **parameters: Any
) -> AsyncIterator[AsyncIterator[Event]]:
    """Give the events of a stream, after it has begun to follow."""
    headers = {} if last is None else {"Last-Event-ID": last}
    async with (
        asyncio.timeout(60),
        api.http.stream("GET", "/stream", params=parameters, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        events = _events(answer.aiter_lines())
        if last is None:
            assert (await anext(events))["comment"] == "following"
        yield events


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    event: Event = {}
    async for line in lines:
        name, _, said = line.partition(": ")
        if not line:
            yield event
            event = {}
        elif name == "data":
            event[name] = json.loads(said)
        elif name != "retry":
            event[name or "comment"] = said


async def told(events: AsyncIterator[Event]) -> Event:
    """Return the next event that is no comment."""
    while "data" not in (event := await anext(events)):
        pass
    return event


async def test_new_readings_are_streamed_as_they_are_logged(
    plant: StoredPlant, api: Client
) -> None:
    async with streaming(api) as events:
        await plant.log(block((1, 0, 1.5), (3, 1, "B-1"), (1, 2, None)))
        event = await anext(events)
    assert event["event"] == "readings"
    assert event["data"] == {
        "type": "readings",
        "origin": "live",
        "tag": ["BR101/TIC-101.PV", "BR101/TIC-101.PV", "BR101/BatchId"],
        "id": [1, 1, 3],
        "time": [ISO0, "2026-09-21T14:13:22Z", "2026-09-21T14:13:21Z"],
        "value": [1.5, None, None],
        "status": [0, 0, 0],
        "tie": [0, 2, 1],
        "text": [None, None, "B-1"],
    }


async def test_a_stream_has_only_the_vessels_or_tags_asked_for(
    plant: StoredPlant, api: Client
) -> None:
    async with (
        streaming(api, vessel="BR102") as vessel,
        streaming(api, tag=["2"]) as tag,
    ):
        await plant.log(block((1, 0, 1.0)))
        await plant.log(block((1, 0, 1.0), (11, 0, 2.0), (2, 0, 3.0)))
        assert (await anext(vessel))["data"]["value"] == [2.0]
        assert (await anext(tag))["data"]["value"] == [3.0]


async def test_declared_gaps_are_streamed(plant: StoredPlant, api: Client) -> None:
    async with streaming(api, vessel="BR101") as events:
        gap = Gap("plc1", GapCause.QUEUE_OVERFLOW, T0, T0 + S, (1,), 3)
        await plant.declare(gap)
        event = await anext(events)
    assert event["event"] == "gap"
    assert (event["data"]["tags"], event["data"]["count"]) == (["BR101/TIC-101.PV"], 3)


async def test_a_client_that_comes_back_gets_what_it_missed(
    plant: StoredPlant, api: Client
) -> None:
    async with streaming(api) as events:
        await plant.log(block((1, 0, 0.0)))
        last = (await anext(events))["id"]
    for i in range(1, 6):
        await plant.log(block((1, i, float(i))))
    async for found in api.until("/current", tag="1"):
        if found["value"] == [5.0]:
            break
    async with streaming(api, last) as events:
        missed = [(await anext(events))["data"]["value"] for _ in range(5)]
        assert (await anext(events))["comment"] == "following"
        await plant.log(block((1, 6, 6.0)))
        after = await anext(events)
    assert missed == [[1.0], [2.0], [3.0], [4.0], [5.0]]
    assert after["data"]["value"] == [6.0]


async def test_a_place_of_another_log_is_said_to_be_lost(
    plant: StoredPlant, api: Client
) -> None:
    async with streaming(api) as events:
        await plant.log(block((1, 0, 0.0)))
        last = (await anext(events))["id"]
    epoch = plant.next.epoch if plant.next else ""
    async with streaming(api, last.replace(epoch, "another")) as events:
        lost = await anext(events)
        assert (await anext(events))["comment"] == "following"
    assert (lost["event"], lost["data"]["count"]) == ("lost", None)
    assert "another" in lost["data"]["reason"]
    assert lost["id"] == last


async def test_an_event_id_that_is_none_is_refused(api: Client) -> None:
    answer = await api.http.get("/stream", headers={"Last-Event-ID": "7"})
    assert answer.status_code == 400
    assert "Last-Event-ID '7'" in answer.json()["detail"]


async def test_an_event_is_streamed_and_then_listed(
    plant: StoredPlant, api: Client
) -> None:
    alarm = raised(T0)
    async with streaming(api, vessel="BR101") as events:
        await plant.say(raised(T0, "BR102"), detected(T0))
        await plant.say(alarm, began(T0, "BR102"), began(T0), changed(T0))
        got = [await anext(events) for _ in range(3)]
    assert [event["event"] for event in got] == ["alarm", "batch", "change"]
    assert [event["data"]["type"] for event in got] == ["alarm", "batch", "change"]
    said = got[0]["data"]
    assert (said["alarm"], said["state"]) == (alarm.alarm, "unacknowledged")
    assert said["explanation"]["advice"] == "Look at the jacket."
    assert said["simulated"]
    await plant.put_events(alarm)
    journal = (await api.get(f"/alarms/{alarm.alarm}"))["journal"]
    assert journal == [said]


async def test_a_stream_has_only_the_types_asked_for(
    plant: StoredPlant, api: Client
) -> None:
    async with (
        streaming(api, type=["alarm", "detection"], tag="1") as some,
        streaming(api, type="readings") as readings,
    ):
        await plant.say(began(T0), detected(T0), raised(T0, "BR102"), raised(T0))
        await plant.log(block((1, 0, 1.0)))
        got = [(await anext(some))["event"] for _ in range(2)]
        assert got == ["detection", "alarm"]
        assert (await anext(readings))["event"] == "readings"


async def test_a_client_that_comes_back_gets_the_events_it_missed(
    plant: StoredPlant, api: Client
) -> None:
    async with streaming(api) as events:
        await plant.log(block((1, 0, 0.0)))
        last = (await anext(events))["id"]
    alarm = raised(T0)
    acknowledged = went_on(alarm, Cause.ACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
    await plant.say(alarm, acknowledged)
    async with streaming(api, last) as events:
        first, second = await told(events), await told(events)
    assert (first["data"]["cause"], second["data"]["cause"]) == (
        "raised",
        "acknowledged",
    )
    async with streaming(api, first["id"], type="alarm") as events:
        assert (await told(events))["data"] == second["data"]
