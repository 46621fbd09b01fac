"""Settings of the collector: FEDBATCH_COLLECTOR_..."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import ByteSize, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.ingest.opcua.subscription import KEEP_ALIVE_S
from services.ingest.spool.spool import QUOTA_BYTES, RESERVE_BYTES
from shared.settings import BusSettings, ServiceSettings, Timeouts

MIB = 1024**2


class CollectorSettings(ServiceSettings):
    """Where the collector writes, and what it may not find in plant.yaml."""

    model_config = SettingsConfigDict(env_prefix="FEDBATCH_COLLECTOR_")
    service: ClassVar[str] = "collector"

    bus: BusSettings
    spool: Path
    """Folder of the collector's own: what it saw last, its certificates, and, before
    Kafka, the spool."""
    spool_quota: ByteSize = Field(default=ByteSize(QUOTA_BYTES), ge=MIB)
    """Disk that the spool may take, for example `20GiB`. When it is used up the oldest
    readings go, with gaps. Before Kafka only: a local log is not given up."""
    spool_reserve: ByteSize = Field(default=ByteSize(RESERVE_BYTES), ge=MIB)
    """Free disk that readings never take, so that gap records can be written."""
    keep_alive: timedelta = Field(
        default=timedelta(seconds=KEEP_ALIVE_S),
        gt=timedelta(0),
        le=timedelta(seconds=5),
    )
    """Longest silence asked of a healthy subscription. A server that is silent for one
    and a half times as long as it granted counts as unreachable."""
    passwords: dict[str, SecretStr] = Field(default_factory=dict)
    """Password of a server's user, by the server's name in lower case with every run
    of other characters than letters and digits as one underscore."""
    backfill_rows_per_s: float = Field(default=20_000.0, gt=0)
    """Most readings per second that are fetched from servers' histories after gaps,
    until the archiver has said how fast it stores them; then a quarter of that."""
    timeouts: Timeouts = Timeouts()

    def password(self, server: str) -> str | None:
        """Return the password for the server of that name; None if there is none."""
        key = re.sub(r"[^a-z0-9]+", "_", server.lower())
        found = {name.lower(): secret for name, secret in self.passwords.items()}
        secret = found.get(key)
        return None if secret is None else secret.get_secret_value()
