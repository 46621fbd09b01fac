"""Plants of both variants for the chaos test, on neighbours that run already."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING

from tests.chaos.storm import Storm, storm
from tests.chaos.wires import Wires
from tests.system.disk import SmallDisk
from tests.system.site import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.embedded.postgres import EmbeddedPostgres
    from tests.neighbours.kafka import KafkaBroker
    from tests.neighbours.timescale import TimescaleServer

LOG_MB = 512


@contextlib.contextmanager
def embedded_storm(folder: Path, database: EmbeddedPostgres) -> Iterator[Storm]:
    """Run a plant on a local log, which lies on a small disk, and plain PostgreSQL."""
    name = f"c{uuid.uuid4().hex[:12]}"
    with SmallDisk(LOG_MB) as disk, Wires() as wires:
        bus = f"local:{disk.folder}/log"
        variant = Variant("embedded", bus, database.dsn, name, "")
        found = storm(folder, variant, wires, database=database, disk=disk)
        with found.site:
            found.begin()
            yield found


@contextlib.contextmanager
def plant_storm(
    folder: Path, database: TimescaleServer, broker: KafkaBroker
) -> Iterator[Storm]:
    """Run a plant on Kafka, behind a spool of 2 MiB, and TimescaleDB."""
    name = f"c{uuid.uuid4().hex[:12]}"
    with Wires() as wires:
        bus = f"kafka://{broker.bootstrap}"
        variant = Variant("plant", bus, database.dsn, name, f"{name}.")
        found = storm(folder, variant, wires, database=database, broker=broker)
        with found.site:
            found.begin()
            yield found
