"""From records to one transaction, without a log or a database."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.ingest.archive.archiver import smaller
from services.ingest.archive.contents import Known, prepare, sorted_unique
from services.ingest.archive.entries import (
    Entry,
    Unreadable,
    not_stored,
    portions,
    read,
)
from services.ingest.archive.letters import MAX_RAW_BYTES
from services.ingest.archive.telling import asked
from shared.bus import Damaged, Message, Position, Record, TopicPartition
from shared.domain import Gap, GapCause, Origin, Topic
from shared.plant import digest
from shared.readings import merge
from shared.store.configuration import KnownPlant, Role
from shared.store.reached import Reached
from shared.store.transaction import ContentRefused
from shared.wire import (
    ConfigurationRecord,
    decode_gap,
    encode_configuration,
    encode_gap,
)
from tests.neighbours.made import NOON_US, PLANT, made_block, made_message

AT = TopicPartition("plant", 3)
CONFIGURATION = Message(
    *encode_configuration(ConfigurationRecord(1, digest(PLANT), PLANT, NOON_US, "me"))
)


def record(offset: int, message: Message) -> Record:
    """Return it as read from the log."""
    at = Position("e", offset)
    return Record(AT, at, NOON_US + offset, message.headers, message.value)


def entries(
    *messages: Message, first: int = 10, topic: str = Topic.PLANT
) -> list[Entry]:
    """Return consecutive records with their meaning."""
    records = [record(first + n, message) for n, message in enumerate(messages)]
    at = replace(AT, topic=topic)
    return [read(replace(each, at=at)) for each in records]


def known(plant: KnownPlant | None = None) -> Known:
    """Return what an archiver knows that has stored up to offset 10."""
    return Known(plant or KnownPlant(), {}, Position("e", 10), 2_000, 1_000)


def test_repeats_within_a_portion_are_left_out_and_counted() -> None:
    block = made_block(60)
    unique, repeated = sorted_unique(merge([block, block.take(np.arange(5)), block]))
    assert len(unique) == 60
    assert repeated.total == 65
    assert np.all(np.diff(unique.tag) >= 0)


def test_equal_times_with_different_ties_are_different_readings() -> None:
    block = made_block(3)
    other = block.with_tie(block.tie + np.int32(1))
    assert len(sorted_unique(merge([block, other]))[0]) == 6


@pytest.mark.parametrize(
    ("origin", "may_repeat"),
    [
        (Origin.LIVE, False),
        (Origin.COMPUTED, False),
        (Origin.REPUBLISHED, True),
        (Origin.BACKFILL, True),
        (Origin.MANUAL, True),
    ],
)
def test_origins_that_may_repeat_go_through_staging(
    origin: Origin, *, may_repeat: bool
) -> None:
    live = made_message(made_block(3))
    part = entries(live, made_message(made_block(3, first=3), origin))
    assert prepare(part, known()).content.may_repeat is may_repeat


def test_a_transaction_covers_its_records_from_the_expected_place() -> None:
    content = prepare(entries(*[made_message(made_block(9))] * 4), known()).content
    assert content.expected == content.first == Position("e", 10)
    assert content.next == Position("e", 14)
    assert (len(content.block), content.repeated.total) == (9, 27)


def test_ids_without_a_row_are_given_the_server_that_sent_them() -> None:
    plant = KnownPlant(tags=np.array([1, 3], np.int32))
    one = made_message(made_block(3), server="dcs")
    two = made_message(made_block(9, tags=9), server="pat")
    content = prepare(entries(one, two), known(plant)).content
    assert content.provisional[2] == "pat"
    assert sorted(content.provisional) == [2, 4, 5, 6, 7, 8, 9]


def test_portions_hold_no_more_rows_than_allowed_and_keep_their_order() -> None:
    whole = entries(*[made_message(made_block(40))] * 7)
    cut = portions(whole, 100)
    assert [len(part) for part in cut] == [2, 2, 2, 1]
    assert [entry for part in cut for entry in part] == whole
    assert [len(part) for part in portions(whole, 1)] == [1] * 7


def test_a_configuration_gets_a_transaction_of_its_own() -> None:
    readings = made_message(made_block(3))
    cut = portions(entries(readings, CONFIGURATION, readings, readings), 100)
    assert [len(part) for part in cut] == [1, 1, 2]
    record = prepare(cut[1], known()).content.configuration
    assert record is not None
    assert record.version == 1


@pytest.mark.parametrize(
    ("after", "before", "start", "end"),
    [
        (5, 9, 5, 9),
        (None, 9, 9, 1_000),
        (5, None, 5, 2_000),
        (None, None, 1_000, 2_000),
    ],
)
def test_damage_is_a_gap_of_every_server_between_its_sound_neighbours(
    after: int | None, before: int | None, start: int, end: int
) -> None:
    first, last = Position("e", 10), Position("e", 14)
    raw = b"r" * (MAX_RAW_BYTES + 1)
    damaged = Damaged(AT, first, last, "checksum", after, before, raw)
    plant = KnownPlant(servers={3: frozenset({"dcs", "pat"})})
    prepared = prepare([read(damaged)], known(plant))
    gaps = prepared.content.gaps
    assert [(g.server, g.cause) for g in gaps] == [
        ("dcs", GapCause.LOG_DAMAGED),
        ("pat", GapCause.LOG_DAMAGED),
    ]
    assert {(g.start, g.end) for g in gaps} == {(start, end)}
    assert prepared.content.next == Position("e", 15)
    assert len(prepared.letters[0].value) == MAX_RAW_BYTES


def test_damage_begins_where_the_stored_readings_end_in_source_time() -> None:
    damaged = Damaged(AT, Position("e", 10), Position("e", 10), "checksum", 700, 900)
    plant = KnownPlant(servers={3: frozenset({"dcs", "pat"})})
    reached = replace(known(plant), reached={"dcs": Reached(400)})
    gaps = prepare([read(damaged)], reached).content.gaps
    assert {(g.server, g.start, g.end) for g in gaps} == {
        ("dcs", 400, 900),
        ("pat", 700, 900),
    }


@pytest.mark.parametrize(
    ("cause", "reached", "start"),
    [
        (GapCause.LOG_DAMAGED, 400, 400),
        (GapCause.LOG_DAMAGED, 800, 700),
        (GapCause.COLLECTOR_DOWN, 400, 700),
    ],
)
def test_damage_that_the_relay_met_begins_there_as_well(
    cause: GapCause, reached: int, start: int
) -> None:
    gap = Gap("dcs", cause, start=700, end=900)
    found = entries(Message(*encode_gap(gap)), made_message(made_block(1)))
    alone = cause == GapCause.LOG_DAMAGED
    assert [len(portion) for portion in portions(found, 50)] == (
        [1, 1] if alone else [2]
    )
    knows = replace(known(), reached={"dcs": Reached(reached), "pat": Reached(1)})
    assert prepare(found[:1], knows).content.gaps == (replace(gap, start=start),)


def test_slow_tags_do_not_widen_the_gap_of_a_damaged_log_for_the_others() -> None:
    damaged = Damaged(AT, Position("e", 10), Position("e", 10), "checksum", 700, 900)
    plant = KnownPlant(servers={3: frozenset({"dcs"})})
    slow = ((100, (5, 6)), (20, (7,)))
    knows = replace(known(plant), reached={"dcs": Reached(650, slow)})
    gaps = prepare([read(damaged)], knows).content.gaps
    assert {(g.start, g.end, g.tags) for g in gaps} == {
        (650, 900, None),
        (100, 650, (5, 6)),
        (20, 650, (7,)),
    }


def test_a_gap_that_comes_back_from_back_fill_stays_as_it_was_declared() -> None:
    gap = Gap("dcs", GapCause.LOG_DAMAGED, start=700, end=900)
    (entry,) = entries(Message(*encode_gap(gap)), topic=Topic.BACKFILL)
    knows = replace(known(), reached={"dcs": Reached(400, ((1, (5,)),))})
    assert prepare([entry], knows).content.gaps == (gap,)


def test_what_is_stored_is_left_out_but_damage_at_the_edge_is_not() -> None:
    readings = entries(*[made_message(made_block(3))] * 3)
    assert not_stored(readings, Position("e", 11)) == readings[1:]
    between = read(Damaged(AT, Position("e", 11), Position("e", 10), "sequence", 1, 2))
    across = read(Damaged(AT, Position("e", 5), Position("e", 11), "checksum", 1, 2))
    before = read(Damaged(AT, Position("e", 5), Position("e", 10), "checksum", 1, 2))
    edge = [before, across, between]
    assert not_stored(edge, Position("e", 11)) == [across, between]


@pytest.mark.parametrize(
    "message",
    [
        Message({}, b""),
        Message({"kind": "surprise"}, b""),
        Message({"kind": "readings"}, b""),
        Message({**made_message(made_block(1)).headers, "wire": "9"}, b""),
        Message({"kind": "gap"}, b"[]"),
        Message({"kind": "gap"}, b"{}"),
        Message({"kind": "ledger"}, b"\xff"),
        Message({"kind": "configuration"}, CONFIGURATION.value.replace(b"site", b"x")),
    ],
)
def test_what_is_not_understood_is_kept_with_its_place_and_reason(
    message: Message,
) -> None:
    prepared = prepare(entries(message), known())
    (letter,) = prepared.letters
    assert letter.value == message.value
    assert letter.headers["offset"] == "10"
    assert letter.headers["reason"] == prepared.content.quarantined[0].reason != ""
    assert prepared.content.next == Position("e", 11)


def test_clock_and_liveness_only_move_the_position() -> None:
    part = entries(Message({"kind": "clock"}, b""), Message({"kind": "liveness"}, b""))
    prepared = prepare(part, known())
    assert prepared.letters == ()
    assert prepared.content.quarantined == ()
    assert prepared.content.next == Position("e", 12)


def test_a_record_the_database_refused_becomes_a_letter() -> None:
    source = record(10, made_message(made_block(3)))
    prepared = prepare([Entry(source, Unreadable("cannot be kept"))], known())
    assert len(prepared.content.block) == 0
    assert prepared.letters[0].value == source.value
    assert prepared.letters[0].headers["original-kind"] == "readings"


def test_context_readings_name_the_batch() -> None:
    plant = KnownPlant(context={1: ("BR101", Role.BATCH)})
    block = made_block(3, texts=["B-7", "not a context", None])
    prepared = prepare(entries(made_message(block)), known(plant))
    assert [seen.batch for seen in prepared.content.batches] == ["B-7"]
    assert prepared.contexts["BR101"].batch == "B-7"


def test_only_losses_that_no_connection_noticed_are_asked_for_and_once() -> None:
    gaps = [Gap("dcs", cause, 1, 2) for cause in GapCause]
    is_open = Gap("dcs", GapCause.LOG_DAMAGED, 1, None)
    messages = [Message(*encode_gap(gap)) for gap in [*gaps, is_open]]
    content = prepare(entries(*messages), known()).content
    told = {decode_gap(message.value).cause for message in asked(content)}
    assert told == {GapCause.SPOOL_FULL, GapCause.LOG_DAMAGED}
    assert len(asked(content)) == 2
    back = prepare(entries(*messages, topic=Topic.BACKFILL), known()).content
    assert not asked(back)


def test_a_gap_that_the_database_refuses_is_declared_without_its_tags() -> None:
    gap = Gap("dcs", GapCause.SPOOL_FULL, 700, 900, (5, 6), 9, "why")
    refused = entries(Message(*encode_gap(gap)))
    ((entry,),) = smaller(refused, ContentRefused("no"))
    (stored,) = prepare([entry], known()).content.gaps
    assert stored == Gap("dcs", GapCause.SPOOL_FULL, 700, 900, None, None, "why")
    ((letter,),) = smaller([entry], ContentRefused("no"))
    assert isinstance(letter.meaning, Unreadable)
