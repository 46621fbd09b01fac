"""A relay as a process of its own, to be killed: `relay_process FOLDER URL PREFIX`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from services.ingest.spool import relay
from shared.bus.local import LocalBus
from shared.bus.open import open_bus
from shared.settings import BusSettings


async def main(folder: str, url: str, prefix: str) -> None:
    settings = BusSettings(url=url, prefix=prefix)
    async with LocalBus(Path(folder)) as spool, open_bus(settings) as bus:
        await relay(spool, bus, ["plant"], servers=lambda: ["plant"])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
