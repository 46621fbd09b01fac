"""The same answers from a TimescaleDB hypertable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.settings import ApiSettings
from shared.events import AlarmState, Cause
from shared.settings import BusSettings, DatabaseSettings
from tests.integration.api.conftest import served, stored_plant
from tests.integration.api.stored import ISO0, T0, Row, block
from tests.neighbours.said import began, changed, detected, raised, went_on

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timescale
async def test_recorded_summary_and_alarms_are_answered_as_from_plain_tables(
    timescale_dsn: str, tmp_path: Path, fresh: str
) -> None:
    settings = ApiSettings(
        bus=BusSettings(url=f"local:{tmp_path / 'log'}"),
        database=DatabaseSettings.model_validate(
            {"dsn": timescale_dsn, "namespace": fresh}
        ),
    )
    hours = range(0, 96, 2)
    rows: list[Row] = [(1, hour * 3600, float(hour)) for hour in hours]
    asked = {"tag": "1", "start": ISO0, "end": "2026-09-25T14:13:20Z"}
    async with stored_plant(settings) as plant, served(settings) as api:
        await plant.put(block(*rows))
        found = await api.get("/recorded", **asked)
        assert found["value"] == [float(hour) for hour in hours]
        late = await api.get(
            "/recorded",
            tag="1",
            start="2026-09-24T15:13:20Z",
            end="2026-09-24T15:23:20Z",
            boundary="outside",
        )
        assert late["value"] == [72.0, 74.0]
        days = await api.get("/summary", type="average", interval="1d", **asked)
        assert days["average"]["value"][:3] == pytest.approx([12.0, 36.0, 60.0])
        async for now in api.until("/current", tag="1"):
            if now["value"] == [94.0]:
                break
        alarm = raised(T0)
        seen = went_on(alarm, Cause.ACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
        await plant.put_events(alarm, seen, began(T0), changed(T0), detected(T0))
        (listed,) = (await api.get("/alarms", priority=2))["alarms"]
        assert listed["state"] == "acknowledged"
        (then,) = (await api.get("/alarms", at="2026-09-21T14:13:25Z"))["alarms"]
        assert then["state"] == "unacknowledged"
        day = {"start": ISO0, "end": "2026-09-22T14:13:20Z"}
        for path, noun, count in (
            ("/alarms/journal", "journal", 2),
            ("/detections", "detections", 1),
            ("/events", "events", 2),
        ):
            assert len((await api.get(path, **day))[noun]) == count
