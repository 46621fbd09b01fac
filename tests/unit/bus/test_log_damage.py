"""Damage to the local log: what is sound is read, what is not is declared."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from shared.bus import Damaged, Message, Position, Record, TopicPartition
from shared.bus.frames import Frame
from shared.bus.reading import LogReader
from shared.bus.salvage import Salvage
from shared.bus.segments import create_segment, segments
from shared.bus.writing import LogFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = TopicPartition("plant", 0)
EPOCH = "00112233445566aa"
PLENTY = 1 << 30


class Log:
    """A log with known content, and its pristine copy."""

    def __init__(self, folder: Path, *, segment_bytes: int = 1 << 28) -> None:
        self.folder = folder
        self.now = 1_000_000
        create_segment(folder, EPOCH, 0)
        self.file = self._writer(segment_bytes)
        self.values: list[bytes] = []

    def _writer(self, segment_bytes: int) -> LogFile:
        def tick() -> int:
            self.now += 1
            return self.now

        return LogFile(AT, self.folder, segment_bytes=segment_bytes, clock=tick)

    def append(self, *values: bytes) -> None:
        messages = [Message({"kind": "clock"}, value) for value in values]
        first = self.file.append([messages])[0].offset
        assert first == len(self.values)
        self.values.extend(values)

    @property
    def last_file(self) -> Path:
        return segments(self.folder)[-1].path


def everything(folder: Path, start: int = 0) -> list[Record | Damaged]:
    """Read a log from `start` to its head."""
    reader = LogReader(AT, folder)
    found: list[Record | Damaged] = []
    position = Position(EPOCH, start)
    while part := reader.read(position, PLENTY):
        found += part
        last = part[-1]
        at = last.position if isinstance(last, Record) else last.last
        position = Position(EPOCH, at.offset + 1)
    reader.close()
    return found


def assert_only_the_truth(found: list[Record | Damaged], log: Log) -> set[int]:
    """Check that every offset is either right or declared; return the declared."""
    expected = 0
    damaged: set[int] = set()
    for each in found:
        if isinstance(each, Record):
            assert each.position.offset == expected
            assert each.value == log.values[expected]
            assert each.headers == {"kind": "clock"}
            expected += 1
        else:
            assert each.first.offset == expected
            damaged |= set(range(expected, each.last.offset + 1))
            expected = each.last.offset + 1
    assert expected == len(log.values)
    return damaged


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path / "log")
    yield made
    made.file.close()


def places_of(content: bytes, needle: bytes) -> range:
    at = content.index(needle)
    assert content.find(needle, at + 1) == -1
    return range(at, at + len(needle))


def flip(path: Path, at: int) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        byte = os.pread(descriptor, 1, at)
        os.pwrite(descriptor, bytes([byte[0] ^ 0x41]), at)
    finally:
        os.close(descriptor)


def test_every_flipped_byte_of_the_last_record_damages_only_that_record(
    log: Log,
) -> None:
    log.append(b"first" * 10, b"second" * 10, b"third" * 10)
    log.file.close()
    content = log.last_file.read_bytes()
    value = places_of(content, b"third" * 10)
    cell = range(value.start - 70, value.stop)  # its header, frame and headers too
    declared = 0
    for at in cell:
        flip(log.last_file, at)
        damaged = assert_only_the_truth(everything(log.folder), log)
        assert damaged <= {2}
        declared += damaged == {2}
        flip(log.last_file, at)
    assert declared >= len(value) + 32
    assert not assert_only_the_truth(everything(log.folder), log)


def test_every_flipped_byte_of_a_record_over_several_pages_is_noticed(
    log: Log,
) -> None:
    log.append(os.urandom(9_000), os.urandom(9_000), os.urandom(9_000))
    log.file.close()
    pages = log.last_file.stat().st_size // 4096
    damaged: set[int] = set()
    for page in range(2, pages):
        for at in (0, 1, 2, 3, 4, 5, 100, 2000, 4095):
            flip(log.last_file, page * 4096 + at)
            damaged |= assert_only_the_truth(everything(log.folder), log)
            flip(log.last_file, page * 4096 + at)
    assert damaged == {0, 1, 2}
    assert not assert_only_the_truth(everything(log.folder), log)


def test_a_file_cut_anywhere_in_its_tail_keeps_every_whole_record(log: Log) -> None:
    log.append(*[bytes([number]) * 3_000 for number in range(6)])
    log.append(b"\xff" * 6_000)
    log.file.close()
    whole = log.last_file.read_bytes()
    last = whole.index(b"\xff" * 64)
    for size in range(last, len(whole), 17):
        log.last_file.write_bytes(whole[:size])
        damaged = assert_only_the_truth(everything(log.folder), log)
        assert damaged <= {6}
    assert damaged == {6}


@pytest.mark.parametrize("size", [0, 1, 99, 4096, 5000])
def test_a_file_cut_to_its_beginning_is_declared_whole(log: Log, size: int) -> None:
    log.append(b"a" * 5_000, b"b" * 5_000)
    log.file.close()
    log.last_file.write_bytes(log.last_file.read_bytes()[:size])
    found = everything(log.folder)
    assert assert_only_the_truth(found, log) == {0, 1}
    assert isinstance(found[0], Damaged)
    assert (found[0].after, found[0].before) == (None, None)


def test_records_are_read_though_sqlite_refuses_the_file(log: Log) -> None:
    log.append(*[b"%d" % number * 700 for number in range(50)])
    log.file.close()
    with log.last_file.open("r+b") as file:
        file.write(bytes(4096))
    assert not assert_only_the_truth(everything(log.folder), log)


@pytest.fixture
def unfolded(log: Log, tmp_path: Path) -> Log:
    """Return a log whose records are still in the WAL, as after kill -9."""
    for number in range(12):
        log.append(bytes([number + 1]) * 1_500)
    copy = tmp_path / "copy"
    shutil.copytree(log.folder, copy)
    (copy / (log.last_file.name + "-shm")).unlink()
    log.folder = copy
    return log


def test_records_in_the_wal_survive_the_process_that_wrote_them(unfolded: Log) -> None:
    assert not assert_only_the_truth(everything(unfolded.folder), unfolded)


def test_a_wal_cut_or_flipped_in_its_tail_is_noticed(
    unfolded: Log, tmp_path: Path
) -> None:
    wal = unfolded.last_file.with_name(unfolded.last_file.name + "-wal")
    size = wal.stat().st_size
    frame = 24 + 4096
    noticed = 0
    for at in range(size - frame, size, 97):
        for cut in (True, False):
            trial = tmp_path / "trial"
            shutil.copytree(unfolded.folder, trial)
            if cut:
                os.truncate(trial / wal.name, at)
            else:
                flip(trial / wal.name, at)
            damaged = assert_only_the_truth(everything(trial), unfolded)
            assert damaged <= {11}
            noticed += damaged == {11}
            shutil.rmtree(trial)
    assert noticed > 50


def test_a_lost_wal_is_declared_and_its_offsets_are_never_used_again(
    unfolded: Log,
) -> None:
    unfolded.last_file.with_name(unfolded.last_file.name + "-wal").unlink()
    lost = list(unfolded.values)
    writer = LogFile(AT, unfolded.folder, segment_bytes=1 << 28, clock=lambda: 5)
    assert writer.append([[Message({"kind": "clock"}, b"new")]])[0].offset == 12
    writer.close()
    unfolded.values = [*lost, b"new"]
    found = everything(unfolded.folder)
    assert assert_only_the_truth(found, unfolded) == set(range(12))


def test_damage_names_its_range_and_the_times_around_it(log: Log) -> None:
    for value in (b"a" * 3000, b"b" * 3000, b"c" * 3000):
        log.append(value)
    log.file.close()
    content = log.last_file.read_bytes()
    flip(log.last_file, content.index(b"b" * 100) + 50)
    before, damage, after = everything(log.folder)
    assert isinstance(before, Record)
    assert isinstance(damage, Damaged)
    assert isinstance(after, Record)
    assert (damage.first, damage.last) == (Position(EPOCH, 1), Position(EPOCH, 1))
    assert (damage.after, damage.before) == (before.time, after.time)
    assert b"b" * 50 in damage.raw
    assert "1 to 1" in damage.reason


def test_a_missing_segment_is_declared_between_its_neighbours(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", segment_bytes=8_192)
    for number in range(30):
        log.append(bytes([number]) * 1_000)
    log.file.close()
    listed = segments(log.folder)
    listed[1].path.unlink()
    damaged = assert_only_the_truth(everything(log.folder), log)
    assert damaged == set(range(listed[1].base, listed[2].base))


def test_a_writer_leaves_a_damaged_segment_and_goes_on_in_a_new_one(log: Log) -> None:
    log.append(b"a" * 50, b"b" * 50)
    log.file.close()
    log.last_file.write_bytes(b"not a database" * 1000)
    log.append(b"c")
    assert len(segments(log.folder)) == 2
    assert assert_only_the_truth(everything(log.folder), log) == {0, 1}


def test_a_garbage_offset_does_not_move_the_head(log: Log) -> None:
    log.append(b"a" * 50, b"b" * 50)
    log.file.close()
    content = log.last_file.read_bytes()
    frame = content.index(b"b" * 50)
    page = frame // 4096 * 4096
    pointer = int.from_bytes(content[page + 10 : page + 12], "big")
    flip(log.last_file, page + pointer + 2)  # the second cell's rowid, after its size
    assert assert_only_the_truth(everything(log.folder), log) == {1}
    log.append(b"c")
    assert assert_only_the_truth(everything(log.folder), log) == {1}


def test_a_damaged_witness_costs_nothing(log: Log) -> None:
    log.append(b"a", b"b")
    flip(log.folder / "head", 3)
    assert not assert_only_the_truth(everything(log.folder), log)
    log.append(b"c")
    assert not assert_only_the_truth(everything(log.folder), log)


def test_a_producer_whose_sequence_jumps_has_lost_records(log: Log) -> None:
    log.append(b"a")
    log.file._sequence += 3
    log.append(b"b")
    first, jump, second = everything(log.folder)
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert isinstance(jump, Damaged)
    assert (jump.first.offset, jump.last.offset) == (1, 0)
    assert "continues at 4, expected 1" in jump.reason


def test_a_segment_of_another_log_is_refused_record_by_record(
    log: Log, tmp_path: Path
) -> None:
    log.append(b"a")
    log.file.close()
    other = tmp_path / "other"
    other.mkdir()
    name = log.last_file.name.replace(EPOCH, "f" * 16)
    shutil.copy(log.last_file, other / name)
    reader = LogReader(AT, other)
    assert not reader.read(Position("f" * 16, 0), PLENTY)
    reader.close()


def test_salvage_finds_every_record_of_a_segment_without_sqlite(log: Log) -> None:
    for number in range(300):
        log.append(bytes([number % 256]) * (number * 40))
    salvage = Salvage(segments(log.folder)[-1], range(400))
    frames = salvage.run(0, PLENTY)
    assert [frame.value for frame in frames] == log.values
    assert all(isinstance(frame, Frame) for frame in frames)


@pytest.mark.parametrize("seed", range(4))
def test_bytes_flipped_anywhere_cost_only_what_is_declared(
    tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    log = Log(tmp_path / "log", segment_bytes=32_768)
    for number in range(40):
        log.append(bytes([number]) * dice.randrange(1, 3_000))
    log.file.close()
    files = [segment.path for segment in segments(log.folder)]
    assert len(files) > 1
    hurt = 0
    for _ in range(60):
        path = dice.choice(files)
        at = dice.randrange(path.stat().st_size)
        flip(path, at)
        hurt += bool(assert_only_the_truth(everything(log.folder), log))
        flip(path, at)
    assert hurt
    assert not assert_only_the_truth(everything(log.folder), log)
