"""What the whole way's benchmark calls lost, twice or strange."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.plant import parse_plant
from tests.benchmarks.load.notifications import Layout, values
from tests.benchmarks.load.subscription import TAGS, instant
from tests.benchmarks.way.found import ROW, Comparison, Stretch, rows_of
from tests.benchmarks.way.site_plan import SitePlan, plant_yaml

ITEMS = 2 * TAGS
STRETCH = Stretch(
    start=TAGS,
    items=ITEMS,
    first=1_700_000_000,
    last=1_700_000_002,
    period_us=1_000_000,
)

Stored = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def all_sent() -> Stored:
    """Return tag, time and value of everything that the stretch says was sent."""
    index = np.arange(TAGS, TAGS + ITEMS)
    ticks = range(STRETCH.first, STRETCH.last + 1)
    times = [
        [instant(tick, i // TAGS, 1_000_000) for i in index.tolist()] for tick in ticks
    ]
    sent = [values(index, tick, Layout.UNIFORM) for tick in ticks]
    return np.tile(index + 1, 3), np.concatenate(times), np.concatenate(sent)


def compared(stored: Stored) -> tuple[int, int, int]:
    comparison = Comparison(STRETCH)
    comparison.add(*stored)
    return comparison.lost, comparison.twice, comparison.strange


def test_all_that_was_sent_is_neither_lost_nor_strange() -> None:
    assert STRETCH.readings == 180
    assert compared(all_sent()) == (0, 0, 0)


def test_a_missing_and_a_repeated_reading_are_counted() -> None:
    tag, time, value = all_sent()
    kept = np.r_[0:50, 51:180, 9]

    assert compared((tag[kept], time[kept], value[kept])) == (1, 1, 0)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_reading_that_was_never_sent_so_is_strange_and_the_true_one_lost(
    column: int,
) -> None:
    stored = all_sent()
    stored[column][7] += 1_000

    assert compared(stored) == (1, 0, 1)


def test_rows_of_binary_copy_are_read_and_nulls_refused() -> None:
    rows = np.zeros(2, ROW)
    rows["fields"], rows["tag"], rows["value"] = 3, [4, 5], [0.5, 0.25]
    stream = bytes(19) + rows.tobytes() + b"\xff\xff"

    assert rows_of(stream)["tag"].tolist() == [4, 5]
    with pytest.raises(ValueError, match="without nulls"):
        rows_of(stream[:-4] + b"\xff\xff")


def test_the_plant_of_the_load_is_a_plant_whose_tags_are_its_items() -> None:
    plan = SitePlan(vessels=5, servers=2, partitions=4)
    plant = parse_plant(plant_yaml(plan, [4840, 4841]))

    nodes = {tag.id: tag.node for vessel in plant.vessels for tag in vessel.tags}
    assert nodes == {i + 1: f"ns=1;i={i + 1}" for i in range(5 * TAGS)}
    assert [v.server for v in plant.vessels] == ["S0", "S0", "S1", "S1", "S1"]
    assert [len(plan.items_of(server)) for server in range(2)] == [60, 90]
    assert plan.probe_tags(3) == [1, 51, 101]
