"""The same monitor process on Apache Kafka: killed and started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.monitor.differences import diff
from services.monitor.partition import PartitionWatch
from services.monitor.replay import replay
from shared.bus.open import open_bus
from shared.configuration import create_topics
from shared.settings import BusSettings
from tests.integration.monitor.monitored import (
    EVER,
    PARTITIONS,
    append,
    monitor_process,
    published,
    replay_command,
    said_live,
    seen_up_to,
)
from tests.neighbours.story import records, told

if TYPE_CHECKING:
    from pathlib import Path

LIVES = 3


@pytest.mark.kafka
@pytest.mark.timeout(300)
async def test_a_monitor_killed_on_kafka_writes_the_undisturbed_journal(
    tmp_path: Path, kafka_bootstrap: str, fresh: str
) -> None:
    settings = BusSettings(
        url=f"kafka://{kafka_bootstrap}", partitions=PARTITIONS, prefix=f"{fresh}-"
    )
    messages = told(0, 120)
    watch = PartitionWatch(0)
    expected = [e for record in records(messages) for e in watch.see(record)]
    share = len(messages) // LIVES
    async with open_bus(settings) as bus:
        await create_topics(bus, PARTITIONS)
        for life in range(LIVES):
            async with monitor_process(
                tmp_path, settings, checkpoint_every="PT10S"
            ) as process:
                before = len(await published(bus))
                await append(bus, messages[life * share : (life + 1) * share])
                enough = len(expected) if life == LIVES - 1 else before + 3
                await seen_up_to(bus, enough)
                if life == 0:
                    process.terminate()  # leaves a checkpoint
                else:
                    process.kill()
                await asyncio.wait_for(process.wait(), 30)
            assert (tmp_path / "state" / "partition-0.checkpoint").exists()
        live = await said_live(bus)
        assert live == expected
        assert diff(live, await replay(bus, 0, EVER)) == []
    code, said = await replay_command(settings.url, settings.prefix)
    assert (code, said.rpartition(": ")[2]) == (0, "equal\n")
    assert "said differently" not in (tmp_path / "monitor.log").read_text()
