"""A target of pushes that takes nothing is seen; the services' role is enough."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from shared.store.outbox import open_outbox
from shared.store.pool import open_connection
from tests.integration.api.conftest import served
from tests.integration.api.stored import T0, Client, StoredPlant, block
from tests.neighbours.said import raised

if TYPE_CHECKING:
    from services.api.settings import ApiSettings

TARGET = "webhook oncall"


async def push_check(api: Client, *, ok: bool) -> dict[str, Any]:
    """Return the check of the target as soon as it is green or red."""
    async for _ in api.until("/health/live"):
        answer = await api.http.get("/health/ready")
        found = [c for c in answer.json()["checks"] if c["name"] == f"push {TARGET}"]
        if found and found[0]["ok"] == ok:
            assert answer.status_code == 503  # the heartbeats are red here anyhow
            assert (f"push {TARGET}" in answer.json()["red"]) != ok
            break
    check: dict[str, Any] = found[0]
    return check


async def test_a_target_that_takes_nothing_turns_readiness_red_and_says_why(
    plant: StoredPlant, settings: ApiSettings, api: Client
) -> None:
    async with open_outbox(settings.database) as outbox:
        await outbox.register([TARGET])
        await plant.put_events(raised(T0, priority=1))
        assert await push_check(api, ok=True)
        (target,) = (await api.get("/pushes"))["targets"]
        assert (target["waiting"], target["stuck"], target["error"]) == (1, False, "")
        async with open_connection(settings.database) as connection:
            await connection.execute(
                "update push set put_at = put_at - '61 s'::interval"
            )
        red = await push_check(api, ok=False)
        assert red["age_s"] > 60
        assert red["detail"].endswith("never tried: is the notifier running?")
        (push,) = await outbox.due(TARGET, 9)
        await outbox.failed(push, "HTTP 503, expected 2xx", timedelta())
        (target,) = (await api.get("/pushes"))["targets"]
        assert target["target"] == TARGET
        assert (target["stuck"], target["attempts"]) == (True, 1)
        assert target["error"] == "HTTP 503, expected 2xx"
        await outbox.delivered(push)
        assert (await push_check(api, ok=True))["detail"] == ""
        await outbox.register([])
    (target,) = (await api.get("/pushes"))["targets"]
    assert (target["active"], target["delivered"], target["waiting"]) == (False, 1, 0)


async def test_a_user_with_only_the_services_role_answers_and_pushes(
    plant: StoredPlant, settings: ApiSettings
) -> None:
    alarm = raised(T0, priority=1)
    await plant.put(block((1, 0, 1.0), (100, 0, 1.0)))
    namespace = settings.database.namespace
    async with open_connection(settings.database) as connection:
        await connection.execute(
            f"create user {namespace}_api password 'of-a-test'"
            f" in role {namespace}_services"
        )
    where = settings.database.dsn.get_secret_value().rpartition("@")[2]
    dsn = SecretStr(f"postgresql://{namespace}_api:of-a-test@{where}")
    database = settings.database.model_copy(update={"dsn": dsn})
    async with open_outbox(database) as outbox:
        await outbox.register([TARGET])
        await plant.put_events(alarm)
        (push,) = await outbox.due(TARGET, 9)
        await outbox.delivered(push)
    modest = settings.model_copy(update={"database": database})
    async with served(modest) as api:
        assert (await api.get("/pushes"))["targets"][0]["delivered"] == 1
        (listed,) = (await api.get("/alarms"))["alarms"]
        assert listed["alarm"] == alarm.alarm
        readings = await api.get("/recorded", tag="1", start="*-365d")
        assert readings["value"] == [1.0]
        for path in ("/tags", "/batches", "/gaps", "/events", "/detections"):
            over = {} if path in {"/tags", "/batches"} else {"start": "*-1d"}
            await api.get(path, **over)
        acknowledged = await api.post(f"/alarms/{alarm.alarm}/acknowledge")
        assert acknowledged["repeated"] is False
