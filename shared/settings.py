"""Settings from the environment: the only room that reads it.

Each service has one class derived from ServiceSettings with its own prefix, for
example `FEDBATCH_API_BUS__URL`. A variable that begins with `FEDBATCH_` and fits no
field is an error that names the nearest right one.
"""

from __future__ import annotations

import difflib
import os
from datetime import timedelta
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, ClassVar, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVICES = (
    "COLLECTOR",
    "ARCHIVER",
    "MONITOR",
    "API",
    "NOTIFIER",
    "SIMULATOR",
    "COMMAND",
)
"""The word after FEDBATCH_ in every variable: whose setting it is."""


class SettingsInvalid(FedbatchError):  # noqa: N818
    """The environment does not make valid settings; the message says which variable."""


class Section(BaseModel):
    """A group of settings that one room takes."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )


class BusSettings(Section):
    """Where the log is."""

    url: str = Field(pattern=r"^(local:/|kafka://)\S+$")
    """`local:/absolute/folder` or `kafka://host:port,host:port`."""
    username: str | None = None
    """SASL user of Kafka; default: no authentication."""
    password: SecretStr | None = None
    mechanism: str = "SCRAM-SHA-512"
    """SASL mechanism, when a username is given."""
    tls: bool = False
    """Encrypt the connection to Kafka."""
    ca_file: Path | None = None
    """Certificates to trust; default: the system's."""
    partitions: int = Field(default=4, ge=1, le=16)
    """Partitions of `plant` when it is made: 4 embedded, 16 in a plant."""
    prefix: str = ""
    """Put before every topic name on Kafka, so that several plants share a broker."""


class DatabaseSettings(Section):
    """Where the readings are stored."""

    dsn: SecretStr
    """`postgresql://user:password@host:port/database`; TLS by its `sslmode`."""
    pool: int = Field(default=4, ge=1, le=64)
    """Connections at most."""
    namespace: str = Field(default="fedbatch", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    """PostgreSQL schema that holds every table of ours."""

    @field_validator("namespace")
    @classmethod
    def _is_not_reserved(cls, name: str) -> str:
        if name.startswith("pg_"):
            raise ValueError(f"{name!r}: expected a name that does not begin with pg_")
        return name


class ServiceSettings(BaseSettings):
    """What every service has; subclasses set the prefix and add their own."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_nested_delimiter="__",
        use_attribute_docstrings=True,
        env_ignore_empty=True,
    )
    service: ClassVar[str]
    """One of SERVICES, in lower case."""

    log_level: str = "INFO"
    stop_with_parent: bool = False
    """End when the process that started this one ends (the embedded default)."""

    @classmethod
    def load(cls) -> Self:
        """Return the settings of the environment.

        Raises:
            SettingsInvalid: a variable is unknown, missing or wrong; all are named.
        """
        problems = list(_misspelt(cls, os.environ))
        try:
            settings = cls()
        except ValidationError as error:
            problems += [
                f"{_variable(cls, finding['loc'])}: {finding['msg']}"
                for finding in error.errors()
            ]
        if problems:
            raise SettingsInvalid("\n".join(problems))
        return settings


def _prefix(cls: type[ServiceSettings]) -> str:
    return str(cls.model_config.get("env_prefix", ""))


def _variable(cls: type[ServiceSettings], loc: tuple[int | str, ...]) -> str:
    return _prefix(cls) + "__".join(str(part).upper() for part in loc)


def _misspelt(cls: type[ServiceSettings], environ: Mapping[str, str]) -> Iterator[str]:
    known = set(known_variables(cls))
    own = _prefix(cls)
    others = tuple(f"FEDBATCH_{s}_" for s in SERVICES if f"FEDBATCH_{s}_" != own)
    for name in sorted(environ):
        upper = name.upper()
        if not upper.startswith("FEDBATCH_") or upper.startswith(others):
            continue
        if upper not in known and not _in_open_group(upper, known):
            nearest = difflib.get_close_matches(upper, sorted(known), n=1, cutoff=0.0)
            yield f"{name}: not a setting of {cls.service}; the nearest is {nearest[0]}"


def _in_open_group(name: str, known: set[str]) -> bool:
    """Whether `name` is an entry of a setting that is a mapping (`...__*`)."""
    return any(k.endswith("__*") and name.startswith(k[:-1]) for k in known)


def known_variables(cls: type[ServiceSettings]) -> list[str]:
    """Return the names of all variables of `cls`; mappings end in `__*`."""
    return [_prefix(cls) + name for name in _names(cls)]


def _names(model: type[BaseModel]) -> Iterator[str]:
    for field, info in model.model_fields.items():
        annotation = info.annotation
        section = _section(annotation)
        if section is not None:
            yield from (f"{field.upper()}__{name}" for name in _names(section))
        elif getattr(annotation, "__origin__", None) is dict:
            yield f"{field.upper()}__*"
        else:
            yield field.upper()


def _section(annotation: object) -> type[BaseModel] | None:
    """Return the section that a field is, also one that may be absent (`| None`)."""
    parts = get_args(annotation) if NoneType in get_args(annotation) else (annotation,)
    for part in parts:
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


class Timeouts(Section):
    """Time-outs that tests scale; ISO 8601 in the environment, for example PT5S."""

    neighbour: timedelta = timedelta(seconds=10)
    """How long one try to reach the log or the database may take."""
    retry: timedelta = timedelta(seconds=1)
    """Pause after a failed try; doubled up to ten times this."""
