"""Settings of the simulated plant, from variables that begin FEDBATCH_SIMULATOR_."""

from __future__ import annotations

import ipaddress
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings
from simulators.organisms import ORGANISMS, organism
from simulators.playback.mapping import Mapping, Time, read_mapping
from simulators.tags import CORE, Tag

MOST_VESSELS = 10_000
_SUITE = rf"({'|'.join(ORGANISMS)})=[1-9]\d{{0,3}}"
_PROCESSES = rf"^$|^{_SUITE}(,{_SUITE})*$"


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
    vessels: int = Field(default=3, ge=1, le=MOST_VESSELS)
    """Named BR101, BR102 and so on, each at another age of its culture."""
    first: int = Field(default=101, ge=1)
    """Number of the first vessel."""
    process: Literal["cho", "hek293", "penicillin", "ecoli"] = "cho"
    """What all vessels cultivate, unless `processes` says more."""
    processes: str = Field(default="", pattern=_PROCESSES)
    """`cho=3,ecoli=2`: how many vessels cultivate what, in the order of their names; in
    place of `vessels` and `process`."""
    shards: int = Field(default=1, ge=1, le=64)
    """Processes that serve the site together, with the same settings but `shard`,
    `port` and `data`: each its part of the vessels, and no batch is named twice."""
    shard: int = Field(default=1, ge=1)
    """Which of them this one is, from 1."""
    instruments: Literal["all", "core"] = "all"
    """`core`: only what any fed-batch vessel has, 30 tags."""
    lads: bool = False
    """Show the plant as OPC 30500 (LADS) devices too, beside the flat profile."""
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
    """Values that HistoryRead finds, over all variables. 0: it has no history."""
    keep_on_disk: bool = False
    """Whether they outlast a restart, in the data folder; else they are in memory."""
    encrypted: bool = False
    """Basic256Sha256 with SignAndEncrypt only; else without security only."""
    user: str | None = None
    """Who may connect and do everything, with `password`; default: anybody."""
    password: SecretStr | None = None
    users: Path | None = None
    """YAML file with more `users`: a list of `name`, `password`, `role` (reader,
    operator, engineer); see servers.roles."""
    known_clients: bool = False
    """Let in only clients whose certificate lies in `clients/trusted` of the data
    folder; others' are left in `clients/rejected`. Needs `encrypted`."""
    open: bool = False
    """Listen beyond this machine without user and encryption (a closed network)."""

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password: expected both or none")
        named = self.user is not None or self.users is not None
        guarded = self.encrypted and named
        if self.known_clients and not self.encrypted:
            raise ValueError("known_clients: expected encrypted=true")
        if not (_is_loopback(self.host) or guarded or self.open):
            raise ValueError(
                f"host {self.host} is reachable from other machines: expected "
                "encrypted with user and password, or open=true"
            )
        return self

    @model_validator(mode="after")
    def _has_vessels(self) -> Self:
        if self.shard > self.shards:
            raise ValueError(f"shard {self.shard}: expected 1 to shards={self.shards}")
        count = sum(map(len, self.site_suites.values()))
        if self.shards > count:
            raise ValueError(f"shards {self.shards}: expected at most {count} vessels")
        return self

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Return the tags of vessels that cultivate `process`."""
        return self.tags_of(self.process)

    def tags_of(self, process: str) -> tuple[Tag, ...]:
        """Return the tags that a vessel of a process has."""
        core = {tag.name for tag in CORE}
        tags = organism(process).columns()
        if self.instruments == "all":
            return tags
        return tuple(tag for tag in tags if tag.name in core)

    @property
    def suites(self) -> dict[str, tuple[str, ...]]:
        """Return this shard's vessels by process, all in order."""
        every = [name for names in self.site_suites.values() for name in names]
        begin, end = (
            len(every) * shard // self.shards for shard in (self.shard - 1, self.shard)
        )
        mine = set(every[begin:end])
        parts = {
            process: tuple(name for name in names if name in mine)
            for process, names in self.site_suites.items()
        }
        return {process: names for process, names in parts.items() if names}

    @property
    def site_suites(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the whole site's vessels by process, all in order."""
        pairs = (pair.partition("=") for pair in self.processes.split(",") if pair)
        counts = Counter[str]()
        for process, _, count in pairs:
            counts[process] += int(count)
        if not counts:
            counts[self.process] = self.vessels
        suites, first = dict[str, tuple[str, ...]](), self.first
        for process, many in counts.items():
            suites[process] = tuple(f"BR{first + n}" for n in range(many))
            first += many
        return suites

    @property
    def vessel_names(self) -> tuple[str, ...]:
        """Return the vessels' names in order."""
        return tuple(name for names in self.suites.values() for name in names)


class PlaybackSettings(SimulatorSettings):
    """A recorded run that is served as if it happened; see simulators.playback."""

    file: Path
    """CSV with a header, or Parquet; wide, or long with a `mapping`."""
    time_column: str = "time"
    time_unit: Literal["date", "s", "min", "h"] = "date"
    """`date`: ISO 8601; else a count since the start of the run."""
    zone: str = ""
    """IANA zone of dates that name none; default: such dates are refused."""
    delimiter: str = ","
    mapping: Path | None = None
    """YAML file that says how `file` is laid out, in place of the four settings above
    and `columns`; see playback.mapping."""
    columns: str = Field(default="", pattern=r"^$|^[^=;]+=[^=;]+(;[^=;]+=[^=;]+)*$")
    """`column=node;column=node`; default: every column under its own name."""
    speed: float = Field(default=1.0, ge=0.0)
    """Recorded seconds per second; 0: as fast as clients take it."""
    shift: bool = True
    """Move the recorded times to now (see playback.player); else keep them."""

    @property
    def layout(self) -> Mapping:
        """Return how the file is laid out.

        Raises:
            FileInvalid: the mapping is not there, or wrong.
        """
        if self.mapping is not None:
            return read_mapping(self.mapping)
        pairs = (pair.partition("=") for pair in self.columns.split(";") if pair)
        return Mapping(
            time=Time(column=self.time_column, unit=self.time_unit, zone=self.zone),
            delimiter=self.delimiter,
            tags={node: column for column, _, node in pairs},
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
