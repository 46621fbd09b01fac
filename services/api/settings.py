"""Settings of the API service."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.api.roles import Role
from shared.settings import BusSettings, DatabaseSettings, Section, ServiceSettings

SHORTEST_KEY = 16
"""Characters of an API key at least."""


class TlsSettings(Section):
    """The server's certificate, PEM."""

    certificate: Path
    """Certificate with its chain."""
    key: Path
    """Private key."""


class ApiSettings(ServiceSettings):
    """Where to listen, who may ask, and where the answers come from."""

    model_config = SettingsConfigDict(env_prefix="FEDBATCH_API_")
    service: ClassVar[str] = "api"

    host: str = "127.0.0.1"
    """Address to listen on; one that is not loopback needs `keys` and `tls`."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """0 takes a free one and logs it."""
    bus: BusSettings
    database: DatabaseSettings
    keys: dict[str, SecretStr] = Field(default_factory=dict)
    """API keys by the name of who uses them, `FEDBATCH_API_KEYS__GRAFANA=...`; with
    any, every question needs `Authorization: Bearer <key>`."""
    roles: dict[str, Role] = Field(default_factory=dict)
    """Role of each of them, `FEDBATCH_API_ROLES__GRAFANA=viewer`: viewer (default),
    operator, engineer, qa or admin."""
    tls: TlsSettings | None = None
    """Serve HTTPS."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach us."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @model_validator(mode="after")
    def _reachable_only_when_safe(self) -> Self:
        short = [
            n for n, k in self.keys.items() if len(k.get_secret_value()) < SHORTEST_KEY
        ]
        if short:
            raise ValueError(
                f"keys of {', '.join(short)}: expected at least {SHORTEST_KEY} "
                "characters"
            )
        unknown = sorted(self.roles.keys() - self.keys.keys())
        if unknown:
            raise ValueError(
                f"roles of {', '.join(unknown)}: expected names that have a key "
                f"({', '.join(sorted(self.keys)) or 'there is none'})"
            )
        if not self.is_loopback and not (self.keys and self.tls):
            raise ValueError(
                f"host {self.host} can be reached from other machines: expected KEYS "
                "and TLS to be set, or a loopback host such as 127.0.0.1"
            )
        return self
