"""Run the collector: `python -m services.ingest.collect`."""

from __future__ import annotations

import sys

from services.ingest.collect.collector import collect
from services.ingest.collect.configurations import Configurations
from services.ingest.collect.settings import CollectorSettings
from shared.bus.open import open_bus
from shared.configuration import create_topics
from shared.process import run
from shared.settings import ServiceSettings


async def main(settings: ServiceSettings) -> None:
    """Collect until stopped."""
    assert isinstance(settings, CollectorSettings)  # noqa: S101  given by `load` below
    settings.spool.mkdir(parents=True, exist_ok=True)
    async with open_bus(settings.bus) as bus:
        await create_topics(bus, settings.bus.partitions)
        configurations = Configurations(bus, settings.spool / "configuration.json")
        await collect(
            settings,
            plant=bus,
            append=bus.append,
            first=await configurations.first(),
            configurations=configurations.after,
        )


if __name__ == "__main__":
    sys.exit(run(CollectorSettings.load, main, "collector"))
