"""What the monitor costs, in process: CPU of one core at 1 Hz, by vessels and tags.

python -m tests.benchmarks.monitor_cost                100 vessels of 30 tags
python -m tests.benchmarks.monitor_cost --vessels 1000
python -m tests.benchmarks.monitor_cost --all    all tags, balances and causes
Twice: with source times of their own for every tag (as most servers have them), and
shared by the tags of a vessel. Records are those of a collector: one each 100 ms.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np

from services.monitor.partition import PartitionWatch
from shared.bus import Message, Position, Record, TopicPartition
from shared.domain import US_PER_S, Origin
from shared.plant import render_plant
from shared.readings import Block
from shared.wire import (
    Clock,
    ConfigurationRecord,
    Liveness,
    ReadingsHeader,
    encode_clock,
    encode_configuration,
    encode_liveness,
    encode_readings,
)
from simulators import plant as simulated
from simulators.tags import CORE, TAGS
from tests.evaluation.in_process import NOON_US, SERVER, WIDTH, described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.tags import Tag

RECORD_US = 100_000
HEADER = ReadingsHeader(Origin.LIVE, SERVER, "session", (1, 1), 1)


def records(
    vessels: int, seconds: int, tags_of: Sequence[Tag], *, own_times: bool
) -> Iterator[Message]:
    """Yield what a collector writes in some seconds of a plant at 1 Hz."""
    chance = np.random.default_rng(1)
    plant = simulated.Plant(simulated.Layout(("BR101",), 1), NOON_US)
    plant.fast_forward(NOON_US)
    count = len(tags_of)
    width = count + WIDTH - len(CORE)
    tags = np.arange(vessels)[:, None] * width + 1 + np.arange(count)
    offset = chance.integers(0, US_PER_S, tags.shape if own_times else (vessels, 1))
    phase = np.broadcast_to(offset, tags.shape).ravel()
    for second in range(seconds):
        start = NOON_US + second * US_PER_S
        plant.advance(start + US_PER_S)
        value = np.tile(plant.values[0, :count], vessels)
        for first in range(0, US_PER_S, RECORD_US):
            due = (phase >= first) & (phase < first + RECORD_US)
            order = np.flatnonzero(due)
            yield Message(
                *encode_readings(_block(tags, value, phase, start, order), HEADER)
            )
        wall = start + US_PER_S
        yield Message(*encode_liveness(Liveness(SERVER, "session", wall)))
        yield Message(*encode_clock(Clock(wall, {})))


def _block(
    tags: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    value: np.ndarray[tuple[int], np.dtype[np.float64]],
    phase: np.ndarray[tuple[int], np.dtype[np.int64]],
    start: int,
    rows: np.ndarray[tuple[int], np.dtype[np.intp]],
) -> Block:
    zeros = np.zeros(len(rows), np.int32)
    moment = start + phase[rows]
    return Block(
        tag=tags.ravel()[rows].astype(np.int32),
        time=moment,
        value=value[rows],
        status=zeros.astype(np.uint32),
        tie=zeros,
        received=moment + 20_000,
        server=zeros,
    )


def measure(
    vessels: int, seconds: int, tags: Sequence[Tag] = CORE, *, own_times: bool
) -> float:
    """Return seconds of CPU per second of the plant."""
    names = [f"BR{number}" for number in range(101, 101 + vessels)]
    watch = PartitionWatch(0)
    applied = ConfigurationRecord(
        1, "sha", render_plant(described(names, tags=tags)), 0, "test"
    )
    at = TopicPartition("plant", 0)
    messages = [Message(*encode_configuration(applied))]
    messages += records(vessels, seconds, tags, own_times=own_times)
    made = [
        Record(at, Position("e", n), NOON_US, m.headers, m.value)
        for n, m in enumerate(messages)
    ]
    warm = len(made) // 4
    for record in made[:warm]:
        watch.see(record)
    began, before = time.process_time(), watch.readings
    for record in made[warm:]:
        watch.see(record)
    spent = time.process_time() - began
    return spent / (watch.readings - before) * vessels * len(tags)


def main() -> None:
    """Print the share of one core, and what that is per vessel and reading."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vessels", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=40, help="of the plant")
    parser.add_argument("--all", action="store_true", help="all tags, not 30")
    asked = parser.parse_args()
    tags = TAGS if asked.all else CORE
    for own, what in ((True, "own source times"), (False, "shared source times")):
        share = measure(asked.vessels, asked.seconds, tags, own_times=own)
        rate = asked.vessels * len(tags)
        print(
            f"{what}: {rate} readings/s cost {share:.3f} of a core, "
            f"{share / asked.vessels * 1e3:.2f} ms per vessel and second, "
            f"{share / rate * 1e6:.1f} us a reading",
            flush=True,
        )


if __name__ == "__main__":
    main()
