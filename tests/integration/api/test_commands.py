"""Commands on alarms: onto the log, exactly once, and who may send them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr, ValidationError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from services.api.app import PARTS, create_app
from services.api.moments import iso, now_us
from services.api.settings import ApiSettings
from services.ingest.archive.service import run_archiver
from services.ingest.archive.settings import ArchiverSettings
from shared.bus import Record
from shared.events import AlarmState, Cause, Command, CommandKind
from shared.wire_events import decode_command
from tests.integration.api.conftest import served
from tests.integration.api.stored import T0, Client, S, StoredPlant
from tests.neighbours.said import raised, went_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ALARM = raised(T0)
PATH = f"/alarms/{ALARM.alarm}"
ROLES = ("viewer", "operator", "engineer", "qa", "admin")
ACTING = {"operator", "engineer", "admin"}
RESTRICTED = {
    "POST /alarms/{alarm}/acknowledge": ACTING,
    "POST /alarms/{alarm}/shelve": ACTING,
    "POST /alarms/{alarm}/unshelve": ACTING,
    "POST /alarms/{alarm}/reset": ACTING,
    "POST /alarms/{alarm}/take-out-of-service": {"engineer", "admin"},
    "POST /alarms/{alarm}/put-back-in-service": {"engineer", "admin"},
    "POST /alarms/{alarm}/comment": ACTING | {"qa"},
}
"""Who may; every other path may be read by all who have a key."""
SOCKET = "WEBSOCKET"
OPEN = {"GET /health/live", "GET /health/ready"}


async def logged(plant: StoredPlant) -> list[Command]:
    """Return every command on the log."""
    start, head = await plant.bus.start(plant.at), await plant.bus.head(plant.at)
    found: list[Command] = []
    offset = start.offset
    async with plant.bus.reader({plant.at: start}) as reader:
        while offset < head.offset:
            for item in await reader.poll(max_bytes=1 << 20, timeout_s=5):
                assert isinstance(item, Record)
                offset = item.position.offset + 1
                if item.headers["kind"] == "command":
                    found.append(decode_command(item.value))
    return found


async def test_a_command_is_on_the_log_when_it_is_answered(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put_events(ALARM)
    before = now_us()
    head = await plant.bus.head(plant.at)
    answer = await api.post(f"{PATH}/acknowledge", X_Fedbatch_Actor="Anna B.")
    (command,) = await logged(plant)
    assert command == Command(
        id=answer["id"],
        kind=CommandKind.ACKNOWLEDGE,
        alarm=ALARM.alarm,
        actor="unauthenticated:Anna B.",
        time=command.time,
    )
    assert before <= command.time <= now_us()
    assert answer == {
        "id": command.id,
        "kind": "acknowledge",
        "alarm": ALARM.alarm,
        "vessel": "BR101",
        "actor": "unauthenticated:Anna B.",
        "time": iso(command.time),
        "comment": "",
        "until": None,
        "repeated": False,
        "place": f"0:{head.offset}@{head.epoch}",
    }


async def test_every_command_is_logged_with_what_was_said(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put_events(ALARM)
    await api.post(f"{PATH}/shelve", {"minutes": 30, "comment": "probe swap"})
    await api.post(f"{PATH}/shelve", {"until": "*+8h", "comment": " night "})
    await api.post(f"{PATH}/unshelve", {"comment": "done"})
    await api.post(f"{PATH}/reset")
    await api.post(f"{PATH}/take-out-of-service", {"comment": "probe away"})
    await api.post(f"{PATH}/put-back-in-service")
    await api.post(f"{PATH}/comment", {"comment": "see deviation 17"})
    commands = await logged(plant)
    assert [(one.kind, one.comment) for one in commands] == [
        ("shelve", "probe swap"),
        ("shelve", "night"),
        ("unshelve", "done"),
        ("reset", ""),
        ("take-out-of-service", "probe away"),
        ("put-back-in-service", ""),
        ("comment", "see deviation 17"),
    ]
    assert {one.actor for one in commands} == {"unauthenticated:operator"}
    assert len({one.id for one in commands}) == 7
    shelves = [one.until - one.time for one in commands[:2] if one.until]
    assert shelves == [
        pytest.approx(1_800 * S, abs=S),
        pytest.approx(8 * 3_600 * S, abs=S),
    ]


async def test_a_repeat_with_the_same_key_is_the_same_command(
    plant: StoredPlant, settings: ApiSettings, api: Client
) -> None:
    await plant.put_events(ALARM)
    first = await api.post(f"{PATH}/acknowledge", Idempotency_Key="a")
    again = await api.post(f"{PATH}/acknowledge", Idempotency_Key="a")
    assert again == {**first, "repeated": True}
    assert len(await logged(plant)) == 1
    other = await api.post(f"{PATH}/reset", Idempotency_Key="a")
    assert other["id"] != first["id"]
    async with served(settings) as restarted:
        once_more = await restarted.post(f"{PATH}/acknowledge", Idempotency_Key="a")
    assert once_more["id"] == first["id"]
    assert [one.id for one in await logged(plant)] == [
        first["id"],
        other["id"],
        first["id"],
    ]


async def test_an_alarm_that_is_not_stored_yet_can_be_commanded(
    plant: StoredPlant, api: Client
) -> None:
    await plant.say(ALARM)
    async for _ in api.until("/health/live"):
        if (await api.http.post(f"{PATH}/acknowledge")).status_code == 202:
            break
    assert [one.alarm for one in await logged(plant)] == [ALARM.alarm]


async def test_a_log_that_is_away_is_503_and_nothing_is_promised(
    plant: StoredPlant, api: Client, tmp_path: Path
) -> None:
    await plant.put_events(ALARM)
    async for found in api.until("/current", tag="1"):
        if not found["log_trouble"]:
            break
    log = tmp_path / "log" / "plant"
    log.rename(tmp_path / "away")
    log.write_text("in the way")
    answer = await api.http.post(f"{PATH}/acknowledge")
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "urn:fedbatch:unavailable"
    log.unlink()
    (tmp_path / "away").rename(log)
    assert (await api.post(f"{PATH}/acknowledge"))["repeated"] is False
    assert len(await logged(plant)) == 1


REFUSALS: list[tuple[str, object, dict[str, str], int, str]] = [
    ("/alarms/none/acknowledge", None, {}, 404, "an id of /alarms"),
    (f"{PATH}/shelve", None, {}, 400, "body"),
    (f"{PATH}/shelve", {"minutes": 5}, {}, 400, "comment"),
    (f"{PATH}/shelve", {"minutes": 5, "comment": "  "}, {}, 400, "comment"),
    (f"{PATH}/shelve", {"comment": "x"}, {}, 400, "until (a time) or minutes"),
    (f"{PATH}/shelve", {"comment": "x", "minutes": 0}, {}, 400, "minutes"),
    (f"{PATH}/shelve", {"comment": "x", "until": "*-1h"}, {}, 400, "next 7 days"),
    (f"{PATH}/shelve", {"comment": "x", "until": "*+8d"}, {}, 400, "next 7 days"),
    (
        f"{PATH}/shelve",
        {"comment": "x", "until": "2030-01-01T00:00:00"},
        {},
        400,
        "no UTC offset",
    ),
    (f"{PATH}/take-out-of-service", {"comment": " "}, {}, 400, "comment"),
    (f"{PATH}/comment", {"comment": "a\0b"}, {}, 400, "comment"),
    (f"{PATH}/comment", {"comment": "x" * 1_001}, {}, 400, "comment"),
    (f"{PATH}/acknowledge", {"coment": "x"}, {}, 400, "coment"),
    (f"{PATH}/acknowledge?why=x", None, {}, 400, "parameter 'why'"),
    (f"{PATH}/acknowledge", None, {"X-Fedbatch-Actor": "a:b"}, 400, "actor"),
    (f"{PATH}/acknowledge", None, {"Idempotency-Key": ""}, 400, "key"),
    (f"{PATH}/silence", None, {}, 404, "Not Found"),
    (f"{PATH}/acknowledge", None, {"Origin": "http://evil.example"}, 403, "Origin"),
]
"""Path, body, headers; status and words of the answer."""


async def test_a_wrong_command_is_refused_and_not_logged(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put_events(ALARM)
    for path, body, headers, status, words in REFUSALS:
        answer = await api.http.post(path, json=body, headers=headers)
        assert answer.status_code == status, (path, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert words in answer.json()["detail"]
    assert await logged(plant) == []


def with_keys(settings: ApiSettings) -> ApiSettings:
    """Return settings with a key for each role, and one without a role."""
    names = (*ROLES, "nobody")
    keys = {name: SecretStr(f"the-key-of-{name:->12}") for name in names}
    roles = {name: name for name in ROLES}
    return ApiSettings.model_validate(
        settings.model_dump() | {"keys": keys, "roles": roles}
    )


def bearer(settings: ApiSettings, name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {settings.keys[name].get_secret_value()}"}


def every_route(settings: ApiSettings) -> Iterator[tuple[str, str]]:
    """Yield method and path of everything that the app serves."""
    routes: list[Any] = []
    app = create_app(settings, lambda error: None)

    def walk(found: Sequence[Any]) -> None:
        for route in found:
            inner = getattr(route, "original_router", None)
            if inner is None:
                routes.append(route)
            else:
                walk(inner.routes)

    walk(app.routes)
    assert len(routes) == sum(len(part.router.routes) for part in PARTS)
    for route in routes:
        for method in getattr(route, "methods", (SOCKET,)):
            yield method, route.path


async def test_every_route_is_refused_to_everyone_who_may_not(
    plant: StoredPlant, settings: ApiSettings
) -> None:
    await plant.put_events(ALARM)
    locked = with_keys(settings)
    seen = set()
    async with served(locked) as client:
        for method, template in every_route(locked):
            path = template.replace("{alarm}", ALARM.alarm)
            seen.add(name := f"{method} {template}")

            async def status(
                headers: dict[str, str], method: str = method, path: str = path
            ) -> int:
                if method == SOCKET:
                    return await opened(client, path, headers)
                asking = client.http.stream(method, path, headers=headers)
                async with asking as answer:
                    return answer.status_code

            assert (await status({}) == 401) == (name not in OPEN), name
            assert (await status({"authorization": "Bearer x"}) == 401) == (
                name not in OPEN
            ), name
            may = {
                role
                for role in (*ROLES, "nobody")
                if await status(bearer(locked, role)) not in {401, 403}
            }
            assert may == RESTRICTED.get(name, {*ROLES, "nobody"}), name
    assert seen > RESTRICTED.keys() | OPEN
    reading = tuple(f"{method} /" for method in ("GET", "HEAD", SOCKET))
    assert {name for name in seen if not name.startswith(reading)} == set(RESTRICTED)
    assert f"{SOCKET} /stream" in seen


async def opened(client: Client, path: str, headers: dict[str, str]) -> int:
    """Return the status with which a WebSocket is answered."""
    url = str(client.http.base_url).replace("http", "ws", 1).rstrip("/") + path
    try:
        async with connect(url, proxy=None, additional_headers=headers):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_the_actor_of_a_command_is_whose_key_it_was(
    plant: StoredPlant, settings: ApiSettings
) -> None:
    await plant.put_events(ALARM)
    locked = with_keys(settings)
    async with served(locked) as client:
        path = f"{PATH}/comment"
        said = {"comment": "seen"}
        answer = await client.post(
            path, said, **bearer(locked, "qa"), X_Fedbatch_Actor="admin"
        )
        assert answer["actor"] == "qa"
        refused = await client.http.post(
            f"{PATH}/reset", headers=bearer(locked, "nobody")
        )
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (403, "urn:fedbatch:role")
    assert "viewer may not" in problem["detail"]
    assert "admin, engineer, operator" in problem["detail"]
    assert [one.actor for one in await logged(plant)] == ["qa"]


def test_a_role_needs_a_key_and_a_right_name(settings: ApiSettings) -> None:
    body = settings.model_dump()
    with pytest.raises(ValidationError, match="roles of anna: expected names that"):
        ApiSettings.model_validate(body | {"roles": {"anna": "operator"}})
    with pytest.raises(ValidationError, match="'viewer', 'operator', 'engineer'"):
        ApiSettings.model_validate(
            body | {"keys": {"anna": "x" * 16}, "roles": {"anna": "boss"}}
        )


async def test_what_is_said_on_the_log_is_listed_by_way_of_the_real_archiver(
    plant: StoredPlant, settings: ApiSettings, api: Client
) -> None:
    acknowledged = went_on(ALARM, Cause.ACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
    archiving = asyncio.create_task(
        run_archiver(ArchiverSettings(bus=settings.bus, database=settings.database))
    )
    for said in (ALARM, acknowledged):
        await plant.say(said)
        async for found in api.until("/alarms", state=said.after):
            if found["alarms"]:
                break
        assert [alarm["alarm"] for alarm in found["alarms"]] == [ALARM.alarm]
    archiving.cancel()
    with suppress(asyncio.CancelledError):
        await archiving
