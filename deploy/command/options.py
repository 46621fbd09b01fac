"""Options of the command line laid over the settings of the environment."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from deploy.settings import CommandSettings
from shared.domain import FedbatchError
from shared.settings import BusSettings, DatabaseSettings

if TYPE_CHECKING:
    from shared.settings import Section

_S = TypeVar("_S", bound="Section")


class OptionMissing(FedbatchError):  # noqa: N818
    """Neither the command line nor the environment says what is needed."""


class OptionInvalid(FedbatchError):  # noqa: N818
    """An option does not have the form that is expected."""


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str, option: str) -> timedelta:
    """Return the length of time that `text` says.

    >>> duration("90m", "--history")
    datetime.timedelta(seconds=5400)
    >>> duration("1d12h", "--history")
    datetime.timedelta(days=1, seconds=43200)

    Raises:
        OptionInvalid: no number and unit, or nothing but zero.
    """
    if re.fullmatch(r"(\d{1,6}[smhd])+", text):
        parts = re.findall(r"(\d+)([smhd])", text)
        length = sum(
            (timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts),
            timedelta(),
        )
        if length:
            return length
    raise OptionInvalid(
        f"{option} {text!r}: expected a length of time such as 90m, 12h or 3d"
    )


def bus_settings(url: str | None) -> BusSettings:
    """Return where the log is: `--bus` before FEDBATCH_COMMAND_BUS__URL."""
    found = CommandSettings.load().bus
    settings = _over(BusSettings, found, "url", url, "--bus")
    if settings is None:
        raise OptionMissing(
            "which log: expected --bus local:/folder or kafka://host:port, or the "
            "variable FEDBATCH_COMMAND_BUS__URL"
        )
    return settings


def database_settings(dsn: str | None) -> DatabaseSettings:
    """Return where the readings are: `--database` before FEDBATCH_COMMAND_DATABASE."""
    found = CommandSettings.load().database
    settings = _over(DatabaseSettings, found, "dsn", dsn, "--database")
    if settings is None:
        raise OptionMissing(
            "which database: expected --database postgresql://user@host/name, or the "
            "variable FEDBATCH_COMMAND_DATABASE__DSN"
        )
    return settings


def _over(
    cls: type[_S], found: _S | None, field: str, value: str | None, option: str
) -> _S | None:
    if value is None:
        return found
    given = {} if found is None else found.model_dump()
    try:
        return cls.model_validate({**given, field: value})
    except ValidationError as error:
        finding = error.errors()[0]
        raise OptionInvalid(f"{option}: {finding['msg']}") from error
