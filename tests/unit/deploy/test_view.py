"""The view says what the API said, on a terminal and without one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from deploy.embedded.view import Picture, ServiceLine, VesselLine, drawn, plain

_NOW = 1_800_000_000.0


def _line(newest: float | None, vessel: str = "BR101") -> VesselLine:
    return VesselLine(vessel, "B-7", "growth", ("37.0", "7.05"), newest)


def _picture(*lines: VesselLine, **more: object) -> Picture:
    fields: dict[str, object] = {
        "now": _NOW,
        "headings": ("T Cel", "pH"),
        "vessels": lines,
        "seen": 1234567,
        "age_s": 1.5,
        "per_s": 90.0,
        "gaps": 2,
        **more,
    }
    return Picture(**fields)  # type: ignore[arg-type]


def _text(picture: Picture) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(drawn(picture, "fedbatch demo", [("API", "http://127.0.0.1:8080")]))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_plant_is_as_live_as_its_slowest_vessel() -> None:
    assert _picture(_line(_NOW - 1), _line(_NOW - 2, "BR102")).live
    assert not _picture(_line(_NOW - 1), _line(_NOW - 20, "BR102")).live
    assert not _picture(_line(_NOW - 1), _line(None, "BR102")).live


def test_progress_of_catching_up_is_the_share_of_history() -> None:
    picture = _picture(_line(_NOW - 50), history_from=_NOW - 200)
    assert picture.caught_up == pytest.approx(0.75)
    assert "75%" in _text(picture)


def test_the_view_shows_batch_phase_values_and_address() -> None:
    text = _text(_picture(_line(_NOW - 1)))
    for shown in ("BR101", "B-7", "growth", "37.0", "1,234,567", "127.0.0.1:8080"):
        assert shown in text


def test_a_service_that_is_down_is_named_with_its_situation() -> None:
    down = ServiceLine("archiver", "Unavailable: database", well=False)
    assert "archiver" in plain(_picture(_line(_NOW), services=(down,)))
    assert "Unavailable: database" in _text(_picture(_line(_NOW), services=(down,)))


def test_the_plain_line_has_age_rate_and_gaps() -> None:
    line = plain(_picture(_line(_NOW - 1.5)))
    assert line.startswith("live, 1.5 s from instrument to answer  90 readings/s")
    assert "2 gaps" in line


def test_days_behind_are_said_in_days() -> None:
    assert plain(_picture(_line(_NOW - 200_000))).startswith("2 d 7 h behind")
