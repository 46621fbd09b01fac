"""A checkpoint goes on exactly where it was made, or says why it cannot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from services.monitor.checkpoint import (
    Checkpoint,
    CheckpointFile,
    CheckpointUnusable,
    decode,
    encode,
)
from services.monitor.partition import PartitionWatch
from shared.bus import Position
from shared.wire_events import encode_event
from tests.neighbours.story import YAML, configuration, records, told

if TYPE_CHECKING:
    from pathlib import Path

    from shared.bus import Record

SECONDS = 48


def place(offset: int) -> Position:
    """Return a position of the story's log."""
    return Position("epoch", offset)


def events(watch: PartitionWatch, part: list[Record]) -> list[bytes]:
    """Return what the records make, as it is published."""
    return [encode_event(event)[1] for record in part for event in watch.see(record)]


@pytest.fixture(scope="module")
def story() -> list[Record]:
    """Return the records of the story."""
    return records(told(0, SECONDS))


def made(story: list[Record], end: int) -> bytes:
    """Return the checkpoint after `end` records."""
    watch = PartitionWatch(0)
    events(watch, story[:end])
    return b"".join(encode(Checkpoint(watch, place(end), place(3))))


def test_whoever_goes_on_from_any_checkpoint_makes_the_same_events(
    story: list[Record],
) -> None:
    undisturbed = PartitionWatch(0)
    whole = [events(undisturbed, [record]) for record in story]
    assert sum(len(part) for part in whole) > 12
    watch = PartitionWatch(0)
    for number, record in enumerate(story):
        assert events(watch, [record]) == whole[number]
        if number % 5 == 4:
            content = b"".join(encode(Checkpoint(watch, place(number + 1), place(3))))
            checkpoint = decode(content)
            assert checkpoint.input == place(number + 1)
            watch = checkpoint.watch
    assert watch.readings == undisturbed.readings > 0


def test_a_checkpoint_read_back_is_written_the_same(story: list[Record]) -> None:
    content = made(story, 100)
    assert b"".join(encode(decode(content))) == content


def test_any_damaged_byte_is_noticed(story: list[Record]) -> None:
    content = bytearray(made(story, 40))
    for at in range(0, len(content), max(1, len(content) // 400)):
        content[at] ^= 0x10
        with pytest.raises(CheckpointUnusable):
            decode(bytes(content))
        content[at] ^= 0x10
    for cut in (0, 1, 30, len(content) - 1):
        with pytest.raises(CheckpointUnusable):
            decode(bytes(content[:cut]))


def test_another_version_is_named(story: list[Record]) -> None:
    content = made(story, 10).replace(b"fedbatch-monitor 1 ", b"fedbatch-monitor 2 ")
    with pytest.raises(CheckpointUnusable, match="found b'fedbatch-monitor 2"):
        decode(content)


def test_a_damaged_file_gives_way_to_the_one_before(
    tmp_path: Path, story: list[Record]
) -> None:
    file = CheckpointFile(tmp_path / "state", 0)
    assert file.read() == (None, [])
    file.write([made(story, 10)])
    file.write([made(story, 20)])
    found, reasons = file.read()
    assert found is not None
    assert (found.input, reasons) == (place(20), [])
    file.path.write_bytes(b"fedbatch-monitor 1 half")
    found, reasons = file.read()
    assert found is not None
    assert found.input == place(10)
    assert len(reasons) == 1
    assert "partition-0.checkpoint: checkpoint: found" in reasons[0]


def test_an_unchanged_vessel_goes_on_through_a_new_configuration(
    story: list[Record],
) -> None:
    changed = records([configuration(YAML.replace("name: BR102", "name: BR103"), 2)])[0]
    plain, reconfigured = PartitionWatch(0), PartitionWatch(0)
    events(reconfigured, story[:60])
    said = events(reconfigured, [changed])
    assert [json.loads(line)["what"] for line in said] == ["configuration"]
    events(plain, story[:60])
    assert events(plain, story[60:]) == events(reconfigured, story[60:])


def test_a_new_limit_is_told_with_both_values(story: list[Record]) -> None:
    watch = PartitionWatch(0)
    events(watch, story[:60])
    text = YAML.replace("value: 37.5, on_delay_s: 3", "value: 39.5, on_delay_s: 3")
    lines = events(watch, records([configuration(text, 2)]))
    (change,) = [json.loads(line) for line in lines]
    assert (change["old"], change["new"], change["actor"]) == (
        "sha-1",
        "sha-2",
        "engineer",
    )
    assert change["details"] == {
        "version": "2",
        "BR101/T limit h value": "37.5 -> 39.5",
    }
    assert watch.vessels["BR101"].batches.batch == "B0"


def test_only_one_partition_tells_of_a_configuration() -> None:
    first, second = PartitionWatch(0), PartitionWatch(1)
    record = records([configuration()])
    assert len(events(first, record)) == 1
    assert events(second, record) == []
    assert list(second.vessels) == ["BR102"]


def test_a_configuration_that_is_wrong_changes_nothing(story: list[Record]) -> None:
    watch = PartitionWatch(0)
    events(watch, story[:60])
    assert events(watch, records([configuration("site: [", 2)])) == []
    assert watch.unreadable
    assert watch.configuration is not None
    assert watch.configuration.sha256 == "sha-1"
