"""Batch and phase events from context tags, one instant at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.batches import BatchWatch
from shared.batches import Batch, Context, Said, batches
from shared.events import BatchEvent, digest
from shared.plant import parse_plant
from shared.readings import merge
from tests.neighbours.story import NOON_US, S_US, rows

VESSEL = parse_plant("""
site: Basel
servers: [{name: dcs, url: "opc.tcp://127.0.0.1:4840", heartbeat: {id: 9}}]
vessels:
  - name: BR101
    server: dcs
    partition: 0
    context: {batch: B, phase: P, product: PR, client: C, state: S}
    tags:
      - {id: 1, name: B, node: "s=b", type: string}
      - {id: 2, name: P, node: "s=p", type: string}
      - {id: 3, name: PR, node: "s=pr", type: string}
      - {id: 4, name: C, node: "s=c", type: string}
      - {id: 5, name: S, node: "s=s", type: string}
""").vessels[0]
TAGS = {"batch": 1, "phase": 2, "product": 3, "client": 4, "state": 5}


def say(watch: BatchWatch, second: int, **texts: str) -> list[BatchEvent]:
    """Let the context tags say something at one instant."""
    parts = [
        rows([TAGS[role]], [NOON_US + second * S_US], [np.nan], [text])
        for role, text in texts.items()
    ]
    return watch.see(merge(parts))


def said(event: BatchEvent) -> tuple[str, str | None, bool, int]:
    """Return an event in short."""
    return event.batch, event.phase, event.began, (event.time - NOON_US) // S_US


def test_a_batch_begins_with_its_phase_and_ends_after_it() -> None:
    watch = BatchWatch(VESSEL)
    assert say(watch, 0, phase="inoculation") == []
    began = say(watch, 1, batch="B1", product="mAb", client="ACME")
    assert [said(e) for e in began] == [
        ("B1", None, True, 1),
        ("B1", "inoculation", True, 1),
    ]
    assert [said(e) for e in say(watch, 2, phase="growth")] == [
        ("B1", "inoculation", False, 2),
        ("B1", "growth", True, 2),
    ]
    ended = say(watch, 3, batch="")
    assert [said(e) for e in ended] == [
        ("B1", "growth", False, 3),
        ("B1", None, False, 3),
    ]
    assert {(e.product, e.client) for e in began + ended} == {("mAb", "ACME")}
    assert (watch.batch, watch.phase) == (None, None)


def test_one_batch_follows_another_at_once() -> None:
    watch = BatchWatch(VESSEL)
    say(watch, 0, batch="B1", phase="harvest")
    assert [said(e) for e in say(watch, 5, batch="B2", phase="growth")] == [
        ("B1", "harvest", False, 5),
        ("B1", None, False, 5),
        ("B2", None, True, 5),
        ("B2", "growth", True, 5),
    ]


def test_ids_are_digests_of_what_they_name() -> None:
    event = say(BatchWatch(VESSEL), 7, batch="B1")[0]
    assert event.id == digest("BR101", "B1", None, True, NOON_US + 7 * S_US)


def test_a_batch_is_held_goes_on_and_is_aborted() -> None:
    watch = BatchWatch(VESSEL)
    assert say(watch, 0, state="Idle") == []
    began = say(watch, 1, batch="B1", phase="growth", state="Running")
    assert [(e.phase, e.state) for e in began] == [
        (None, None),
        ("growth", None),
        (None, "Running"),
    ]
    (held,) = say(watch, 2, state="Held")
    assert (held.batch, held.state, held.began) == ("B1", "Held", True)
    time = NOON_US + 2 * S_US
    assert held.id == digest("BR101", "B1", None, True, time, "Held")
    assert [e.state for e in say(watch, 3, state="Running")] == ["Running"]
    assert say(watch, 4, state="Running") == []
    assert [e.state for e in say(watch, 5, state="Aborting")] == ["Aborting"]
    assert [e.state for e in say(watch, 6, batch="", state="Idle")] == [None, None]


def test_readings_that_are_not_good_say_nothing() -> None:
    watch = BatchWatch(VESSEL)
    block = rows([1], [NOON_US], [np.nan], ["B1"])
    block.status[:] = 0x40000000
    assert watch.see(block) == []
    assert watch.batch is None


def test_a_late_reading_older_than_the_last_is_passed_over() -> None:
    watch = BatchWatch(VESSEL)
    say(watch, 5, batch="B2")
    assert say(watch, 3, batch="B1") == []
    assert [said(e) for e in say(watch, 4, phase="growth")] == [
        ("B2", "growth", True, 4)
    ]


def test_a_restart_in_a_batch_says_nothing_twice() -> None:
    before, after = BatchWatch(VESSEL), BatchWatch(VESSEL)
    say(before, 1, batch="B1", phase="growth", product="mAb")
    after.restore(before.state())
    assert say(after, 2, batch="B1", phase="growth") == []
    assert say(after, 3, batch="") == say(before, 3, batch="")


ROLES = ("batch", "phase", "state")
names = st.sampled_from(["", "A", "B"])
instants = st.lists(
    st.dictionaries(st.sampled_from(ROLES), names, min_size=1), max_size=12
)


@given(instants)
def test_events_are_the_edges_of_the_batches_that_the_api_shows(
    story: list[dict[str, str]],
) -> None:
    watch = BatchWatch(VESSEL)
    every = [e for n, texts in enumerate(story) for e in say(watch, n, **texts)]
    events = [said(e) for e in every if e.state is None]
    context = {
        role: [Said(n, t[role]) for n, t in enumerate(story) if role in t]
        for role in ROLES
    }
    shown = batches("BR101", Context(**context))
    assert [(e.batch, e.state, said(e)[3]) for e in every if e.state is not None] == [
        (batch.batch, state.name, state.start)
        for batch in shown
        for state in batch.states
    ]
    assert sorted(events, key=str) == sorted(edges(shown), key=str)
    assert [e.time for e in every] == sorted(e.time for e in every)


def edges(shown: list[Batch]) -> list[tuple[str, str | None, bool, int]]:
    """Return beginnings and ends of batches and their phases."""
    found: list[tuple[str, str | None, bool, int]] = []
    for batch in shown:
        spans: list[tuple[str | None, int, int | None]] = [
            (None, batch.start, batch.end)
        ]
        spans += [(p.name, p.start, p.end) for p in batch.phases]
        for phase, start, end in spans:
            found.append((batch.batch, phase, True, start))
            if end is not None:
                found.append((batch.batch, phase, False, end))
    return found
