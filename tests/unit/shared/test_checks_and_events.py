from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.events import (
    AlarmState,
    AlarmTransition,
    BatchEvent,
    Cause,
    Change,
    Command,
    CommandKind,
    Detection,
    Explanation,
    Moved,
    digest,
)
from shared.plant import PlantInvalid, parse_plant, render_plant
from shared.wire import NotUnderstood
from shared.wire_events import (
    Event,
    decode_command,
    decode_event,
    encode_command,
    encode_event,
)

PLANT = """\
site: demo
servers:
- {name: plant, url: "opc.tcp://127.0.0.1:4840", heartbeat: {id: 1}}
vessels:
- name: BR101
  server: plant
  partition: 0
  tags:
  - {id: 2, name: T, node: "s=a", checks: {limits: [{side: h, value: 38}]}}
  - {id: 3, name: SP, node: "s=b", stepped: true}
  residuals:
  - {name: error, terms: {T: 1, SP: -1}}
"""
WHY = Explanation(
    check="limit h 38 Cel",
    tag="BR101/T",
    value=38.2,
    expected="at most 38 Cel",
    since=5,
    quality="60 good",
    moved=(Moved("BR101/SP", 37.0, 37.0, 0.1),),
    trend="/recorded?tag=BR101/T",
    advice="Look at the jacket.",
)
EVENTS: list[Event] = [
    AlarmTransition(
        alarm=digest("BR101", 5),
        check="BR101/T/limit-h",
        vessel="BR101",
        priority=2,
        cause=Cause.RAISED,
        before=AlarmState.NORMAL,
        after=AlarmState.UNACKNOWLEDGED,
        time=5,
        known=6,
        explanation=WHY,
    ),
    Detection("BR101/T/limit-h", "BR101", "BR101/T", 5, 1.2, None, "above"),
    BatchEvent("x", "BR101", "CHO-1", None, began=True, time=5),
    Change("plant.yaml", 5, "me", "ab", "cd"),
]


def test_checks_are_part_of_a_plant_and_come_back_equal() -> None:
    plant = parse_plant(PLANT)
    assert parse_plant(render_plant(plant)) == plant
    checks = plant.vessels[0].tags[0].checks
    assert checks is not None
    assert checks.limits[0].is_high


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("side: h", "side: up", "'hh', 'h', 'l' or 'll'"),
        (
            "[{side: h, value: 38}]",
            "[{side: h, value: 38}, {side: l, value: 39}]",
            "ll <= l",
        ),
        ("T: 1", "X: 1", "term 'X'"),
        ("stepped: true}", "checks: {frozen: {}}, stepped: true}", "report each"),
        ("terms: {T: 1", "mode: frozen, terms: {T: 1", "needs a snapshot"),
    ],
)
def test_a_wrong_check_is_refused_with_what_was_expected(
    old: str, new: str, words: str
) -> None:
    with pytest.raises(PlantInvalid, match=words):
        parse_plant(PLANT.replace(old, new))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_equal(event: Event) -> None:
    assert decode_event(*encode_event(event)) == event


def test_a_command_comes_back_equal() -> None:
    command = Command("1", CommandKind.SHELVE, "a", "me", 5, "noisy", 9)
    assert decode_command(encode_command(command)[1]) == command


@pytest.mark.parametrize("value", [b"", b"{}", b'{"alarm": 3}'])
def test_what_is_no_event_is_not_understood(value: bytes) -> None:
    with pytest.raises(NotUnderstood):
        decode_event({"kind": "alarm"}, value)
    with pytest.raises(NotUnderstood):
        decode_command(value)


@pytest.mark.parametrize(
    "part", ["check", "tag", "expected", "quality", "trend", "advice"]
)
def test_an_explanation_that_lacks_a_part_is_refused(part: str) -> None:
    broken: dict[str, Any] = {part: ""}
    with pytest.raises(ValueError, match="lacks a part"):
        replace(WHY, **broken)


def test_an_id_is_the_same_for_ever() -> None:
    assert digest("BR101", 5) == "69fa0ac6d63596498df0"
