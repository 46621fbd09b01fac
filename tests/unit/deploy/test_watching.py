"""Which tags the view shows, and how their answers become a line."""

from __future__ import annotations

from typing import Any

from deploy.embedded.processes import Service, ServiceState
from deploy.embedded.screen import addresses, service_line
from deploy.embedded.watching import KEYS, Shown, choose, vessel_line


def _vessel(name: str) -> dict[str, Any]:
    return {"name": name, "batch_tag": f"{name}/BatchId", "phase_tag": None}


def _tag(vessel: str, name: str, **more: Any) -> dict[str, Any]:
    plain = {"type": "number", "report": "each", "retired": False}
    return {"name": f"{vessel}/{name}", "vessel": vessel, **plain, **more}


def test_known_loops_are_shown_under_their_names() -> None:
    tags = [_tag("BR1", key) for key in (*KEYS.values(), "PIC-101.PV")]
    shown, headings = choose([_vessel("BR1")], tags)
    assert headings == tuple(KEYS)
    assert shown[0].values == tuple(f"BR1/{key}" for key in KEYS.values())
    assert shown[0].tags[-1] == "BR1/BatchId"


def test_of_another_plant_the_first_numbers_that_are_measured_are_shown() -> None:
    tags = [
        _tag("V", "mode", type="boolean"),
        _tag("V", "set", report="change"),
        _tag("V", "old", retired=True),
        *(_tag("V", f"x{number}") for number in range(6)),
    ]
    shown, headings = choose([_vessel("V")], tags)
    assert shown[0].values == ("V/x0", "V/x1", "V/x2", "V/x3")
    assert set(headings) == {""}


def test_a_line_has_the_newest_time_of_its_values() -> None:
    shown = Shown("V", ("V/a", "V/b"), "V/BatchId", None)
    none: dict[str, Any] = {"value": None, "text": None, "time": None}
    rows = {
        "V/a": {**none, "value": 37.0, "time": "2026-11-23T10:00:00Z"},
        "V/b": none,
        "V/BatchId": {**none, "text": "B-7", "time": "2026-11-23T12:00:00Z"},
    }
    line = vessel_line(shown, rows)
    assert (line.batch, line.phase) == ("B-7", "")
    assert line.values == ("a 37", "b -")
    assert line.newest == 1795428000.0


def test_a_question_to_try_is_offered_once_a_tag_is_known() -> None:
    assert [name for name, _ in addresses("http://h", None)] == [
        "start page",
        "how to ask",
        "alarms",
    ]
    assert addresses("http://h", "V/a")[-1][1] == (
        'curl "http://h/recorded?tag=V/a&start=*-1h&format=csv"'
    )


def test_a_service_that_waits_says_why_and_how_long() -> None:
    state = ServiceState(Service("api", "services.api", {}), situation="x", pause_s=2)
    assert service_line(state).text == "x; starting again after 2 s"
    assert not service_line(state).well
    state.pid, state.starts = 7, 3
    assert service_line(state).text == "restarted 2x"
