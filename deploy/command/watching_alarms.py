"""`fedbatch watch`: options and environment, then the list of alarms."""

from __future__ import annotations

import asyncio
import getpass
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploy.alarms.asking import Access, actor_name
from deploy.alarms.screen import watch
from deploy.command.options import OptionInvalid
from deploy.settings import CommandSettings

if TYPE_CHECKING:
    from pathlib import Path


def watch_alarms(
    url: str, *, key: str | None, actor: str | None, ca_file: Path | None
) -> None:
    """Show the alarms until `q` or Ctrl-C.

    Raises:
        OptionInvalid: the URL or the file is none.
        AnswerRefused: without a terminal, when the API does not let us.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(watch(access(url, key=key, actor=actor, ca_file=ca_file)))


def access(
    url: str, *, key: str | None, actor: str | None, ca_file: Path | None
) -> Access:
    """Return where the API is and who we are: options before the environment.

    Raises:
        OptionInvalid: the URL or the file is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise OptionInvalid(f"--url {url!r}: expected http:// or https:// and a host")
    if ca_file is not None and not ca_file.is_file():
        raise OptionInvalid(f"--ca-file {ca_file}: expected a file of certificates")
    kept = CommandSettings.load().key
    if key is None and kept is not None:
        key = kept.get_secret_value()
    who = actor_name(actor or getpass.getuser())
    return Access(url.rstrip("/"), who, key, ca_file)
