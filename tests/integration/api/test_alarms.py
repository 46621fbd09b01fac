"""Alarms, their journal, detections and events over HTTP."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.api.moments import iso
from shared.events import AlarmState, AlarmTransition, Cause
from tests.integration.api.stored import ISO0, T0, Client, S, StoredPlant
from tests.neighbours.said import began, changed, detected, raised, went_on

if TYPE_CHECKING:
    from shared.wire_events import Event

DAY = {"start": ISO0, "end": "2026-09-22T14:13:20Z"}


async def pages(api: Client, path: str, noun: str, **asked: Any) -> list[Any]:
    """Return every row of a list, a row or two at a time."""
    rows: list[Any] = []
    cursor = None
    while True:
        more: dict[str, str] = {} if cursor is None else {"cursor": cursor}
        answer = await api.get(path, **asked, **more)
        rows += answer[noun]
        cursor = answer["cursor"]
        assert answer["truncated"] == (cursor is not None)
        if cursor is None:
            return rows
        assert len(answer[noun]) == asked["limit"]


def acknowledged(alarm: AlarmTransition, seconds: float = 10) -> AlarmTransition:
    state = AlarmState.ACKNOWLEDGED
    return went_on(alarm, Cause.ACKNOWLEDGED, state, seconds, "anna")


def returned(alarm: AlarmTransition, seconds: float = 20) -> AlarmTransition:
    return went_on(alarm, Cause.RETURNED, AlarmState.NORMAL, seconds)


async def test_an_alarm_is_shown_with_its_whole_explanation(
    plant: StoredPlant, api: Client
) -> None:
    alarm = raised(T0 + 60 * S)
    await plant.put_events(alarm, acknowledged(alarm))
    (found,) = (await api.get("/alarms"))["alarms"]
    assert found == {
        "alarm": alarm.alarm,
        "check": "BR101/TIC-101.PV/limit-h",
        "vessel": "BR101",
        "tag": "BR101/TIC-101.PV",
        "priority": 2,
        "state": "acknowledged",
        "active": True,
        "since": ISO0,
        "raised": "2026-09-21T14:14:20Z",
        "changed": "2026-09-21T14:14:30Z",
        "until": None,
        "batch": "CHO-1",
        "phase": "growth",
        "simulated": True,
        "advisory": False,
        "detected_late": False,
        "last": {
            "cause": "acknowledged",
            "time": "2026-09-21T14:14:30Z",
            "known": "2026-09-21T14:14:31Z",
            "actor": "anna",
            "comment": "",
        },
        "explanation": {
            "check": "limit h 37.5 Cel",
            "tag": "BR101/TIC-101.PV",
            "value": 37.8,
            "expected": "at most 37.5 Cel",
            "since": ISO0,
            "quality": "60 good",
            "moved": [
                {"tag": "BR101/AIC-101.PV", "before": 7.1, "now": 6.9, "sigmas": 4.2}
            ],
            "trend": "/recorded?tag=BR101/TIC-101.PV&start=*-1h",
            "advice": "Look at the jacket.",
            "advisory": False,
            "verdict": None,
        },
    }
    one = await api.get(f"/alarms/{alarm.alarm}")
    journal = one.pop("journal")
    assert one == found
    assert [(each["before"], each["state"]) for each in journal] == [
        ("normal", "unacknowledged"),
        ("unacknowledged", "acknowledged"),
    ]
    assert all(each["explanation"] == found["explanation"] for each in journal)
    problem = await api.refused("/alarms/none")
    assert (problem["status"], problem["type"]) == (404, "urn:fedbatch:unknown-alarm")


def five() -> list[AlarmTransition]:
    """Return alarms of two vessels; the fourth went away."""
    times = [T0 + n * S for n in range(5)]
    priorities = [3, 1, 2, 1, 2]
    alarms = [
        raised(time, "BR102" if n == 4 else "BR101", priority=priority)
        for n, (time, priority) in enumerate(zip(times, priorities, strict=True))
    ]
    return [*alarms, returned(alarms[3])]


async def test_the_list_has_what_is_active_most_urgent_and_newest_first(
    plant: StoredPlant, api: Client
) -> None:
    alarms = five()
    await plant.put_events(*alarms)
    expected = [alarms[n].alarm for n in (1, 4, 2, 0)]
    found = await pages(api, "/alarms", "alarms", limit=1)
    assert [row["alarm"] for row in found] == expected

    async def ids(**asked: Any) -> list[int]:
        rows = await pages(api, "/alarms", "alarms", limit=2, **asked)
        known = [alarm.alarm for alarm in alarms]
        return [known.index(row["alarm"]) for row in rows]

    assert await ids(priority=[2, 3]) == [4, 2, 0]
    assert await ids(vessel="BR102") == [4]
    assert await ids(state="normal") == [3]
    assert await ids(state=["normal", "unacknowledged"], priority=1) == [3, 1]


async def test_the_list_can_be_seen_as_it_was(plant: StoredPlant, api: Client) -> None:
    alarm = raised(T0)
    seen = acknowledged(alarm)
    said = went_on(seen, Cause.COMMENTED, AlarmState.ACKNOWLEDGED, 10, "anna")
    late = replace(raised(T0 - 5 * S), known=T0 + 15 * S, detected_late=True)
    await plant.put_events(alarm, seen, late, said, returned(said))

    async def states(second: int) -> list[tuple[str, str]]:
        at = f"2026-09-21T14:13:{20 + second}Z"
        rows = await pages(api, "/alarms", "alarms", limit=1, at=at)
        return [(row["state"], row["changed"][17:19]) for row in rows]

    assert await states(0) == []
    assert await states(1) == [("unacknowledged", "20")]
    assert await states(11) == [("acknowledged", "30")]
    assert await states(21) == [("acknowledged", "30"), ("unacknowledged", "15")]
    assert [row["detected_late"] for row in (await api.get("/alarms"))["alarms"]] == [
        True
    ]


async def test_the_journal_is_read_by_time_page_by_page(
    plant: StoredPlant, api: Client
) -> None:
    alarms = five()
    await plant.put_events(*alarms)
    rows = await pages(api, "/alarms/journal", "journal", limit=2, **DAY)
    assert [row["alarm"] for row in rows] == [alarm.alarm for alarm in alarms]
    assert [row["cause"] for row in rows] == ["raised"] * 5 + ["returned"]
    assert len({row["id"] for row in rows}) == 6
    of_one = await api.get("/alarms/journal", alarm=alarms[3].alarm, **DAY)
    assert len(of_one["journal"]) == 2
    of_vessel = await api.get("/alarms/journal", vessel="BR102", **DAY)
    assert len(of_vessel["journal"]) == 1
    part = await api.get(
        "/alarms/journal", start="2026-09-21T14:13:21Z", end="2026-09-21T14:13:24Z"
    )
    assert [row["time"][17:19] for row in part["journal"]] == ["21", "22", "23"]


async def test_detections_and_events_are_listed(
    plant: StoredPlant, api: Client
) -> None:
    events: list[Event] = [
        detected(T0),
        detected(T0 + S, tag="AIC-101.PV"),
        began(T0 + S),
        began(T0 + S, phase="growth"),
        began(T0 + 2 * S, "BR102"),
        changed(T0 + S),
        replace(changed(T0 + S), actor="anna"),
    ]
    await plant.put_events(*events)
    rows = await pages(api, "/detections", "detections", limit=1, **DAY)
    assert [row["tag"] for row in rows] == ["BR101/TIC-101.PV", "BR101/AIC-101.PV"]
    assert (rows[0]["score"], rows[0]["text"]) == (1.2, "above 37.5")
    of_tag = await api.get("/detections", tag="2", **DAY)
    assert [row["time"] for row in of_tag["detections"]] == ["2026-09-21T14:13:21Z"]
    rows = await pages(api, "/events", "events", limit=1, **DAY)
    assert [row["type"] for row in rows] == [*["batch"] * 2, *["change"] * 2, "batch"]
    assert {row.get("phase") for row in rows[:2]} == {None, "growth"}
    assert rows[2]["details"] == {"BR101/T/h": "37.5 -> 38"}
    assert [row["actor"] for row in rows[2:4]] == ["me", "anna"]
    of_vessel = await api.get("/events", vessel="BR102", **DAY)
    assert [row["vessel"] for row in of_vessel["events"]] == ["BR102"]
    changes = await api.get("/events", type="change", **DAY)
    assert len(changes["events"]) == 2


async def test_csv_has_one_flat_line_for_each(plant: StoredPlant, api: Client) -> None:
    await plant.put_events(*five(), began(T0), changed(T0))
    answer = await api.http.get("/alarms?format=csv&comments=false")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(lines) == 4
    assert lines[0]["explanation.value"] == "37.8"
    assert lines[0]["explanation.moved"] == "BR101/AIC-101.PV 7.1 6.9 4.2"
    answer = await api.http.get("/events", params={**DAY, "format": "csv", "limit": 1})
    assert answer.headers["fedbatch-truncated"] == "true"
    answer = await api.http.get(
        "/events", params={**DAY, "format": "csv", "comments": "false"}
    )
    kinds = [line["type"] for line in csv.DictReader(io.StringIO(answer.text))]
    assert kinds == ["batch", "change"]


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("/alarms", {"state": "loud"}, "'normal', 'unacknowledged'"),
    ("/alarms", {"at": "2026-09-21T14:13:20"}, "no UTC offset"),
    ("/alarms", {"priorty": 1}, "priority"),
    ("/alarms", {"limit": 0}, "greater than or equal to 1"),
    ("/alarms", {"cursor": "bm8="}, "the cursor of the page before"),
    ("/alarms", {"cursor": "MR9hH2I="}, "the cursor of the page before"),
    ("/alarms/x", {"state": "normal"}, "parameter 'state'"),
    ("/alarms/journal", {}, "start is missing"),
    ("/detections", {"start": "*", "end": "*-1d"}, "start before end"),
    ("/events", {"start": "*-1d", "type": "alarm"}, "see /alarms/journal"),
]


async def test_a_question_that_cannot_be_answered_is_refused(api: Client) -> None:
    for path, parameters, words in REFUSALS:
        problem = await api.refused(path, **parameters)
        assert problem["status"] == 400
        assert words in problem["detail"]


async def test_the_figures_are_counted_from_the_stored_journal(
    plant: StoredPlant, api: Client
) -> None:
    old = raised(T0 - 25 * 3600 * S)
    urgent = raised(T0 + 60 * S, priority=1)
    other = raised(T0 + 60 * S, "BR102")
    seen = went_on(urgent, Cause.ACKNOWLEDGED, AlarmState.ACKNOWLEDGED, 31, "Anna")
    gone = went_on(seen, Cause.RETURNED, AlarmState.NORMAL, 9)
    await plant.put_events(old, urgent, other, seen, gone)
    end = iso(T0 + 1200 * S)
    found = await api.get("/alarms/kpis", start=ISO0, end=end, vessel="BR101")
    assert (found["vessel"], found["alarms"], found["operators"]) == ("BR101", 1, 1)
    figures = {name: each["value"] for name, each in found["figures"].items()}
    assert figures == {
        "per_10_min": 0.5,
        "flood_percent": 0.0,
        "top_percent": 100.0,
        "chattering": 0,
        "fleeting": 1,
        "stale": 1,
    }
    assert [
        name for name, each in found["figures"].items() if each["met"] is False
    ] == ["fleeting"]
    assert found["figures"]["top_percent"]["met"] is None
    assert found["response"]["median_s"] == 30.0
    assert found["stale"][0]["alarm"] == old.alarm
    assert found["states"] == {"unacknowledged": 1}
    assert [each["alarms"] for each in found["priorities"]] == [1, 0, 0]
    both = await api.get("/alarms/kpis", start=ISO0, end=end)
    assert (both["alarms"], both["waiting"]) == (2, 2)
    refused = await api.refused("/alarms/kpis", start="*+1d", end="*+2d")
    assert "in the past" in refused["detail"]
