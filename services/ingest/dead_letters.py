"""Dead letters read back: what each one holds, and how it goes on its way again. Pure.

A letter is kept by the archiver (a record, or rows of one, that could not be stored) or
by the collector (readings of impossible times, notifications that were no OPC UA).
Readings go again to topic `backfill`, where they disturb no watermark, as
`republished`: the store keeps each once however often they come. Anything else goes to
where it came from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.bus import Message, TopicPartition
from shared.domain import FedbatchError, Kind, Origin, Topic
from shared.wire import WIRE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.bus import Position, Record

REPLAYED = "replayed"
"""Header of a record that came from a letter: `<epoch>:<offset>` of the letter."""
_DONE = "replay-of"
"""Header of the note, beside the letters, that one of them was replayed."""
_ORIGINAL = "original-"
_READINGS_HEADERS = frozenset(
    {"wire", "origin", "server", "session", "sequence", "configuration", "rows"}
)


class NotReplayable(FedbatchError):  # noqa: N818
    """What is left of a letter cannot be put on the log again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter."""

    position: Position
    time: int
    """When it was kept, us UTC."""
    reason: str
    came_from: str
    """Topic, partition and offset, or the server, for a person."""
    at: TopicPartition | None
    """Where it lay on the log; None when it never was there."""
    headers: Mapping[str, str]
    """Those of the record; empty when they are unknown."""
    size: int
    """Bytes of the record."""
    raw: bytes
    """What is kept of them."""
    sha256: str
    """Of the whole record; empty when unknown."""
    replayed: bool = False

    @property
    def number(self) -> int:
        """By what a person names it: its offset."""
        return self.position.offset

    @property
    def is_whole(self) -> bool:
        """Whether every byte is there as it was."""
        known = not self.sha256 or hashlib.sha256(self.raw).hexdigest() == self.sha256
        return len(self.raw) == self.size and known

    @property
    def rows(self) -> int | None:
        """Readings in it; None when it holds none or nobody knows."""
        text = self.headers.get("rows", "")
        return int(text) if text.isdigit() else None


def letters(records: Iterable[Record]) -> list[Letter]:
    """Return the letters among the records of the topic, oldest first."""
    found: dict[str, Letter] = {}
    done: set[str] = set()
    for record in records:
        if _DONE in record.headers:
            done.add(record.headers[_DONE])
        else:
            found[_name(record.position)] = _letter(record)
    return [
        replace(letter, replayed=True) if name in done else letter
        for name, letter in found.items()
    ]


def _name(position: Position) -> str:
    return f"{position.epoch}:{position.offset}"


def _letter(record: Record) -> Letter:
    headers = record.headers
    at = None
    came_from = f"server {headers.get('server', 'unknown')}"
    original = {
        name.removeprefix(_ORIGINAL): text
        for name, text in headers.items()
        if name.startswith(_ORIGINAL)
    }
    if "topic" in headers and headers.get("partition", "").isdigit():
        at = TopicPartition(headers["topic"], int(headers["partition"]))
        came_from = f"{at.topic}-{at.partition} at {headers.get('offset', '?')}"
    elif set(headers) >= _READINGS_HEADERS:
        original = {name: headers[name] for name in sorted(_READINGS_HEADERS)}
        original["kind"] = Kind.READINGS.value
    size = headers.get("bytes", "")
    return Letter(
        position=record.position,
        time=record.time,
        reason=headers.get("reason", ""),
        came_from=came_from,
        at=at,
        headers=original,
        size=int(size) if size.isdigit() else len(record.value),
        raw=record.value,
        sha256=headers.get("sha256", ""),
    )


def again(letter: Letter) -> tuple[TopicPartition, Message]:
    """Return where a letter's record goes and what it is.

    Raises:
        NotReplayable: it is not whole, or was no record of the log.
    """
    what = f"dead letter {letter.number} ({letter.came_from})"
    if not letter.is_whole:
        raise NotReplayable(
            f"{what}: {len(letter.raw)} of {letter.size} bytes are kept; expected all"
        )
    if "kind" not in letter.headers:
        raise NotReplayable(
            f"{what}: expected a record of the log; these bytes are none, and what "
            "they may have held is a declared gap"
        )
    mark = {REPLAYED: _name(letter.position)}
    if letter.headers["kind"] != Kind.READINGS:
        if letter.at is None:
            raise NotReplayable(f"{what}: expected to know where it lay on the log")
        return letter.at, Message({**letter.headers, **mark}, letter.raw)
    origin = {"origin": Origin.REPUBLISHED.value}
    part = 0 if letter.at is None else letter.at.partition
    headers = {**letter.headers, **origin, **mark}
    return TopicPartition(Topic.BACKFILL, part), Message(headers, letter.raw)


def note(letter: Letter, actor: str) -> Message:
    """Return the record that says, beside the letters, that one was replayed."""
    return Message(
        {
            "kind": Kind.DEAD_LETTER.value,
            "wire": str(WIRE_VERSION),
            _DONE: _name(letter.position),
            "actor": actor,
        },
        b"",
    )
