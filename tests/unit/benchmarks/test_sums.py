"""The sums that every OPC UA client of the comparison must come to."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from services.ingest.opcua.decode import decode_publish
from tests.benchmarks.load.notifications import (
    Encoded,
    Layout,
    message,
    publish_response,
)
from tests.benchmarks.load.subscription import STEP_US
from tests.benchmarks.opcua.columns import Sums, differences, expected
from tests.benchmarks.way.measured import quantile, slope

FIRST = 17_672_688_000_000


@pytest.mark.parametrize("layout", list(Layout))
def test_columns_of_all_notifications_come_to_what_was_sent(layout: Layout) -> None:
    items = Encoded(np.arange(40), list(range(40)), layout)
    tags = np.arange(1, 41, dtype=np.int32)
    sums = Sums()
    for tick in range(FIRST, FIRST + 5):
        made = message(items.at(tick, tick * STEP_US), 40, 1, 0)
        block = decode_publish(publish_response(1, 1, [], made), tags, 0).block
        sums.add(block.tag, block.time, block.value, block.status)

    assert differences(asdict(sums), expected(40, layout, FIRST, 5)) == []
    assert differences(asdict(sums), expected(40, layout, FIRST, 6)) != []


def test_a_slope_needs_samples_after_minute_two() -> None:
    late = [(120.0 + 10 * i, 50 + 0.5 * i) for i in range(7)]

    assert slope(late) == 3.0
    assert slope([(at - 60, size) for at, size in late[:4]]) is None


def test_a_quantile_is_a_value_that_was_seen() -> None:
    seen = [float(n) for n in range(1, 201)]

    assert quantile(seen, 0.99) == 198.0
    assert quantile([4.0], 0.5) == 4.0
