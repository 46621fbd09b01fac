"""Settings of the simulated plant, from variables that begin FEDBATCH_SIMULATOR_."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings
from simulators.organisms import organism
from simulators.playback.recording import Format
from simulators.tags import CORE, Tag


class SimulatorSettings(ServiceSettings):
    """What a simulated plant is, and where it is served."""

    model_config = SettingsConfigDict(env_prefix="FEDBATCH_SIMULATOR_")
    service: ClassVar[str] = "simulator"

    data: Path
    """Folder of state, status, certificate and record of truth; made when missing."""
    host: str = "127.0.0.1"
    port: int = Field(default=4840, ge=0, le=65535)
    """0: any free port; the one in use is in the status file."""
    site: str = "demo-site"
    area: str = "upstream"
    vessels: int = Field(default=3, ge=1, le=1000)
    """Named BR101, BR102 and so on, each at another age of its culture."""
    process: Literal["cho", "hek293", "penicillin", "ecoli"] = "cho"
    """What all vessels cultivate; simulators of other processes stand beside it."""
    instruments: Literal["all", "core"] = "all"
    """`core`: only what any fed-batch vessel has, 30 tags."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """The same seed and start give the same plant."""
    history: timedelta = timedelta(days=3)
    """How far in the past a new plant starts."""
    catchup_step: timedelta = Field(default=timedelta(minutes=1), gt=timedelta(0))
    """Simulated time between two instants while catching up with the clock."""
    rate_hz: float = Field(default=1.0, gt=0.0, le=20.0)
    """Instants per second while live."""
    wait: timedelta | None = None
    """Longest wait for a client before catching up; default: for ever."""
    scenario: str | None = None
    """Faults to come: path of a YAML file, or `demo`; default: none."""
    truth: bool = False
    """Keep a record of every value that was published."""
    keep: int = Field(default=2_000_000, ge=0)
    """Values that HistoryRead finds, over all variables; in memory, so none after a
    restart. 0: the server has no history."""
    encrypted: bool = False
    """Basic256Sha256 with SignAndEncrypt only; else without security only."""
    user: str | None = None
    """The one user who may connect, with `password`; default: anybody."""
    password: SecretStr | None = None
    open: bool = False
    """Listen beyond this machine without user and encryption (a closed network)."""

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password: expected both or none")
        guarded = self.encrypted and self.user is not None
        if not (_is_loopback(self.host) or guarded or self.open):
            raise ValueError(
                f"host {self.host} is reachable from other machines: expected "
                "encrypted with user and password, or open=true"
            )
        return self

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Return the tags that each vessel has."""
        core = {tag.name for tag in CORE}
        tags = organism(self.process).columns()
        if self.instruments == "all":
            return tags
        return tuple(tag for tag in tags if tag.name in core)

    @property
    def vessel_names(self) -> tuple[str, ...]:
        """Return the vessels' names in order."""
        return tuple(f"BR{101 + index}" for index in range(self.vessels))


class PlaybackSettings(SimulatorSettings):
    """A recorded run that is served as if it happened; see simulators.playback."""

    file: Path
    """CSV with a header, or Parquet: one row per instant."""
    time_column: str = "time"
    time_unit: Literal["date", "s", "min", "h"] = "date"
    """`date`: ISO 8601; else a count since the start of the run."""
    zone: str = ""
    """IANA zone of dates that name none; default: such dates are refused."""
    delimiter: str = ","
    columns: str = Field(default="", pattern=r"^$|^[^=;]+=[^=;]+(;[^=;]+=[^=;]+)*$")
    """`column=node;column=node`; default: every column under its own name."""
    speed: float = Field(default=1.0, ge=0.0)
    """Recorded seconds per second; 0: as fast as clients take it."""
    shift: bool = True
    """Move the recorded times to now (see playback.player); else keep them."""

    @property
    def format(self) -> Format:
        """Return how the file is laid out."""
        pairs = (pair.partition("=") for pair in self.columns.split(";") if pair)
        return Format(
            time_column=self.time_column,
            time_unit=self.time_unit,
            zone=self.zone,
            delimiter=self.delimiter,
            columns={column: node for column, _, node in pairs} or None,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
