"""Any arrival order within the buffer gives the same journal."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.monitor.partition import PartitionWatch
from services.monitor.reorder import CELL_US, HOLD_US
from shared.wire_events import encode_event
from tests.neighbours.story import (
    NOON_US,
    S_US,
    clock,
    configuration,
    liveness,
    readings,
    records,
    second_of,
)

if TYPE_CHECKING:
    from shared.bus import Message

SECONDS = range(12, 30)
ORDERS = 1_000


CONFIGURED = PartitionWatch(0)
CONFIGURED.see(records([configuration()])[0])


def journal(messages: list[Message]) -> list[bytes]:
    """Return the events of a fresh watch over the records, as they are published."""
    watch = deepcopy(CONFIGURED)
    made = [event for record in records(messages) for event in watch.see(record)]
    assert watch.unreadable == ""
    assert all(w.reorder.marks.late == 0 for w in watch.vessels.values())
    return [encode_event(event)[1] for event in made]


def beats() -> list[tuple[float, Message]]:
    """Return the collector's own records, by their time of arrival in us."""
    found = []
    for second in range(SECONDS.start, SECONDS.stop + 6):
        at = NOON_US + second * S_US
        found.append((at + 200_000.0, liveness(second + 0.2)))
        found.append((at + 300_000.0, clock(second + 0.3)))
    return found


def shuffled(chance: np.random.Generator, most_us: int) -> list[Message]:
    """Return the story with each reading up to `most_us` on its way, in pieces."""
    blocks = [second_of(second) for second in SECONDS]
    arrivals = beats()
    for block in blocks:
        pieces = np.array_split(chance.permutation(len(block)), chance.integers(1, 4))
        for piece in pieces:
            part = block.take(piece)
            late_us = chance.integers(0, most_us, endpoint=True)
            arrivals.append((float(part.time.min()) + late_us, readings(part)))
    arrivals.sort(key=lambda arrival: arrival[0])
    return [message for _, message in arrivals]


@pytest.mark.timeout(300)
def test_a_thousand_arrival_orders_within_the_buffer_give_one_journal() -> None:
    chance = np.random.default_rng(20260101)
    expected = journal(shuffled(chance, 0))
    transitions = [line for line in expected if b'"cause"' in line]
    assert len(transitions) >= 4
    orders = {
        tuple(journal(shuffled(chance, HOLD_US - CELL_US))) for _ in range(ORDERS)
    }
    assert orders == {tuple(expected)}


def test_orders_beyond_the_buffer_do_not_pass_unseen() -> None:
    chance = np.random.default_rng(1)
    watch = deepcopy(CONFIGURED)
    for record in records(shuffled(chance, 5 * S_US)):
        watch.see(record)
    assert watch.vessels["BR101"].reorder.marks.late > 0


def test_the_journal_of_the_story_has_raises_returns_and_batches() -> None:
    lines = [
        json.loads(line) for line in journal(shuffled(np.random.default_rng(2), 0))
    ]
    causes = {line["cause"] for line in lines if "cause" in line}
    assert causes >= {"raised", "returned"}
    assert {"B1"} == {line["batch"] for line in lines if "began" in line}
