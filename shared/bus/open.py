"""Opens the log that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.bus.local import LocalBus

if TYPE_CHECKING:
    from shared.bus.interface import Bus
    from shared.settings import BusSettings


def open_bus(settings: BusSettings) -> Bus:
    """Return the log at `settings.url`; nothing is opened before `async with`."""
    kind, _, rest = settings.url.partition(":")
    if kind == "local":
        return LocalBus(Path(rest))
    # the driver only where it is used
    from shared.bus.kafka import KafkaBus  # noqa: PLC0415

    return KafkaBus(settings)
