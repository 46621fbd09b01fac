"""The record of truth, and which values are worth publishing."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators import truth
from simulators.instants import Instant
from simulators.storage import FileDamaged, read_json, replace_json

NODES = ["V1.A", "V1.B", "V1.Phase"]


def test_what_was_written_is_read_back_exactly(tmp_path: Path) -> None:
    with truth.Truth(tmp_path, 17, NODES) as record:
        record.write(Instant(1_000_001, [0, 2], [0.1 + 0.2, "Growth"]))
        record.write(Instant(1_000_002, [1], [None], [0x806D0000]))
    assert record.path.name == "truth-17.arrow"
    assert truth.read(record.path).to_pylist() == [
        {
            "node": "V1.A",
            "time": 1_000_001,
            "ticks": 116_444_736_010_000_010,
            "value": 0.1 + 0.2,
            "text": None,
            "status": 0,
        },
        {
            "node": "V1.Phase",
            "time": 1_000_001,
            "ticks": 116_444_736_010_000_010,
            "value": None,
            "text": "Growth",
            "status": 0,
        },
        {
            "node": "V1.B",
            "time": 1_000_002,
            "ticks": 116_444_736_010_000_020,
            "value": None,
            "text": None,
            "status": 0x806D0000,
        },
    ]


def test_an_instant_is_readable_at_once_without_closing(tmp_path: Path) -> None:
    record = truth.Truth(tmp_path, 17, NODES)
    record.write(Instant(5, [0], [1.0]))
    assert truth.read(record.path)["time"].to_pylist() == [5]
    record.write(Instant(6, [0], [2.0]))
    assert truth.read(record.path)["time"].to_pylist() == [5, 6]
    record.__exit__()


def test_whatever_a_kill_cuts_off_the_instants_before_stay(tmp_path: Path) -> None:
    record = truth.Truth(tmp_path, 17, NODES)
    for n in range(3):
        record.write(Instant(n, [0, 1], [1.0, 2.0]))
    whole = record.path.read_bytes()
    record.__exit__()
    cut = tmp_path / "cut.arrow"
    sizes = set()
    for length in (*range(0, len(whole), 5), len(whole)):
        cut.write_bytes(whole[:length])
        times = truth.read(cut)["time"].to_pylist()
        assert times == [n for n in range(3) for _ in (0, 1)][: len(times)]
        sizes.add(len(times))
    assert sizes == {0, 2, 4, 6}


def test_a_run_never_writes_over_the_record_of_another(tmp_path: Path) -> None:
    with truth.Truth(tmp_path, 17, NODES), pytest.raises(FileExistsError):
        truth.Truth(tmp_path, 17, NODES)


def test_a_replaced_file_is_the_new_one_and_floats_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert read_json(path) is None
    replace_json(path, {"x": 0.1 + 0.2}, durable=True)
    replace_json(path, {"x": 1e-300})
    assert read_json(path) == {"x": 1e-300}
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(FileDamaged, match=r"state\.json: expected"):
        read_json(path)
