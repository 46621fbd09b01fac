"""Runs a service's main coroutine: logs as JSON, signals cancel, exit codes.

SIGTERM and SIGINT cancel the main task, whose `async with` blocks then close in order.
Exit codes: 0 asked to stop; 2 a named situation (FedbatchError), said in one line;
1 anything else, with its traceback. Restarting is the business of whoever started us.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, TypeVar

from shared.domain import FedbatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from shared.settings import ServiceSettings

_log = logging.getLogger(__name__)

S = TypeVar("S", bound="ServiceSettings")

_PR_SET_PDEATHSIG = 1
_QUIET = ("asyncua", "aiokafka", "asyncio", "asyncpg", "httpx", "uvicorn.access")
"""Libraries that log each try of their own; we say it once, in our words."""


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, where, message."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        body = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            body["error"] = self.formatException(record.exc_info)
        return json.dumps(body)


def set_up_logging(service: str, level: str) -> None:
    """Send every log line to standard error as JSON."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[stream], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def stop_with_parent(signal_number: int = signal.SIGTERM) -> None:
    """Ask the kernel to signal this process when the thread that started it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number)


def run(
    load: Callable[[], S],
    main: Callable[[S], Coroutine[object, object, None]],
    service: str,
) -> int:
    """Run `main` with loaded settings until it ends or a signal comes.

    Returns:
        The exit code; `__main__` passes it to sys.exit.
    """
    try:
        settings = load()
        set_up_logging(service, settings.log_level)
        if settings.stop_with_parent:
            parent = os.getppid()
            stop_with_parent()
            if os.getppid() != parent:
                return 0
        asyncio.run(_until_signalled(main(settings)))
    except FedbatchError as error:
        print(f"{service}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


async def _until_signalled(main: Coroutine[object, object, None]) -> None:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def stop() -> None:
        asked.set()
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await task
        except BaseExceptionGroup as group:
            raise _only_named(group) from group
    if asked.is_set():
        _log.info("stopped")


def _only_named(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one named situation inside a TaskGroup's group, else the group."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop()
        if isinstance(error, BaseExceptionGroup):
            pending.extend(error.exceptions)
        else:
            leaves.append(error)
    named = [leaf for leaf in leaves if isinstance(leaf, FedbatchError)]
    return named[0] if len(named) == len(leaves) else group
