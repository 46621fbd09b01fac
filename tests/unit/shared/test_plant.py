from __future__ import annotations

import pytest

from shared.plant import PlantInvalid, Report, parse_plant, render_plant

GOOD = """\
site: demo
servers:
- name: plant
  url: opc.tcp://127.0.0.1:4840
  heartbeat: {id: 1}
vessels:
- name: BR101
  server: plant
  partition: 0
  context: {batch: BatchId}
  tags:
  - {id: 2, name: TIC-101.PV, node: "nsu=urn:x;s=a", unit: Cel, range: [0, 60]}
  - {id: 3, name: BatchId, node: "nsu=urn:x;s=b", type: string}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(PlantInvalid) as caught:
        parse_plant(text, "plant.yaml")
    return caught.value.problems


def test_a_rendered_plant_reads_back_equal() -> None:
    plant = parse_plant(GOOD)
    assert parse_plant(render_plant(plant)) == plant


def test_numbers_report_each_sample_and_strings_report_changes() -> None:
    number, string = parse_plant(GOOD).vessels[0].tags
    assert (number.reports, number.is_stepped) == (Report.EACH, False)
    assert (string.reports, string.is_stepped) == (Report.CHANGE, True)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[0, 60]", "[60, 0]", 12, ["low end below the high end"]),
        ("id: 3", "id: x", 13, ["vessels[0].tags[1].id", "integer", "'x'"]),
        ("id: 3", "id: 2", 13, ["tag id 2 is used before"]),
        ("server: plant", "server: plan", 8, ["'plan'", "expected one of"]),
        ("batch: BatchId", "batch: Batch", 7, ["context.batch 'Batch'"]),
        ("partition: 0", "partition: 16", 9, ["partition", "15"]),
        ("opc.tcp://", "http://", 4, ["servers[0].url", "http://"]),
        ("site: demo", "sitee: demo", 1, ["site"]),
        ("- name: BR101", "- name: [", 9, ["not YAML"]),
    ],
)
def test_an_error_names_line_field_found_and_expected(
    old: str, new: str, line: int, words: list[str]
) -> None:
    found = problems(GOOD.replace(old, new))
    assert any(problem.startswith(f"plant.yaml:{line}:") for problem in found), found
    for word in words:
        assert word in "\n".join(found)


def test_every_error_of_a_file_is_reported_at_once() -> None:
    text = GOOD.replace("[0, 60]", "[60, 0]").replace("opc.tcp", "http")
    assert len(problems(text)) == 2


@pytest.mark.parametrize("text", ["", "- a", "x", "site: a\nservers: []"])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    assert problems(text)


def test_a_policy_without_a_mode_is_refused() -> None:
    text = GOOD.replace(
        "  heartbeat: {id: 1}",
        "  heartbeat: {id: 1}\n  security: {policy: Basic256Sha256}",
    )
    assert "expected both None" in problems(text)[0]
