from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from shared.domain import Actual, Desired, Gap, GapCause, SubscriptionState
from shared.wire import LedgerCounts
from tests.integration.api.stored import ISO0, PLANT, T0, Client, S, StoredPlant, block

if TYPE_CHECKING:
    from services.api.settings import ApiSettings


async def test_vessels_are_listed_with_their_context(
    plant: StoredPlant, api: Client
) -> None:
    found = await api.get("/vessels")
    assert found["configuration"] == 1
    one, two = found["vessels"]
    assert one == {
        "name": "BR101",
        "site": "test",
        "area": "plant",
        "server": "plc1",
        "simulated": True,
        "partition": 0,
        "tags": 5,
        "batch_tag": "BR101/BatchId",
        "phase_tag": "BR101/Phase",
        "product_tag": None,
        "client_tag": None,
        "state_tag": None,
        "retired": False,
    }
    assert (two["name"], two["simulated"], two["tags"]) == ("BR102", False, 1)


async def test_tags_show_what_is_wanted_granted_and_the_last_error(
    plant: StoredPlant, api: Client
) -> None:
    await plant.subscribe(
        SubscriptionState(1, Desired.SUBSCRIBED, Actual.SUBSCRIBED, T0),
        SubscriptionState(
            2, Desired.SUBSCRIBED, Actual.REFUSED, T0, "BadNodeIdUnknown"
        ),
    )
    tags = {tag["id"]: tag for tag in (await api.get("/tags", vessel="BR101"))["tags"]}
    assert sorted(tags) == [1, 2, 3, 4, 5]
    keys = ("name", "desired", "actual", "since", "error")
    assert [tags[2][key] for key in keys] == [
        "BR101/AIC-101.PV",
        "subscribed",
        "refused",
        "2026-09-21T14:13:20Z",
        "BadNodeIdUnknown",
    ]
    assert (tags[1]["actual"], tags[1]["error"]) == ("subscribed", "")
    assert tags[3]["actual"] is None
    assert (tags[5]["stepped"], tags[5]["report"]) == (True, "change")


async def test_lists_come_as_csv(plant: StoredPlant, api: Client) -> None:
    response = await api.http.get("/tags", params={"format": "csv", "comments": False})
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert {"BR101/TIC-101.PV", "BR102/TIC-102.PV"} <= {row["name"] for row in rows}


async def test_a_new_configuration_is_seen_without_a_restart(
    plant: StoredPlant, api: Client
) -> None:
    assert (await api.get("/configuration"))["version"] == 1
    await api.get("/tags")
    later = PLANT.replace("unit: Cel", "unit: K")
    start = await plant.bus.head(plant.at)
    assert start.offset == 1
    await plant.reconfigure(later)
    async for found in api.until("/recorded", tag="11", start="*-1h"):
        if found["unit"] == "K":
            break
    found = await api.get("/configuration")
    assert (found["version"], found["actor"]) == (2, "test")
    assert len(found["sha256"]) == 64


async def test_batches_have_phases_and_are_ranges(
    plant: StoredPlant, api: Client
) -> None:
    await plant.put(
        block(
            (3, 0, ""),
            (3, 10, "B-1"),
            (3, 60, ""),
            (3, 70, "B-2"),
            (4, 10, "growth"),
            (4, 30, "production"),
            (4, 60, ""),
            *[(1, t, float(t)) for t in range(0, 100, 5)],
        )
    )
    found = (await api.get("/batches", vessel="BR101"))["batches"]
    assert found[0] == {
        "vessel": "BR101",
        "batch": "B-1",
        "product": None,
        "client": None,
        "start": "2026-09-21T14:13:30Z",
        "end": "2026-09-21T14:14:20Z",
        "state": None,
        "states": [],
        "phases": [
            {
                "name": "growth",
                "start": "2026-09-21T14:13:30Z",
                "end": "2026-09-21T14:13:50Z",
            },
            {
                "name": "production",
                "start": "2026-09-21T14:13:50Z",
                "end": "2026-09-21T14:14:20Z",
            },
        ],
    }
    assert (found[1]["batch"], found[1]["end"]) == ("B-2", None)
    assert (await api.get("/batches"))["batches"] == found
    one = await api.get("/recorded", tag="1", batch="B-1")
    assert one["value"] == [float(t) for t in range(10, 61, 5)]
    two = await api.get("/summary", tag="1", batch="B-2", type="count")
    assert two["count"]["value"] == [6]
    problem = await api.refused("/recorded", tag="1", batch="B-11")
    assert (problem["status"], "B-1" in problem["detail"]) == (404, True)


async def test_gaps_are_listed_by_scope(plant: StoredPlant, api: Client) -> None:
    await plant.declare(
        Gap("plc1", GapCause.COLLECTOR_DOWN, T0, T0 + 10 * S),
        Gap("plc2", GapCause.SPOOL_FULL, T0 + 20 * S, None, count=7),
        Gap("plc1", GapCause.TAG_REFUSED, T0 + 30 * S, T0 + 31 * S, (2,)),
    )
    every = await api.get("/gaps", start=ISO0)
    assert [gap["cause"] for gap in every["gaps"]] == [
        "collector-down",
        "spool-full",
        "tag-refused",
    ]
    assert (every["gaps"][1]["end"], every["gaps"][1]["count"]) == (None, 7)
    of = {
        "BR102": ["spool-full"],
        "BR101": ["collector-down", "tag-refused"],
    }
    for vessel, causes in of.items():
        found = await api.get("/gaps", start=ISO0, vessel=vessel)
        assert [gap["cause"] for gap in found["gaps"]] == causes
    one = await api.get("/gaps", start=ISO0, tag="BR101/TIC-101.PV")
    assert [gap["cause"] for gap in one["gaps"]] == ["collector-down"]


async def test_the_ledger_counts_by_minute_hop_and_tag(
    plant: StoredPlant, api: Client
) -> None:
    minute = T0 - T0 % (60 * S)
    await plant.count(LedgerCounts("BR101", minute, "seen", (1, 2), (3, 4)))
    await plant.count(LedgerCounts("BR101", minute, "seen", (1,), (5,)))
    await plant.count(LedgerCounts("BR101", minute + 120 * S, "seen", (1,), (9,)))
    await plant.put(block((1, 0, 1.0), (1, 1, 1.0), (11, 0, 1.0)))
    asked = {"start": "2026-09-21T14:13:00Z", "end": "2026-09-21T14:15:00Z"}
    found = await api.get("/ledger", vessel="BR101", rows=True, **asked)
    keys = ("hop", "tag", "count")
    assert [tuple(row[key] for key in keys) for row in found["rows"]] == [
        ("seen", "BR101/TIC-101.PV", 8),
        ("seen", "BR101/AIC-101.PV", 4),
        ("stored", "BR101/TIC-101.PV", 2),
    ]
    assert {row["minute"] for row in found["rows"]} == {"2026-09-21T14:13:00Z"}


async def test_the_first_page_links_to_everything(
    plant: StoredPlant, api: Client
) -> None:
    page = await api.http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for word in ("/vessels", "/alarms/kpis", "/docs", "/gaps?start=*-1d", "/alarms"):
        assert word in page.text
    assert (await api.get("/gaps", start="*-1d"))["gaps"] == []
    read = (await api.http.get("/docs")).text
    for path in (await api.get("/openapi.json"))["paths"]:
        assert f"{path}</code>" in read
    assert "://" not in read


async def test_every_parameter_is_described(api: Client) -> None:
    paths = (await api.get("/openapi.json"))["paths"]
    assert {"/recorded", "/summary", "/current", "/stream", "/ledger"} <= set(paths)
    described = [(p, m) for p, methods in paths.items() for m in methods.values()]
    for path, method in described:
        assert method["description"], path
        for parameter in method.get("parameters", ()):
            assert parameter.get("description"), (path, parameter["name"])


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/batches", {"vessel": "BR1O1"}),
        ("/tags", {"vessel": "BR1O1"}),
        ("/current", {"vessel": "BR1O1"}),
        ("/gaps", {"vessel": "BR1O1", "start": "*-1d"}),
        ("/ledger", {"vessel": "BR1O1", "start": "*-1d"}),
        ("/stream", {"vessel": "BR1O1"}),
        ("/alarms", {"vessel": "BR1O1"}),
        ("/alarms/journal", {"vessel": "BR1O1", "start": "*-1d"}),
        ("/detections", {"vessel": "BR1O1", "start": "*-1d"}),
        ("/events", {"vessel": "BR1O1", "start": "*-1d"}),
    ],
)
async def test_an_unknown_vessel_is_404_and_the_nearest_are_named(
    api: Client, path: str, parameters: dict[str, str]
) -> None:
    problem = await api.refused(path, **parameters)
    assert problem["status"] == 404
    assert "BR101" in problem["detail"]


async def test_a_database_that_is_not_migrated_is_unavailable_not_broken(
    unmigrated: Client, settings: ApiSettings
) -> None:
    problem = await unmigrated.refused("/tags")
    assert problem["status"] == 503
    assert "fedbatch migrate" in problem["detail"]
    assert settings.database.dsn.get_secret_value() not in problem["detail"]
