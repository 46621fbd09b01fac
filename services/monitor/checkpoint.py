"""What the monitor knows of a partition, on disk, so that a restart goes on from it.

A file is one line (`fedbatch-monitor`, version, CRC32C, lengths), then JSON (scalars,
the state of every vessel, positions), then the waiting readings as the Arrow stream of
a readings record. It replaces the one before it atomically; that one is kept as well.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import google_crc32c

from services.monitor.detectors.models import ModelUnusable
from services.monitor.detectors.residual import SnapshotUnknown
from services.monitor.partition import PartitionWatch
from services.monitor.reorder import Marks, Passed
from services.monitor.vessel import StateUnusable
from shared.bus import Position
from shared.domain import FedbatchError, Origin
from shared.plant import PlantInvalid
from shared.readings import Block, empty, merge
from shared.wire import (
    WIRE_VERSION,
    ConfigurationRecord,
    Liveness,
    NotUnderstood,
    ReadingsHeader,
    decode_readings,
    encode_readings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from services.monitor.partition import Watched

VERSION = 1
"""Of the file's layout; another one is not read."""
_MAGIC = "fedbatch-monitor"
_OF_OTHERS = (
    NotUnderstood,
    PlantInvalid,
    StateUnusable,
    ModelUnusable,
    SnapshotUnknown,
)
_HEADER = ReadingsHeader(Origin.LIVE, "checkpoint", "checkpoint", (0, 0), 0)


class CheckpointUnusable(FedbatchError):  # noqa: N818
    """A file that nothing can go on from; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place in the input, and everything that was known there."""

    watch: PartitionWatch
    input: Position
    """The next record of `plant`."""
    events: Position
    """Where `events` ended: all that was said before `input` lies before it."""


def encode(checkpoint: Checkpoint) -> list[bytes]:
    """Return the file's content in pieces: whole, it would be in memory twice."""
    state, vessels, rows = _state(checkpoint.watch)
    state["input"] = asdict(checkpoint.input)
    state["events"] = asdict(checkpoint.events)
    state["waiting"], waiting = encode_readings(rows, _HEADER)
    state["vessels"] = {}
    pieces = [_json(state).removesuffix(b"}}")]
    for number, (name, one) in enumerate(vessels.items()):
        pieces += [b"," if number else b"", _json(name), b":", one]
    pieces.append(b"}}")
    length = sum(map(len, pieces))
    pieces.append(waiting)
    crc = reduce(google_crc32c.extend, pieces, 0)
    first = f"{_MAGIC} {VERSION} {crc:08x} {length} {len(waiting)}\n"
    return [first.encode(), *pieces]


def _json(what: object) -> bytes:
    return json.dumps(what, separators=(",", ":")).encode()


def decode(content: bytes, snapshots: Mapping[str, str] | None = None) -> Checkpoint:
    """Return what a file holds.

    Args:
        content: of the file.
        snapshots: approved models of frozen residuals by SHA-256.

    Raises:
        CheckpointUnusable: another version, damaged, or of detectors that are no more.
    """
    text, waiting = _parts(content)
    try:
        state = json.loads(text)
        _, rows = decode_readings(state["waiting"], waiting)
        watch = _restored(state, rows, snapshots)
        places = [Position(**state[name]) for name in ("input", "events")]
    except (KeyError, ValueError, TypeError, *_OF_OTHERS) as error:
        raise CheckpointUnusable(
            f"checkpoint: expected the state that this version writes: {error!r}"
        ) from error
    return Checkpoint(watch, places[0], places[1])


def _parts(content: bytes) -> tuple[bytes, bytes]:
    first, _, rest = content.partition(b"\n")
    words = first.decode("ascii", "replace").split(" ")
    expected = f"{_MAGIC} {VERSION} <crc> <length> <length>"
    if len(words) != 5 or words[:2] != [_MAGIC, str(VERSION)]:
        raise CheckpointUnusable(
            f"checkpoint: found {first[:60]!r}, expected {expected!r}"
        )
    try:
        crc, sizes = int(words[2], 16), (int(words[3]), int(words[4]))
    except ValueError as error:
        raise CheckpointUnusable(
            f"checkpoint: {error}, expected {expected!r}"
        ) from error
    if len(rest) != sum(sizes) or google_crc32c.value(rest) != crc:
        raise CheckpointUnusable(
            f"checkpoint: {len(rest)} bytes do not have the checksum {words[2]} of the "
            f"{sum(sizes)} that were written"
        )
    return rest[: sizes[0]], rest[sizes[0] :]


def _state(watch: PartitionWatch) -> tuple[dict[str, Any], dict[str, bytes], Block]:
    """Return the state but its vessels, these as JSON, and the waiting readings.

    A vessel's is written at once: as objects, all of them would be a multiple of it.
    """
    snapshots: list[Mapping[int, bool]] = [watch.proofs.last()]
    waiting: list[Block] = []
    vessels = {}
    for name, watched in watch.vessels.items():
        rows, clocks = watched.reorder.waiting()
        waiting.append(rows)
        vessels[name] = _json(
            {
                "marks": asdict(watched.reorder.marks),
                "clocks": [[c.now, _number(c.alive, snapshots)] for c in clocks],
                "last": [[tag, *key] for tag, key in watched.reorder.last().items()],
                "batches": watched.batches.state(),
                "watch": watched.watch.state(),
            }
        )
    record = watch.configuration
    state = {
        "wire": WIRE_VERSION,
        "partition": watch.partition,
        "configuration": None if record is None else asdict(record),
        "clock": watch.clock,
        "readings": watch.readings,
        "said": watch.proofs.state(),
        "alive": [[tag for tag, proven in s.items() if proven] for s in snapshots],
    }
    return state, vessels, merge(waiting) if waiting else empty()


def _number(alive: Mapping[int, bool], snapshots: list[Mapping[int, bool]]) -> int:
    """Return the place of a snapshot in the list, where it is put if it is new."""
    for number, known in enumerate(snapshots):
        if known is alive:
            return number
    snapshots.append(alive)
    return len(snapshots) - 1


def _restored(
    state: Mapping[str, Any], rows: Block, snapshots: Mapping[str, str] | None
) -> PartitionWatch:
    watch = PartitionWatch(state["partition"], snapshots)
    watch.clock, watch.readings = state["clock"], state["readings"]
    if state["configuration"] is not None:
        watch.configure(ConfigurationRecord(**state["configuration"]))
    proven = [set(tags) for tags in state["alive"]]
    known = watch.proofs.last()
    lives = [{tag: tag in alive for tag in known} for alive in proven]
    watch.proofs.restore([_liveness(said) for said in state["said"]], lives[0])
    held = {watched.vessel.name: part for watched, part in watch.by_vessel(rows)}
    for name, watched in watch.vessels.items():
        _restore(watched, state["vessels"][name], held.get(name, empty()), lives)
    return watch


def _liveness(said: Mapping[str, Any]) -> Liveness:
    tags = said["tags"]
    return Liveness(
        said["server"],
        said["session"],
        said["alive_at"],
        None if tags is None else tuple(tags),
    )


def _restore(
    watched: Watched,
    state: Mapping[str, Any],
    rows: Block,
    lives: list[dict[int, bool]],
) -> None:
    clocks = [Passed(now, lives[number]) for now, number in state["clocks"]]
    last = {tag: (time, tie) for tag, time, tie in state["last"]}
    watched.reorder.restore(Marks(**state["marks"]), rows, clocks, last)
    watched.batches.restore(state["batches"])
    watched.watch.restore(state["watch"])


class CheckpointFile:
    """The checkpoint of one partition, and the one before it.

    Bounded by: two files. When full (the disk): OSError; the ones before stay. Order:
    the newest that is whole is read. Duplicates: written again, it replaces itself. On
    cancel: a file is whole or not there.
    """

    def __init__(
        self,
        folder: Path,
        partition: int,
        snapshots: Mapping[str, str] | None = None,
    ) -> None:
        self._snapshots = snapshots
        self.path = folder / f"partition-{partition}.checkpoint"
        self._previous = self.path.with_suffix(".previous")

    def write(self, content: Sequence[bytes]) -> None:
        """Replace the checkpoint; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".fresh")
        with fresh.open("wb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        if self.path.exists():
            self.path.replace(self._previous)
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self) -> tuple[Checkpoint | None, list[str]]:
        """Return the newest usable checkpoint, and why newer files were not usable."""
        reasons: list[str] = []
        for path in (self.path, self._previous):
            try:
                return decode(path.read_bytes(), self._snapshots), reasons
            except FileNotFoundError:
                continue
            except (CheckpointUnusable, OSError) as error:
                reasons.append(f"{path.name}: {error}")
        return None, reasons
