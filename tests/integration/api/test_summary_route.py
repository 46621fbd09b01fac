from __future__ import annotations

from shared.domain import Gap, GapCause
from tests.integration.api.stored import ISO0, T0, Client, Row, S, StoredPlant, block

_H2: list[tuple[float, float | None, int]] = [
    (0, None, 0x809B0000),
    (2, 10, 0),
    (25, 20, 0),
    (28, 25, 0),
    (39, 30, 0),
    (42, None, 0x80000000),
    (48, 40, 0),
    (52, 50, 0),
    (72, 60, 0),
    (77, 70, 0x40000000),
    (83, 70, 0),
    (86, 80, 0),
    (90, 90, 0),
]
RANGE = {"start": ISO0, "end": "2026-09-21T14:15:00Z"}


async def test_averages_agree_with_the_oracle_of_part_13(
    plant: StoredPlant, api: Client
) -> None:
    rows: list[Row] = [(1, at, value) for at, value, _ in _H2]
    await plant.put(block(*rows, status=[status for *_, status in _H2]))
    found = await api.get(
        "/summary",
        tag="BR101/TIC-101.PV",
        interval="5s",
        type=["average-interpolated", "average", "count", "min"],
        **RANGE,
    )
    assert len(found["time"]) == 20
    assert found["time"][1] == "2026-09-21T14:13:25Z"
    assert found["end_time"][0] == "2026-09-21T14:13:25Z"
    averages = [round(v, 3) for v in found["average-interpolated"]["value"] if v]
    assert averages[9] == 40.0
    assert (averages[0], averages[7], averages[8]) == (10.652, 29.384, 33.889)
    assert found["average-interpolated"]["status"][9] == 0x40A40401
    assert found["statuses"]["1084490753"] == "UncertainDataSubNormal, Calculated"
    assert found["average"]["value"][9] == 42.5
    assert found["percent-good"]["value"][8] == 40
    assert found["count"]["value"][:5] == [1, 0, 0, 0, 0]
    assert found["min"]["time"][0] == "2026-09-21T14:13:22Z"
    assert (found["min"]["value"][1], found["min"]["time"][1]) == (None, None)


async def test_the_value_before_the_range_is_used(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((1, -100, 0.0), (1, 100, 200.0)))
    found = await api.get("/summary", tag="1", type="average", **RANGE)
    assert found["average"]["value"] == [150.0]
    assert found["average"]["status"] == [0x401]


async def test_a_gap_before_the_range_ends_what_is_known(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((1, -100, 0.0), (1, 50, 50.0), (1, 100, 100.0)))
    cause = GapCause.SERVER_UNREACHABLE
    await plant.declare(Gap("plc1", cause, T0 - 90 * S, T0 - 10 * S))
    found = await api.get("/summary", tag="1", type="average", **RANGE)
    assert found["average"]["value"] == [75.0]
    assert found["percent-good"]["value"] == [50]
    assert found["gaps"] == []


async def test_a_value_reported_on_change_holds_while_heartbeats_come(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((5, -1000, 1.0), (100, 80, 1.0)))
    found = await api.get("/summary", tag="5", type="average", **RANGE)
    assert found["average"]["value"] == [1.0]
    assert found["percent-good"]["value"] == [80]


async def test_summaries_come_as_csv_and_rows(plant: StoredPlant, api: Client) -> None:
    await plant.put(block((1, 0, 1.0), (1, 50, 3.0), (1, 100, 3.0)))
    asked = {"tag": "1", "type": ["max", "average"], "interval": "50s", **RANGE}
    response = await api.http.get(
        "/summary", params={"format": "csv", "comments": False, **asked}
    )
    assert response.text.splitlines() == [
        "time,end_time,average.value,average.status,max.value,max.status,max.time,"
        "percent-good.value,percent-good.status",
        "2026-09-21T14:13:20.000000Z,2026-09-21T14:14:10.000000Z,2.0,1025,1.0,1025,"
        "2026-09-21T14:13:20.000000Z,100.0,1025",
        "2026-09-21T14:14:10.000000Z,2026-09-21T14:15:00.000000Z,3.0,1025,3.0,1025,"
        "2026-09-21T14:14:10.000000Z,100.0,1025",
    ]
    rows = (await api.get("/summary", rows=True, **asked))["rows"]
    assert rows[0]["max.time"] == "2026-09-21T14:13:20Z"


async def test_a_summary_of_text_is_refused_except_counts(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((3, 0, "B-1"), (100, 100, 1.0)))
    problem = await api.refused("/summary", tag="3", type="average", **RANGE)
    assert problem["detail"] == (
        "average of BR101/BatchId, a string: expected count or percent-good"
    )
    found = await api.get("/summary", tag="3", type="count", **RANGE)
    assert found["count"]["value"] == [1]
    assert found["percent-good"]["value"] == [100]


async def test_what_to_compute_and_over_what_must_be_said(api: Client) -> None:
    missing = await api.refused("/summary", tag="1", **RANGE)
    assert "average-interpolated" in missing["detail"]
    wrong = await api.refused("/summary", tag="1", type="mean", **RANGE)
    assert "average" in wrong["detail"]
    many = await api.refused("/summary", tag="1", type="min", interval="100us", **RANGE)
    assert many["type"] == "urn:fedbatch:intervals"
    refused = await api.refused(
        "/summary", tag="1", type="min", percent_good=40, percent_bad=50, **RANGE
    )
    assert refused["type"] == "urn:fedbatch:treatment"
