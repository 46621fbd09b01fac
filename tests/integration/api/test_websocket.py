"""The stream over a WebSocket: a real client, the real server, a real log."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from shared.events import AlarmState, Cause
from tests.integration.api.conftest import served
from tests.integration.api.stored import ISO0, T0, Client, StoredPlant, block
from tests.integration.api.test_commands import bearer, with_keys
from tests.integration.api.test_current_and_stream import streaming, told
from tests.neighbours.said import raised, went_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.client import ClientConnection

    from services.api.settings import ApiSettings

Message = dict[str, Any]


def address(api: Client, query: str = "") -> str:
    return str(api.http.base_url).replace("http", "ws", 1).rstrip("/") + (
        f"/stream{query}"
    )


@asynccontextmanager
async def listening(
    api: Client, query: str = "", **options: Any
) -> AsyncIterator[ClientConnection]:
    """Give a client that has begun to follow."""
    async with (
        asyncio.timeout(60),
        connect(address(api, query), proxy=None, max_size=None, **options) as client,
    ):
        yield client


async def heard(client: ClientConnection) -> Message:
    """Return the next message that has data."""
    while (message := json.loads(await client.recv()))["data"] is None:
        pass
    body: Message = message
    return body


async def follows(client: ClientConnection) -> str:
    """Return the id with which the client begins to follow."""
    message = json.loads(await client.recv())
    assert (message["event"], message["data"]) == ("following", None)
    return str(message["id"])


async def test_a_socket_tells_what_the_stream_tells(
    plant: StoredPlant, api: Client
) -> None:
    async with (
        streaming(api, vessel="BR101") as events,
        listening(api, "?vessel=BR101") as client,
    ):
        await follows(client)
        await plant.log(block((1, 0, 1.5), (11, 0, 9.0)))
        readings, streamed = await heard(client), await told(events)
        await plant.say(raised(T0, "BR102"), raised(T0))
        alarm, also = await heard(client), await told(events)
    assert readings["data"]["time"] == [ISO0]
    assert readings["data"]["tag"] == ["BR101/TIC-101.PV"]
    for message, event in ((readings, streamed), (alarm, also)):
        assert message == event
    assert alarm["data"]["explanation"]["advice"] == "Look at the jacket."


async def test_who_comes_back_again_and_again_misses_nothing_and_hears_nothing_twice(
    plant: StoredPlant, api: Client
) -> None:
    count, every = 120, 120 + 120 // 6
    async with listening(api) as client:
        last = await follows(client)
    got: list[Message] = []
    writing = asyncio.create_task(write(plant, count))
    for tries in itertools.count(1):
        async with listening(api, f"?last_event_id={last}") as client:
            for _ in range(min(tries % 9, every - len(got))):
                message = await heard(client)
                last = message["id"]
                got.append(message["data"])
            client.transport.abort()  # like a cable that is pulled out
        if len(got) == every:
            break
    await writing
    rows = [row for data in got if data["type"] == "readings" for row in data["value"]]
    assert rows == [float(i) for i in range(count)]
    times = [data["time"] for data in got if data["type"] == "alarm"]
    assert len(times) == count // 6
    assert times == sorted(set(times))


async def write(plant: StoredPlant, count: int) -> None:
    """Log so many readings, and an alarm's change with every sixth."""
    alarm = raised(T0)
    for i in range(count):
        await plant.log(block((1, i, float(i))))
        if i % 6 == 0:
            await plant.say(alarm)
            alarm = went_on(alarm, Cause.REVISED, AlarmState.ACKNOWLEDGED)


async def test_the_ids_of_stream_and_socket_are_the_same_tokens(
    plant: StoredPlant, api: Client
) -> None:
    async with listening(api) as client:
        last = await follows(client)
    await plant.log(block((1, 0, 0.0)))
    await plant.log(block((1, 1, 1.0)))
    async with streaming(api, last) as events:
        first = await told(events)
    assert first["data"]["value"] == [0.0]
    headers = {"Last-Event-ID": first["id"]}
    async with listening(api, additional_headers=headers) as client:
        assert (await heard(client))["data"]["value"] == [1.0]


async def test_what_was_not_for_a_client_is_not_read_again_when_it_comes_back(
    plant: StoredPlant, api: Client
) -> None:
    async with listening(api, "?type=alarm") as client:
        await follows(client)
        for i in range(5):
            await plant.log(block((1, i, float(i))))
        async for found in api.until("/current", tag="1"):
            if found["value"] == [4.0]:
                break
        await plant.say(raised(T0))
        last = (await heard(client))["id"]
    head = await plant.bus.head(plant.at)
    assert f"0:{head.offset}@{head.epoch}" in last.split(",")


async def test_a_client_that_does_not_read_is_told_how_much_it_missed(
    plant: StoredPlant, api: Client
) -> None:
    large = block(*((1, i / 100, float(i)) for i in range(5_000)))
    sent = 24 * len(large) + 300
    slow = narrow(api)
    async with listening(api, "?type=readings", max_queue=1, sock=slow) as client:
        for _ in range(24):  # more than all buffers on the way hold
            await plant.log(large)
        for i in range(300):
            await plant.log(block((2, i, float(i))))
        async for found in api.until("/current", tag="2"):
            if found["value"] == [299.0]:
                break
        rows, lost = 0, 0
        await follows(client)
        while rows + lost < sent:
            message = await heard(client)
            if message["event"] == "lost":
                lost = message["data"]["count"]
            else:
                rows += len(message["data"]["value"])
    assert rows + lost == sent
    assert "too slowly" in message["data"]["reason"]
    back = f"?type=readings&last_event_id={message['id']}"
    async with listening(api, back) as client:
        while rows < sent:
            rows += len((await heard(client))["data"]["value"])
    assert rows == sent


def narrow(api: Client) -> socket.socket:
    """Return a connected socket that takes little before it is read."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    opened.connect(("127.0.0.1", api.http.base_url.port))
    opened.setblocking(False)
    return opened


async def test_a_client_that_speaks_is_let_go(plant: StoredPlant, api: Client) -> None:
    assert plant.next is not None
    async with listening(api) as client:
        await follows(client)
        await client.send("hello")
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        1008,
        "expected no message from the client",
    )


async def test_an_api_that_stops_says_so(
    plant: StoredPlant, settings: ApiSettings
) -> None:
    assert plant.next is not None
    async with asyncio.timeout(30):
        async with served(settings) as api:
            client = await connect(address(api), proxy=None)
            await follows(client)
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
        await client.close()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


REFUSED: list[tuple[str, dict[str, str], int, str]] = [
    ("?tag=BR101/none", {}, 404, "BR101/none"),
    ("?tga=1", {}, 400, "parameter 'tga'"),
    ("?type=all", {}, 400, "'readings', 'gap'"),
    ("?last_event_id=7", {}, 400, "expected the id of an event"),
    ("", {"Origin": "http://evil.example"}, 403, "Origin 'http://evil.example'"),
    ("", {"Origin": "null"}, 403, "Origin 'null'"),
]
"""Query, headers; status and words of the answer."""


async def refusal(address: str, headers: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        await connect(address, proxy=None, additional_headers=headers)
    response = refused.value.response
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, str(json.loads(response.body or b"")["detail"])


async def test_a_socket_that_is_asked_for_wrongly_is_refused_as_a_problem(
    plant: StoredPlant, api: Client
) -> None:
    assert plant.next is not None
    for query, headers, status, words in REFUSED:
        found, said = await refusal(address(api, query), headers)
        assert (found, words in said) == (status, True), (query, headers, said)


async def test_a_socket_needs_a_key_and_no_foreign_page(
    plant: StoredPlant, settings: ApiSettings
) -> None:
    assert plant.next is not None
    locked = with_keys(settings)
    async with served(locked) as api:
        port = api.http.base_url.port
        own = {"Origin": f"http://127.0.0.1:{port}"}
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer nobodys"}, 401),
            (own, 401),
            ({**bearer(locked, "viewer"), "Origin": "http://evil.example"}, 403),
        ):
            assert (await refusal(address(api), headers))[0] == status
        for role in ("viewer", "operator", "engineer", "qa", "admin", "nobody"):
            headers = {**bearer(locked, role), **own}
            async with listening(api, additional_headers=headers) as client:
                await follows(client)
