"""The same answers from a TimescaleDB hypertable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.settings import ApiSettings
from shared.settings import BusSettings, DatabaseSettings
from tests.integration.api.conftest import served, stored_plant
from tests.integration.api.stored import ISO0, Row, block

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timescale
async def test_recorded_and_summary_over_several_chunks(
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
