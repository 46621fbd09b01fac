"""The list of alarms: what keys do, what is drawn, what is printed without a screen."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from deploy.alarms.alarm import Alarm, alarm_of
from deploy.alarms.screen import news
from deploy.alarms.selection import Listed, Wish, keys, pressed, renewed
from deploy.alarms.view import few, screen
from deploy.command.options import OptionInvalid
from deploy.command.watching_alarms import access
from deploy.embedded.view import Picture
from deploy.embedded.view import drawn as drawn_plant
from services.api.bodies import alarm_body
from shared.store.queries_events import StoredAlarm
from tests.neighbours.said import raised

NOW = 1_790_000_600.0


def body(number: int = 0, **more: Any) -> dict[str, Any]:
    """Return what the API answers for an alarm that was raised just now."""
    said = raised(1_790_000_000_000_000 + number, **more)
    return alarm_body(StoredAlarm(said.time, said.time, said))


def alarms(count: int) -> tuple[Alarm, ...]:
    return tuple(alarm_of(body(number)) for number in range(count))


def listed(*shown: Alarm) -> Listed:
    return renewed(Listed(now=NOW, url="http://h"), shown, more=False)


def drawn(shown: Listed, height: int = 40) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(screen(shown, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_list_and_the_explanation_of_the_selected_alarm_are_shown() -> None:
    text = drawn(listed(*alarms(2)))
    for said in (
        "2 not acknowledged",
        "TIC-101.PV 37.8, expected at most 37.5 Cel",
        "Look at the jacket.",
        "limit h 37.5 Cel",
        "AIC-101.PV 7.1 → 6.9 (4.2 sigma)",
        "http://h/recorded?tag=BR101/TIC-101.PV",
        "simulated",
    ):
        assert said in text


def test_keys_of_every_terminal_move_the_selection_within_the_list() -> None:
    shown = listed(*alarms(3))
    places = []
    for key in keys("jj\x1b[B\x1bOAkkGg"):
        shown, wish = pressed(shown, key)
        assert wish is None
        places.append(shown.index)
    assert places == [1, 2, 2, 1, 0, 0, 2, 0]


def test_only_an_alarm_that_nobody_saw_can_be_acknowledged() -> None:
    (one,) = alarms(1)
    assert pressed(listed(one), "acknowledge")[1] is Wish.ACKNOWLEDGE
    after, wish = pressed(listed(replace(one, state="acknowledged")), "acknowledge")
    assert wish is None
    assert "already" in after.notice
    assert pressed(listed(), "acknowledge")[1] is None


def test_an_alarm_stays_selected_wherever_it_moves() -> None:
    first, second, third = alarms(3)
    shown, _ = pressed(listed(first, second, third), "down")
    assert renewed(shown, (third, second), more=False).current == second
    assert renewed(shown, (first, third), more=False).current == third
    assert renewed(shown, (), more=False).current is None


def test_an_acknowledgement_under_way_is_said_until_the_state_changes() -> None:
    (one,) = alarms(1)
    shown = replace(listed(one), sent=frozenset({(one.id, one.state)}))
    assert "acknowledging" in drawn(shown)
    seen = replace(one, state="acknowledged")
    assert "acknowledging" not in drawn(renewed(shown, (seen,), more=False))


def test_a_long_list_is_cut_around_the_selection() -> None:
    shown = listed(*(replace(a, vessel=f"V{n:02}") for n, a in enumerate(alarms(50))))
    for _ in range(25):
        shown, _wish = pressed(shown, "down")
    text = drawn(shown, height=24)
    assert "V25" in text
    assert "V05" not in text
    assert len(text.splitlines()) <= 24


def test_the_demo_shows_the_first_few_with_what_to_look_at() -> None:
    console = Console(file=io.StringIO(), width=110)
    console.print(few(alarms(7), NOW, 5))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.count("Look at the jacket.") == 5
    assert "and 2 more" in text


def test_without_a_terminal_each_change_is_one_line() -> None:
    one, two = alarms(2)
    lines = news({one.id: one.state, "gone": "acknowledged"}, (one, two), NOW)
    assert len(lines) == 2
    assert lines[0].startswith("P2  unacknowledged  BR101: TIC-101.PV 37.8")
    assert lines[0].endswith("simulated  look at first: Look at the jacket.")
    assert lines[1] == "alarm gone is not active any more"


def test_who_acknowledges_is_a_name_that_the_api_takes() -> None:
    found = access("http://h:1/", key="k", actor="Jürgen/x", ca_file=None)
    assert (found.url, found.actor) == ("http://h:1", "Jürgen_x")
    with pytest.raises(OptionInvalid, match="--url"):
        access("h:1", key=None, actor="me", ca_file=None)


def test_the_frame_of_the_demo_is_red_while_an_urgent_alarm_waits() -> None:
    picture = Picture(now=NOW, alarms=alarms(1))
    assert drawn_plant(picture, "demo", []).border_style == "red"
    seen = replace(picture.alarms[0], state="acknowledged")
    calm = replace(picture, alarms=(seen,))
    assert drawn_plant(calm, "demo", []).border_style == "yellow"
