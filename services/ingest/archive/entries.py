"""What a record of the log says to the archiver. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.bus import Damaged, Position, Record
from shared.domain import Gap, GapCause, Kind, SubscriptionState, Topic
from shared.plant import PlantInvalid, parse_plant
from shared.readings import Block
from shared.store.events import Said
from shared.wire import (
    ConfigurationRecord,
    LedgerCounts,
    NotUnderstood,
    ReadingsHeader,
    decode_configuration,
    decode_gap,
    decode_ledger,
    decode_readings,
    decode_subscriptions,
)
from shared.wire_events import decode_event
from shared.wire_filled import Filled, decode_filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings of one record."""

    header: ReadingsHeader
    block: Block


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Changed subscription states of a server."""

    server: str
    states: tuple[SubscriptionState, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that cannot be understood, or that the database refuses."""

    reason: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """A record that the archiver has no part in, such as clock and liveness."""


Meaning = (
    Readings
    | Gap
    | Filled
    | Subscriptions
    | Said
    | tuple[LedgerCounts, ...]
    | ConfigurationRecord
    | Unreadable
    | Nothing
    | Damaged
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, or one damaged stretch, with what it means."""

    source: Record | Damaged
    meaning: Meaning

    @property
    def first(self) -> Position:
        """Where it begins in the log."""
        if isinstance(self.source, Damaged):
            return self.source.first
        return self.source.position

    @property
    def next(self) -> Position:
        """Where the log goes on behind it."""
        last = self.first
        if isinstance(self.source, Damaged):
            last = self.source.last
        return Position(last.epoch, last.offset + 1)

    @property
    def rows(self) -> int:
        """Readings in it."""
        return len(self.meaning.block) if isinstance(self.meaning, Readings) else 0

    @property
    def tells_damage(self) -> bool:
        """Whether it stands for records that were damaged: here, or in the spool."""
        meaning = self.meaning
        if isinstance(meaning, Gap):
            return meaning.cause == GapCause.LOG_DAMAGED
        return isinstance(meaning, Damaged)

    @property
    def stands_alone(self) -> bool:
        """Whether it gets a transaction of its own: it depends on what is stored.

        Of a configuration it is what follows that depends.
        """
        return isinstance(self.meaning, ConfigurationRecord) or self.tells_damage


def read(source: Record | Damaged) -> Entry:
    """Return what came from the log with its meaning; nothing is ever refused here."""
    if isinstance(source, Damaged):
        return Entry(source, source)
    try:
        return Entry(source, _meaning(source))
    except (NotUnderstood, PlantInvalid) as error:
        return Entry(source, Unreadable(str(error)))


def _meaning(record: Record) -> Meaning:
    if record.at.topic == Topic.EVENTS:
        return _said(record)
    kind = record.headers.get("kind")
    if kind is None or kind not in set(Kind):
        raise NotUnderstood(f"header kind {kind!r}: expected one of {sorted(Kind)}")
    if kind == Kind.READINGS:
        return Readings(*decode_readings(record.headers, record.value))
    decode = _DECODERS.get(Kind(kind))
    return Nothing() if decode is None else decode(record.value)


def _said(record: Record) -> Said:
    place = record.position
    topic_at = f"{place.epoch}/{record.at.partition}/{place.offset}"
    return Said(topic_at, decode_event(record.headers, record.value))


def _subscriptions(value: bytes) -> Subscriptions:
    return Subscriptions(*decode_subscriptions(value))


def _configuration(value: bytes) -> ConfigurationRecord:
    record = decode_configuration(value)
    parse_plant(record.text, f"configuration version {record.version}")
    return record


_DECODERS: Mapping[Kind, Callable[[bytes], Meaning]] = {
    Kind.GAP: decode_gap,
    Kind.FILLED: decode_filled,
    Kind.SUBSCRIPTIONS: _subscriptions,
    Kind.LEDGER: decode_ledger,
    Kind.CONFIGURATION: _configuration,
}


def not_stored(entries: Sequence[Entry], start: Position) -> list[Entry]:
    """Return the entries from `start` on, and damage that reaches or touches it.

    Damage between two records, which covers no offset, lies at the second one's.
    """
    return [
        entry
        for entry in entries
        if entry.first.offset >= start.offset or entry.next.offset > start.offset
    ]


def portions(entries: Sequence[Entry], most_rows: int) -> list[list[Entry]]:
    """Cut consecutive entries of a partition into transactions, order kept.

    Args:
        entries: oldest first.
        most_rows: readings a portion may hold; a single larger record stays whole.
    """
    cut: list[list[Entry]] = []
    rows = 0
    for entry in entries:
        fits = cut and not (entry.stands_alone or cut[-1][-1].stands_alone)
        if fits and rows + entry.rows <= most_rows:
            cut[-1].append(entry)
            rows += entry.rows
        else:
            cut.append([entry])
            rows = entry.rows
    return cut
