from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.domain import Gap, GapCause
from shared.wire_filled import Filled
from tests.integration.api.stored import ISO0, T0, Client, Row, S, StoredPlant, block

if TYPE_CHECKING:
    from typing import Any

RANGE = {"start": ISO0, "end": "2026-09-21T14:23:20Z"}


def us(time: str) -> int:
    return int(np.datetime64(time.removesuffix("Z"), "us").astype(np.int64))


async def test_readings_come_back_bit_for_bit(plant: StoredPlant, api: Client) -> None:
    values = [0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, None, 3.0]
    status = [0, 0x40940000, 0x00000400, 0x40A40402, 0x808B0000, 0xC0000000]
    rows: list[Row] = [(1, i / 7, value) for i, value in enumerate(values)]
    readings = block(*rows, status=status)
    await plant.put(readings)
    found = await api.get("/recorded", tag="BR101/TIC-101.PV", **RANGE)
    assert [us(time) for time in found["time"]] == readings.time.tolist()
    assert found["status"] == status
    stored = np.array([np.nan if v is None else v for v in found["value"]])
    assert (
        stored.tobytes()
        == np.array([np.nan if v is None else v for v in values]).tobytes()
    )
    assert "text" not in found
    assert (found["tag"], found["unit"]) == ("BR101/TIC-101.PV", "Cel")
    assert (found["simulated"], found["configuration"]) == (True, 1)
    assert found["statuses"]["2156593152"] == "BadDeviceFailure"


async def test_text_comes_back_where_it_was(plant: StoredPlant, api: Client) -> None:
    await plant.put(block((1, 0, 1.5), (1, 1, "9007199254740993"), (1, 2, None)))
    found = await api.get("/recorded", tag="1", **RANGE)
    assert found["value"] == [1.5, None, None]
    assert found["text"] == [None, "9007199254740993", None]


async def test_two_readings_at_one_time_are_two(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((1, 0, 1.0), (1, 0, 2.0)))
    assert (await api.get("/recorded", tag="1", **RANGE))["value"] == [1.0, 2.0]


async def test_pages_cover_every_reading_exactly_once(
    plant: StoredPlant, api: Client
) -> None:
    rows: list[Row] = [(1, i // 3, float(i)) for i in range(100)]
    await plant.put(block(*rows))
    asked: dict[str, Any] = {
        "tag": "1",
        "limit": 7,
        "boundary": "interpolated",
        **RANGE,
    }
    seen: list[float] = []
    page = await api.get("/recorded", **asked)
    pages = 1
    while page["truncated"]:
        seen += page["value"]
        page = await api.get("/recorded", cursor=page["cursor"], **asked)
        pages += 1
    seen += page["value"]
    assert pages == 15
    assert page["cursor"] is None
    assert seen == [float(i) for i in range(100)] + [99.0]


async def test_boundaries_add_what_stands_at_the_ends(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((1, 0, 0.0), (1, 10, 10.0), (1, 20, 20.0), (1, 30, 30.0)))
    asked = {"tag": "1", "start": at(5), "end": at(25)}
    inside = await api.get("/recorded", **asked)
    outside = await api.get("/recorded", boundary="outside", **asked)
    made = await api.get("/recorded", boundary="interpolated", **asked)
    assert inside["value"] == [10, 20]
    assert outside["value"] == [0, 10, 20, 30]
    assert made["value"] == [5, 10, 20, 25]
    assert made["status"] == [0x402, 0, 0, 0x402]
    assert made["statuses"]["1026"] == "Good, Interpolated"


def at(seconds: float) -> str:
    return f"{np.datetime64(round(T0 + seconds * S), 'us')}Z"


async def test_every_answer_lists_the_gaps_of_its_range_and_scope(
    plant: StoredPlant, api: Client
) -> None:
    cause = GapCause.SERVER_UNREACHABLE
    await plant.put(block((1, 0, 0.0), (1, 100, 1.0), (100, 100, 1.0)))
    await plant.declare(
        Gap("plc1", cause, T0 + 50 * S, T0 + 75 * S, detail="cable"),
        Gap("plc1", GapCause.TAG_REFUSED, T0 + 50 * S, T0 + 75 * S, (2,), 3),
        Gap("plc2", cause, T0 + 50 * S, T0 + 75 * S),
        Gap("plc1", cause, T0 + 100 * S, T0 + 200 * S),
    )
    asked = {"start": ISO0, "end": at(100)}
    one = await api.get("/recorded", tag="1", **asked)
    assert one["gaps"] == [
        {
            "server": "plc1",
            "cause": "server-unreachable",
            "start": "2026-09-21T14:14:10Z",
            "end": "2026-09-21T14:14:35Z",
            "tags": None,
            "count": None,
            "detail": "cable",
            "filled": None,
            "missing": [],
            "rows": None,
            "history": "",
        }
    ]
    assert (one["complete"], one["completeness"]) == (False, 0.75)
    assert one["pending"] is None
    two = await api.get("/recorded", tag="2", **asked)
    assert [gap["tags"] for gap in two["gaps"]] == [None, ["BR101/AIC-101.PV"]]


async def test_a_gap_that_was_filled_hides_only_what_is_still_missing(
    plant: StoredPlant, api: Client
) -> None:
    gap = Gap("plc1", GapCause.COLLECTOR_DOWN, T0 + 50 * S, T0 + 75 * S)
    await plant.put(block((1, 0, 0.0), (1, 100, 1.0), (100, 100, 1.0)))
    await plant.declare(gap)
    asked = {"start": ISO0, "end": at(100)}
    await plant.fill(Filled(gap, 0, (0, 1), (2,), 7, 1, "no history"))
    half = await api.get("/recorded", tag="1", **asked)
    assert (half["complete"], half["gaps"][0]["filled"]) == (False, None)
    await plant.fill(Filled(gap, 1, (0, 1), (2,), 7, 1, "no history"))
    one = await api.get("/recorded", tag="1", **asked)
    assert (one["complete"], one["completeness"]) == (True, 1.0)
    (told,) = one["gaps"]
    assert told["filled"] is not None
    assert (told["missing"], told["rows"]) == (["BR101/AIC-101.PV"], 7)
    two = await api.get("/recorded", tag="2", **asked)
    assert (two["complete"], two["completeness"]) == (False, 0.75)


async def test_what_is_not_stored_yet_is_pending(
    plant: StoredPlant, api: Client
) -> None:
    never = await api.get("/recorded", tag="1", start="*-1h")
    assert never["known_until"] is None
    assert (never["complete"], never["completeness"]) == (False, 0)
    await plant.put(block((100, 0, 1.0), (1, 0, 1.0)))
    old = await api.get("/recorded", tag="1", start=at(-100), end=at(100))
    assert old["known_until"] == ISO0
    assert old["pending"] == {"start": ISO0, "end": "2026-09-21T14:15:00Z"}
    assert old["completeness"] == 0.5
    past = await api.get("/recorded", tag="1", start=at(-100), end=at(0))
    assert (past["complete"], past["completeness"]) == (True, 1)


async def test_csv_has_the_same_values_and_says_what_is_missing(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(block((3, 0, 'a "quoted", text'), (3, 0.5, None)))
    for headers, more in (({"accept": "text/csv"}, {}), ({}, {"format": "csv"})):
        response = await api.http.get(
            "/recorded", params={"tag": "3", **RANGE, **more}, headers=headers
        )
        assert response.headers["content-type"].startswith("text/csv")
        assert response.headers["fedbatch-complete"] == "false"
        lines = response.text.splitlines()
        said = [line for line in lines if line.startswith("# ")]
        assert "# complete: false" in said
        rows = list(csv.DictReader(io.StringIO("\n".join(lines[len(said) :]))))
        assert rows[0] == {
            "time": "2026-09-21T14:13:20.000000Z",
            "value": "",
            "status": "0",
            "text": 'a "quoted", text',
        }
        assert rows[1]["text"] == ""


async def test_rows_are_objects(plant: StoredPlant, api: Client) -> None:
    await plant.put(block((1, 0, 1.0), (1, 0.25, None)))
    found = await api.get("/recorded", tag="1", rows=True, **RANGE)
    assert found["rows"] == [
        {"time": "2026-09-21T14:13:20Z", "value": 1.0, "status": 0},
        {"time": "2026-09-21T14:13:20.250000Z", "value": None, "status": 0},
    ]


@pytest.mark.parametrize(
    ("parameters", "kind", "said"),
    [
        ({"start": "2026-11-23T10:00:00"}, "naive-time", "has no UTC offset"),
        ({"start": "yesterday"}, "time", "expected ISO 8601"),
        ({"start": "2026-11-23T10:00:00 01:00"}, "time", "%2B"),
        ({"start": "*-1x"}, "duration", "expected a number and one of"),
        ({"start": "*", "end": "*-1d"}, "reversed-range", "expected start before end"),
        ({}, "range", "start is missing"),
        ({"start": "*-1h", "batch": "B1"}, "range", "either the batch or the times"),
        ({"start": "*-1h", "strat": "x"}, "unknown-parameter", "known: start"),
        ({"start": "*-1h", "boundary": "Inside"}, "parameter", "boundary"),
        ({"start": "*-1h", "limit": "0"}, "parameter", "limit"),
        ({"start": "*-1h", "cursor": "x"}, "cursor", "cursor of the answer before"),
        ({"start": "1990-01-01T00:00:00Z"}, "time-out-of-range", "2000 to 2200"),
    ],
)
async def test_a_wrong_question_gets_a_problem_that_says_what_was_expected(
    api: Client, parameters: dict[str, str], kind: str, said: str
) -> None:
    problem = await api.refused("/recorded", tag="1", **parameters)
    assert problem["type"] == f"urn:fedbatch:{kind}"
    assert problem["status"] == 400
    assert said in problem["detail"]


@pytest.mark.parametrize(
    ("tag", "nearest"),
    [
        ("BR101/TIC-101.VP", "BR101/TIC-101.PV"),
        ("TIC-102.PV", "BR102/TIC-102.PV"),
        ("br102/tic-102.pv", "BR102/TIC-102.PV"),
    ],
)
async def test_an_unknown_tag_is_404_and_the_nearest_are_named(
    api: Client, tag: str, nearest: str
) -> None:
    problem = await api.refused("/recorded", tag=tag, start="*-1h")
    assert problem["status"] == 404
    assert repr(tag) in problem["detail"]
    assert nearest in problem["detail"]


async def test_a_path_that_is_not_there_names_the_nearest(api: Client) -> None:
    problem = await api.refused("/recoded")
    assert problem["status"] == 404
    assert "/recorded" in problem["detail"]
