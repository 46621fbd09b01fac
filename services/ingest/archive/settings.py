"""The archiver's settings, from variables that begin with FEDBATCH_ARCHIVER_."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import BusSettings, DatabaseSettings, ServiceSettings, Timeouts


class ArchiverSettings(ServiceSettings):
    """From the log to the database."""

    model_config = SettingsConfigDict(env_prefix="FEDBATCH_ARCHIVER_")
    service: ClassVar[str] = "archiver"

    bus: BusSettings
    database: DatabaseSettings
    timeouts: Timeouts = Timeouts()
    member: str = Field(default="archiver-1", min_length=1)
    """Name in the consumer group; another one for every archiver of a plant."""
    merge_rows: int = Field(default=100_000, ge=1, le=100_000)
    """Most readings of a partition that one transaction stores."""
    merge_wait: timedelta = timedelta(milliseconds=200)
    """How long records are collected before they are stored."""
    fetch_bytes: int = Field(default=32 * 1024 * 1024, ge=64 * 1024, le=64 * 1024**2)
    """Most that is read from the log before it is stored."""
    latest_every: timedelta = timedelta(seconds=10)
    """How often the newest reading of each tag is written for restarts."""
    report_every: timedelta = timedelta(seconds=60)
    """How often rows stored, duplicates and lag are logged."""
