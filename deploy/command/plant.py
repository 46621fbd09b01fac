"""`fedbatch check` and `fedbatch apply`."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.command.options import bus_settings
from shared.bus.open import open_bus
from shared.configuration import apply_configuration, create_topics
from shared.domain import FedbatchError
from shared.plant import Plant, parse_plant

if TYPE_CHECKING:
    from shared.wire import ConfigurationRecord


class PlantUnreadable(FedbatchError):  # noqa: N818
    """The plant.yaml cannot be opened or is no text."""


def read_plant(path: Path) -> tuple[str, Plant]:
    """Return the text of plant.yaml and what it says.

    Raises:
        PlantUnreadable: there is no such file, or it is not UTF-8.
        PlantInvalid: with every finding and its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlantUnreadable(
            f"{path}: expected plant.yaml in UTF-8: {error}"
        ) from error
    return text, parse_plant(text, str(path))


def described(plant: Plant, source: str) -> str:
    """Return what a plant holds, in a sentence and a line for each vessel."""
    tags = sum(len(vessel.tags) for vessel in plant.vessels)
    lines = [
        f"{source}: site {plant.site}: {len(plant.servers)} server(s), "
        f"{len(plant.vessels)} vessel(s), {tags} tag(s)"
    ]
    lines += [
        f"  {vessel.name} in {vessel.area} on {vessel.server}: "
        f"{len(vessel.tags)} tags, partition {vessel.partition}"
        for vessel in plant.vessels
    ]
    return "\n".join(lines)


async def applied(path: Path, bus: str | None, actor: str | None) -> str:
    """Publish plant.yaml and return a sentence with its version and SHA-256."""
    text, plant = read_plant(path)
    settings = bus_settings(bus)
    async with open_bus(settings) as log:
        await create_topics(log, settings.partitions)
        record = await apply_configuration(
            log,
            text,
            source=str(path),
            actor=actor or getpass.getuser(),
            now=time.time_ns() // 1000,
        )
    return f"{described(plant, str(path))}\n{_said(record)}"


def _said(record: ConfigurationRecord) -> str:
    return f"version {record.version}, SHA-256 {record.sha256}"
