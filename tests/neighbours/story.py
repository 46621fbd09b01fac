"""A plant's story for the monitor: records as a collector writes them, with excursions.

Every value follows from its tag and second, so that any part of the story can be
written by any process at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from shared.bus import Message, Position, Record, TopicPartition
from shared.domain import Origin
from shared.readings import Block, merge
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

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON_US = 1_767_268_800_000_000
"""2026-01-01 12:00 UTC."""
S_US = 1_000_000
SETPOINT, BATCH, PHASE = 14, 15, 16

YAML = """
site: Basel
servers:
  - {name: dcs, url: "opc.tcp://127.0.0.1:4840", heartbeat: {id: 99}}
  - name: past
    url: opc.tcp://127.0.0.1:4841
    simulated: true
    heartbeat: {id: 98}
vessels:
  - name: BR101
    server: dcs
    partition: 0
    context: {batch: BATCH, phase: PHASE}
    tags:
      - id: 11
        name: T
        node: "ns=2;s=t"
        unit: Cel
        range: [0, 60]
        checks:
          limits:
            - {side: h, value: 37.5, on_delay_s: 3, off_delay_s: 2, deadband: 0.2}
      - id: 12
        name: P
        node: "ns=2;s=p"
        unit: bar
        checks:
          limits:
            - {side: h, value: 1.0, on_delay_s: 2, off_delay_s: 2}
            - {side: l, value: -1.0, on_delay_s: 2, off_delay_s: 2}
      - {id: 13, name: L, node: "ns=2;s=l"}
      - id: 14
        name: SP
        node: "ns=2;s=sp"
        report: change
        checks: {limits: [{side: hh, value: 50, on_delay_s: 4, off_delay_s: 1}]}
      - {id: 15, name: BATCH, node: "ns=2;s=b", type: string}
      - {id: 16, name: PHASE, node: "ns=2;s=ph", type: string}
  - name: BR102
    server: past
    partition: 1
    tags:
      - id: 21
        name: T
        node: "ns=2;s=t2"
        checks: {limits: [{side: h, value: 37.5, on_delay_s: 60, off_delay_s: 60}]}
"""
"""One vessel at 1 Hz on partition 0, one that comes from the past on partition 1."""


def configuration(text: str = YAML, number: int = 1) -> Message:
    """Return the record of an applied plant.yaml."""
    record = ConfigurationRecord(number, f"sha-{number}", text, NOON_US, "engineer")
    return Message(*encode_configuration(record))


def clock(second: float, start: int = NOON_US) -> Message:
    """Return the clock record of a second of the story."""
    return Message(*encode_clock(Clock(start + int(second * S_US), {})))


def liveness(second: float, server: str = "dcs", start: int = NOON_US) -> Message:
    """Return what proves a server's subscription alive."""
    alive_at = start + int(second * S_US)
    return Message(*encode_liveness(Liveness(server, "session-1", alive_at)))


def rows(
    tags: list[int],
    times: list[int],
    values: list[float],
    texts: Sequence[str | None] | None = None,
    delay_us: int = 20_000,
) -> Block:
    """Return Good readings, received `delay_us` after their source time."""
    time = np.array(times, np.int64)
    tag = np.array(tags, np.int32)
    bits = np.array(values, float).view(np.int64) ^ time ^ tag
    return Block(
        tag=tag,
        time=time,
        value=np.array(values, float),
        status=np.zeros(len(tags), np.uint32),
        tie=(bits * 2_654_435_761 % 2**31).astype(np.int32),
        received=time + delay_us,
        server=np.zeros(len(tags), np.int32),
        text=None if texts is None else pa.array(texts, pa.string()),
    )


def readings(
    block: Block, origin: Origin = Origin.LIVE, server: str = "dcs"
) -> Message:
    """Return the record of a block."""
    header = ReadingsHeader(origin, server, "session-1", (1, 1), 1)
    return Message(*encode_readings(block, header))


def second_of(second: int, start: int = NOON_US) -> Block:
    """Return the readings of BR101 in one second: T too high for 10 of every 30 s.

    P swings beyond both limits; the setpoint changes every 40 s, batch and phase begin
    with the story and change every 25 s and 10 s.
    """
    at = start + second * S_US
    high = second % 30 >= 15 and second % 30 < 25
    values = {
        11: 38.0 + second % 7 / 10 if high else 36.5 + second % 5 / 10,
        12: 1.6 * float(np.sin(second / 4)),
        13: second / 3,
    }
    parts = [rows([tag], [at + tag * 1_000], [value]) for tag, value in values.items()]
    if second % 40 == 0:
        parts.append(rows([SETPOINT], [at], [51.0 if second % 80 else 37.0]))
    for tag, every, name in ((BATCH, 25, "B"), (PHASE, 10, "P")):
        if second % every == 0:
            said = [f"{name}{second // every}"]
            parts.append(rows([tag], [at + tag * 1_000], [np.nan], said))
    return merge(parts)


def told(first: int, end: int, start: int = NOON_US) -> list[Message]:
    """Return the records of seconds `first` to `end` (not included) of BR101."""
    messages = [configuration()] if first == 0 else []
    for second in range(first, end):
        messages.append(readings(second_of(second, start)))
        messages.append(liveness(second + 0.2, start=start))
        messages.append(clock(second + 0.3, start=start))
    return messages


def records(
    messages: list[Message], partition: int = 0, first: int = 0
) -> list[Record]:
    """Return messages as if they were read from offset `first` of `plant`."""
    at = TopicPartition("plant", partition)
    return [
        Record(at, Position("epoch", n), NOON_US + n, m.headers, m.value)
        for n, m in enumerate(messages, first)
    ]
