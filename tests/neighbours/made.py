"""Readings and records made for tests, each value from a seed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from shared.bus import Message
from shared.domain import Origin
from shared.readings import Block
from shared.wire import ReadingsHeader, encode_readings

NOON_US = 1_767_268_800_000_000
"""2026-01-01 12:00 UTC."""


def made_block(
    rows: int,
    *,
    first: int = 0,
    tags: int = 3,
    start: int = NOON_US,
    texts: list[str | None] | None = None,
) -> Block:
    """Return `rows` readings that go round `tags` tags, one second a round.

    Row n of any two blocks is the same reading; `first` is the first n.
    """
    n = np.arange(first, first + rows, dtype=np.int64)
    time = start + n // tags * 1_000_000
    return Block(
        tag=(n % tags + 1).astype(np.int32),
        time=time,
        value=n / 8,
        status=np.zeros(rows, np.uint32),
        tie=(n * 2_654_435_761 % 2**32).astype(np.uint32).view(np.int32),
        received=time + 20_000,
        server=np.full(rows, 100, np.int32),
        text=None if texts is None else pa.array(texts, pa.string()),
    )


def made_message(
    block: Block, origin: Origin = Origin.LIVE, server: str = "dcs"
) -> Message:
    """Return the record of a block."""
    header = ReadingsHeader(origin, server, "session-1", (1, 1), 1)
    return Message(*encode_readings(block, header))


PLANT = """
site: Basel
servers:
  - name: dcs
    url: opc.tcp://127.0.0.1:4840
    simulated: true
    heartbeat: {id: 99}
  - name: pat
    url: opc.tcp://127.0.0.1:4841
    heartbeat: {id: 98}
vessels:
  - name: BR101
    area: suite-1
    server: dcs
    partition: 0
    context: {batch: BATCH, product: PRODUCT}
    tags:
      - {id: 1, name: TIC-101.PV, node: "ns=2;s=t", unit: Cel, range: [0, 60]}
      - {id: 2, name: AIC-101.PV, node: "ns=2;s=p", server: pat}
      - {id: 3, name: LIC-101.PV, node: "ns=2;s=l"}
      - {id: 4, name: BATCH, node: "ns=2;s=b", type: string}
      - {id: 5, name: PRODUCT, node: "ns=2;s=pr", type: string}
"""
"""One vessel on partition 0, whose tags come from two servers."""
