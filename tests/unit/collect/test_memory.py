"""What survives a crash of the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.ingest.collect.beat import Beat
from services.ingest.collect.memory import (
    MemoryDamaged,
    MemoryFile,
    ServerMemory,
    recall,
)
from services.ingest.collect.writer import Writer
from shared.bus import Position
from shared.domain import GapCause

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_remembered_on_the_first_start(tmp_path: Path) -> None:
    assert recall(tmp_path) == {}


def test_what_was_kept_comes_back_equal(tmp_path: Path) -> None:
    kept = {
        "A": ServerMemory(12, GapCause.SERVER_UNREACHABLE, 13, {7: 14}, 78, 15),
        "B": ServerMemory(),
    }
    MemoryFile(tmp_path).keep(kept)
    assert recall(tmp_path) == kept


@pytest.mark.parametrize(
    "text", ["", "{}", '{"servers": [1]}', '{"servers": {"A": 1}}']
)
def test_a_damaged_file_is_named_and_never_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "collector.json").write_text(text)
    with pytest.raises(MemoryDamaged, match=r"collector\.json"):
        recall(tmp_path)


async def test_a_disk_that_takes_nothing_is_said_once_and_disturbs_no_beat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def append(*_: object) -> Position:
        return Position("e", 0)

    folder = tmp_path / "absent"
    memories = {"a": ServerMemory(reached=5)}
    beat = Beat(
        Writer(append, {0: Position("e", 0)}),
        {},
        ledgers={},
        memories=memories,
        file=MemoryFile(folder),
    )
    beat.beat()
    beat.beat()
    assert len(caplog.records) == 1
    assert str(folder) in caplog.text
    folder.mkdir()
    beat.beat()
    assert recall(folder) == memories
