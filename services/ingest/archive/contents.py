"""Entries of a partition to one transaction and its dead letters. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from services.ingest.archive.entries import Entry, Readings, Subscriptions, Unreadable
from services.ingest.archive.letters import record_letter, rows_letters
from shared.bus import Damaged, Message, Position, TopicPartition
from shared.domain import Gap, GapCause, SubscriptionState, Topic
from shared.readings import Block, empty, merge
from shared.store.acceptance import sort_out
from shared.store.batches import Context, ContextReading, Seen, follow
from shared.store.events import Said
from shared.store.ledger import Cells, cells
from shared.store.transaction import NO_CELLS, Content, Quarantined
from shared.wire import ConfigurationRecord, LedgerCounts
from shared.wire_filled import Filled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.store.configuration import KnownPlant
    from shared.store.reached import Reached

UNKNOWN_SERVER = "unknown"
"""Server of a gap on a partition that no configuration has named a vessel of."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the archiver knows while it reads a portion."""

    plant: KnownPlant
    contexts: Mapping[str, Context]
    expected: Position | None
    """Where the database has the partition."""
    now: int
    """The archiver's clock, us UTC: the end of a loss that nothing follows."""
    last_stored: int
    """When the partition was last stored, us UTC: the start of a loss that nothing
    precedes."""
    reached: Mapping[str, Reached] = field(default_factory=dict)
    """Where the stored readings of a server end in source time: what is lost after them
    may be older than the log's record of it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One transaction, ready."""

    content: Content
    letters: tuple[Message, ...]
    contexts: Mapping[str, Context]
    """Of the vessels whose context changed."""


@dataclass(slots=True)
class _Collected:
    """What the entries of a portion add up to, while they are read."""

    accepted: list[Readings] = field(default_factory=list)
    refused: list[Block] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    letters: list[Message] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    filled: list[Filled] = field(default_factory=list)
    subscriptions: list[tuple[str, tuple[SubscriptionState, ...]]] = field(
        default_factory=list
    )
    ledger: list[LedgerCounts] = field(default_factory=list)
    events: list[Said] = field(default_factory=list)
    configuration: ConfigurationRecord | None = None

    def add(self, entry: Entry, known: Known) -> None:
        """Take in one entry."""
        match entry.meaning:
            case Readings():
                self._add_readings(entry, entry.meaning, known)
            case Gap() | Filled() as said_of_gap:
                self._add_gap(entry, said_of_gap, known)
            case Subscriptions(server, states):
                self.subscriptions.append((server, states))
            case Said() as said:
                self.events.append(said)
            case ConfigurationRecord() as record:
                self.configuration = record
            case tuple() as counts:
                self.ledger += counts
            case Unreadable() | Damaged() as refused:
                self._add_refused_record(entry, refused)
                self.gaps += _damage(refused, known)

    def _add_gap(self, entry: Entry, said: Gap | Filled, known: Known) -> None:
        if isinstance(said, Filled):
            self.filled.append(said)
        else:
            is_new = entry.source.at.topic == Topic.PLANT
            self.gaps += from_reached(said, known.reached if is_new else {})

    def _add_readings(self, entry: Entry, readings: Readings, known: Known) -> None:
        accepted, refusals = sort_out(readings.block, known.plant.kinds)
        self.accepted.append(Readings(readings.header, accepted))
        for refusal in refusals:
            rows = readings.block.take(refusal.rows)
            self.refused.append(rows)
            self.quarantined.append(
                Quarantined(entry.first.offset, refusal.reason.value, len(rows))
            )
            self.letters += rows_letters(entry, refusal.reason, readings.header, rows)

    def _add_refused_record(self, entry: Entry, refused: Unreadable | Damaged) -> None:
        damaged = "log damaged: " if isinstance(refused, Damaged) else ""
        reason = damaged + refused.reason
        kept = reason.replace("\0", "\ufffd")[:2_000]
        self.quarantined.append(Quarantined(entry.first.offset, kept))
        self.letters.append(record_letter(entry, kept))


def prepare(entries: Sequence[Entry], known: Known) -> Prepared:
    """Return the transaction that stores `entries` (not empty, oldest first)."""
    collected = _Collected()
    for entry in entries:
        collected.add(entry, known)
    merged = (
        merge([r.block for r in collected.accepted]) if collected.accepted else None
    )
    block, repeated = sorted_unique(empty() if merged is None else merged)
    if entries[0].source.at.topic == Topic.BACKFILL:
        known = replace(known, contexts={})
    changed, seen = _batches(block, known)
    content = Content(
        at=entries[0].source.at,
        expected=known.expected,
        first=entries[0].first,
        next=entries[-1].next,
        block=block,
        may_repeat=any(r.header.origin.may_repeat for r in collected.accepted),
        repeated=repeated,
        refused=_refused_cells(collected.refused),
        quarantined=tuple(collected.quarantined),
        provisional=_provisional(block, collected.accepted, known),
        gaps=tuple(collected.gaps),
        filled=tuple(collected.filled),
        subscriptions=tuple(collected.subscriptions),
        ledger=tuple(collected.ledger),
        configuration=collected.configuration,
        batches=tuple(seen),
        events=tuple(collected.events),
    )
    past = content.at.topic == Topic.BACKFILL
    return Prepared(content, tuple(collected.letters), {} if past else changed)


def sorted_unique(block: Block) -> tuple[Block, Cells]:
    """Return the readings by (tag, time, tie), each once, and what was left out.

    Of equal keys the one that arrived first stays.
    """
    if len(block) == 0:
        return block, NO_CELLS
    order = np.lexsort((block.tie, block.time, block.tag))
    again = np.zeros(len(order), np.bool_)
    again[1:] = (
        _same(block.tag[order]) & _same(block.time[order]) & _same(block.tie[order])
    )
    left_out = order[again]
    repeated = cells(block.tag[left_out], block.time[left_out])
    return block.take(order[~again]), repeated


def _same(column: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = column[1:] == column[:-1]
    return equal


def _refused_cells(blocks: Sequence[Block]) -> Cells:
    if not blocks:
        return NO_CELLS
    block = merge(blocks)
    return cells(block.tag, block.time)


def _provisional(
    block: Block, accepted: Sequence[Readings], known: Known
) -> dict[int, str]:
    """Return the server of each tag id that no row of the database names."""
    unknown = known.plant.unknown(block.tag)
    if not len(unknown):
        return {}
    return {
        int(tag): readings.header.server
        for readings in accepted
        for tag in np.intersect1d(readings.block.tag, unknown)
    }


def servers_of(at: TopicPartition, plant: KnownPlant) -> list[str]:
    """Return the servers whose readings the partition carries."""
    return sorted(plant.servers.get(at.partition, frozenset()) or {UNKNOWN_SERVER})


def _damage(damaged: Unreadable | Damaged, known: Known) -> list[Gap]:
    """Return the gaps that damaged records may hide: every server of the partition.

    Topic `events` holds no readings, and of an unreadable record nothing is missing.
    """
    if isinstance(damaged, Unreadable) or damaged.at.topic == Topic.EVENTS:
        return []
    start = known.last_stored if damaged.after is None else damaged.after
    end = known.now if damaged.before is None else damaged.before
    detail = (
        f"{damaged.at.topic}-{damaged.at.partition} offsets {damaged.first.offset} to "
        f"{damaged.last.offset}: {damaged.reason}"
    )
    gaps = [
        Gap(
            server,
            GapCause.LOG_DAMAGED,
            min(start, end),
            max(start, end),
            detail=detail.replace("\0", "\ufffd"),
        )
        for server in servers_of(damaged.at, known.plant)
    ]
    return [one for gap in gaps for one in from_reached(gap, known.reached)]


def from_reached(gap: Gap, reached: Mapping[str, Reached]) -> list[Gap]:
    """Return gaps of a damaged log that begin where the stored readings end.

    The log knows only when the neighbours of what is damaged were appended, and
    readings are older than that: most tags' a little, those of slow ones more, so that
    these have gaps of their own before the one of the whole server.
    """
    end = reached.get(gap.server)
    if gap.cause != GapCause.LOG_DAMAGED or gap.tags is not None or end is None:
        return [gap]
    whole = replace(gap, start=min(gap.start, end.time))
    slow = [
        replace(gap, start=start, end=whole.start, tags=tags)
        for start, tags in end.slow
        if start < whole.start
    ]
    return [whole, *slow]


def _batches(block: Block, known: Known) -> tuple[dict[str, Context], list[Seen]]:
    if block.text is None or not known.plant.context:
        return {}, []
    wanted = np.array(list(known.plant.context), np.int32)
    rows = np.flatnonzero(
        np.isin(block.tag, wanted)
        & block.text.is_valid().to_numpy(zero_copy_only=False)
    )
    chosen = block.take(rows)
    texts = [] if chosen.text is None else chosen.text.to_pylist()
    tags, times = chosen.tag.tolist(), chosen.time.tolist()
    readings: list[ContextReading] = (
        [
            (time, *known.plant.context[tag], text)
            for tag, time, text in zip(tags, times, texts, strict=True)
        ]
        if texts
        else []
    )
    return follow(known.contexts, readings)
