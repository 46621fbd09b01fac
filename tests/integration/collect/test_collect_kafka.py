"""With Kafka the collector spools first; the relay carries the records on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from services.ingest.opcua.subscription import utc_now
from shared.bus import Record, TopicPartition
from shared.bus.open import open_bus
from shared.configuration import apply_configuration, create_topics
from shared.domain import Topic
from shared.plant import render_plant
from shared.settings import BusSettings
from shared.wire import decode_readings
from tests.integration.collect.collected import HEARTBEAT, plant_of, rows
from tests.neighbours.instrument import Instrument

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.collect.collected import Seen

pytestmark = pytest.mark.kafka


async def test_readings_reach_kafka_by_way_of_the_spool(
    kafka_bootstrap: str, fresh: str, tmp_path: Path
) -> None:
    url = f"kafka://{kafka_bootstrap}"
    settings = BusSettings(url=url, partitions=2, prefix=f"{fresh}-")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FEDBATCH_")}
    async with Instrument(4) as instrument, open_bus(settings) as bus:
        await create_topics(bus, 2)
        text = render_plant(plant_of(instrument.url, 4))
        await apply_configuration(
            bus, text, source="plant.yaml", actor="test", now=utc_now()
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.ingest.collect",
            env=clean
            | {
                "FEDBATCH_COLLECTOR_BUS__URL": url,
                "FEDBATCH_COLLECTOR_BUS__PARTITIONS": "2",
                "FEDBATCH_COLLECTOR_BUS__PREFIX": f"{fresh}-",
                "FEDBATCH_COLLECTOR_SPOOL": str(tmp_path / "spool"),
                "FEDBATCH_COLLECTOR_STOP_WITH_PARENT": "true",
            },
        )
        places = [TopicPartition(Topic.PLANT, number) for number in range(2)]
        starts = {at: await bus.start(at) for at in places}
        found: list[Seen] = []
        async with asyncio.timeout(60), bus.reader(starts) as reader:
            while len({r.tag for r in found} - {HEARTBEAT}) < 4:
                await instrument.send(utc_now())
                for item in await reader.poll(max_bytes=1 << 22, timeout_s=0.2):
                    assert isinstance(item, Record)
                    if item.headers["kind"] == "readings":
                        header, block = decode_readings(item.headers, item.value)
                        found += rows(block, header.origin.value, item.at.partition)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    sent = set(instrument.sent)
    values = [r for r in found if r.tag != HEARTBEAT and r.status == 0]
    assert {(r.tag - 1, r.time, r.value) for r in values} <= sent
    assert {r.partition for r in values if r.tag <= 2} == {0}
    assert {r.partition for r in values if r.tag > 2} == {1}
