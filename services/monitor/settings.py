"""The monitor's settings, from variables that begin with FEDBATCH_MONITOR_."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import BusSettings, ServiceSettings, Timeouts


class MonitorSettings(ServiceSettings):
    """From the log to events."""

    model_config = SettingsConfigDict(env_prefix="FEDBATCH_MONITOR_")
    service: ClassVar[str] = "monitor"

    bus: BusSettings
    state: Path
    """Folder of the checkpoints; its own for every monitor of a plant, or one that all
    share."""
    snapshots: Path | None = None
    """Folder of the approved models that frozen residuals name: `<sha256>.json`."""
    timeouts: Timeouts = Timeouts()
    member: str = Field(default="monitor-1", min_length=1)
    """Name in the consumer group; another one for every monitor of a plant."""
    checkpoint_every: timedelta = timedelta(seconds=60)
    """Of input: so much is read again after a crash."""
    relearn: timedelta = timedelta(hours=6)
    """How far back input is read again where there is no checkpoint to go on from."""
    fetch_bytes: int = Field(default=1024 * 1024, ge=64 * 1024, le=64 * 1024**2)
    """Most that is read from the log before its events are published."""

    def approved(self) -> dict[str, str]:
        """Return the approved models by SHA-256; which of them fit is checked later."""
        if self.snapshots is None:
            return {}
        found = sorted(self.snapshots.glob("*.json"))
        return {path.stem: path.read_text() for path in found}
