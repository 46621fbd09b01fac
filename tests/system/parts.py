"""What a plant stands on, in both variants: disks that can be full, log, database."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.embedded.postgres import EmbeddedPostgres
from tests.neighbours.timescale import TimescaleServer
from tests.system.disk import SmallDisk
from tests.system.site import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.neighbours.kafka import KafkaBroker

LOG_MB = 32
SPOOL_MB = 1024 + 128
"""The spool leaves 1 GiB of its disk free."""
DATABASE_MB = 192
WAL = {"min_wal_size": "32MB", "max_wal_size": "64MB"}


@dataclass(frozen=True, slots=True)
class Parts:
    """One log and one database of their own, or the broker of the whole run."""

    log_disk: SmallDisk
    """Takes the local log: topic `plant` itself, or the spool before Kafka."""
    database_disk: SmallDisk
    database: EmbeddedPostgres | TimescaleServer
    broker: KafkaBroker | None
    """None: the log is local."""

    @property
    def spool(self) -> Path:
        """Folder of the collector's own files."""
        return self.log_disk.folder / "spool"

    @property
    def log(self) -> Path:
        """Folder of the local log of the partition that the vessel is on."""
        root = self.log_disk.folder if self.broker is None else self.spool
        return root / "log" / "plant" / "0"

    def variant(self, namespace: str) -> Variant:
        """Return where the services find them; on the broker under a fresh name."""
        dsn = self.database.dsn
        if self.broker is None:
            bus = f"local:{self.log_disk.folder}/log"
            return Variant("embedded", bus, dsn, namespace, "")
        bus, prefix = f"kafka://{self.broker.bootstrap}", f"t{uuid.uuid4().hex[:12]}."
        return Variant("plant", bus, dsn, namespace, prefix)


@contextlib.contextmanager
def embedded_parts() -> Iterator[Parts]:
    """Make a local log and a plain PostgreSQL, each on a small disk."""
    with SmallDisk(LOG_MB) as log_disk, SmallDisk(DATABASE_MB) as disk:
        database = EmbeddedPostgres(disk.folder / "data", settings=WAL)
        with running(Parts(log_disk, disk, database, None)) as parts:
            yield parts


@contextlib.contextmanager
def plant_parts(broker: KafkaBroker) -> Iterator[Parts]:
    """Make a spool and a TimescaleDB, each on a small disk, before the broker."""
    with SmallDisk(SPOOL_MB) as log_disk, SmallDisk(DATABASE_MB) as disk:
        database = TimescaleServer(disk.folder / "data", settings=WAL)
        with running(Parts(log_disk, disk, database, broker)) as parts:
            yield parts


@contextlib.contextmanager
def running(parts: Parts) -> Iterator[Parts]:
    """Run the database of the parts."""
    parts.spool.mkdir()
    parts.database.start()
    try:
        yield parts
    finally:
        parts.database.stop()
