"""Run the collector: `python -m services.ingest.collect`."""

from __future__ import annotations

import sys

from services.ingest.collect.collector import collect
from services.ingest.collect.configurations import Configurations
from services.ingest.collect.logs import opened
from services.ingest.collect.settings import CollectorSettings
from shared.bus.open import open_bus
from shared.process import run
from shared.settings import ServiceSettings


async def main(settings: ServiceSettings) -> None:
    """Collect until stopped."""
    assert isinstance(settings, CollectorSettings)  # noqa: S101  given by `load` below
    settings.spool.mkdir(parents=True, exist_ok=True)
    async with open_bus(settings.bus) as bus:
        configurations = Configurations(
            bus,
            settings.spool / "configuration.json",
            partitions=settings.bus.partitions,
        )
        first = await configurations.first()
        async with opened(settings, bus, lambda: configurations.servers) as logs:
            await collect(
                settings,
                plant=logs.plant,
                backfill=bus,
                append=logs.append,
                first=first,
                configurations=configurations.after,
            )


if __name__ == "__main__":
    sys.exit(run(CollectorSettings.load, main, "collector"))
