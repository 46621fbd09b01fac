"""Settings of the command: what is no business of a command line, what is passed on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import SERVICES, BusSettings, DatabaseSettings, ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


class CommandSettings(ServiceSettings):
    """What `fedbatch` takes from the environment; options on the line come first.

    A password on a command line is seen by everybody on the machine, so it belongs
    here: `FEDBATCH_COMMAND_DATABASE__DSN`, `FEDBATCH_COMMAND_PASSWORD`.
    """

    model_config = SettingsConfigDict(env_prefix="FEDBATCH_COMMAND_")
    service: ClassVar[str] = "command"

    bus: BusSettings | None = None
    """The log that `apply` writes to."""
    database: DatabaseSettings | None = None
    """What `migrate` and `ledger` work on."""
    password: SecretStr | None = None
    """Of the OPC UA user that `discover --user` names."""
    key: SecretStr | None = None
    """Of the HTTP API, for `watch`."""


def inherited_environment(service: str) -> Mapping[str, str]:
    """Return what a child process takes over: all but the settings of other services.

    Args:
        service: whose `FEDBATCH_<SERVICE>_` variables stay; one of SERVICES.
    """
    own = f"FEDBATCH_{service.upper()}_"
    foreign = tuple(f"FEDBATCH_{name}_" for name in SERVICES)
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(own) or not name.startswith(foreign)
    }
