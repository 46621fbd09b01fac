"""`fedbatch migrate` and `fedbatch ledger verify`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deploy.command.options import database_settings
from shared.domain import US_PER_S
from shared.store.balance import imbalances, total
from shared.store.migrations import migrate
from shared.store.pool import open_connection

if TYPE_CHECKING:
    from shared.store.balance import Imbalance

_DAY_US = 86_400 * US_PER_S
_AHEAD_US = 2 * _DAY_US
"""Readings of a clock that runs ahead are stored up to a day from now."""
_SHOWN = 20
_MOST = 10_000
"""Tag minutes looked at in a day that does not add up."""


async def migrated(dsn: str | None) -> str:
    """Bring the schema to this release; return a sentence that says what was done."""
    steps = await migrate(database_settings(dsn))
    if steps == 0:
        return "the schema is of this release already"
    return f"applied {steps} migration step(s)"


async def verified(dsn: str | None, days: int) -> tuple[str, bool]:
    """Hold the ledger of the last `days` against the readings, all of one moment.

    Returns:
        What does not add up, as text, and whether everything does.
    """
    end = time.time_ns() // 1000 + _AHEAD_US
    start = (end // _DAY_US - days - 2) * _DAY_US
    counted, found = 0, []
    async with (
        open_connection(database_settings(dsn)) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        for day in range(start, end, _DAY_US):
            counted += await total(connection, day, day + _DAY_US)
            found += await imbalances(connection, day, day + _DAY_US, most=_MOST)
    return _report(counted, days, found), not found


def _line(one: Imbalance) -> str:
    told = f"tag {one.tag}, {_minute(one.minute)}:"
    if one.stored != one.found:
        return f"{told} ledger {one.stored}, stored {one.found}"
    return (
        f"{told} seen {one.seen}, on the log {one.spooled}, stored {one.stored}, "
        f"set apart {one.apart}: {one.missing} missing without a declared gap"
    )


def _minute(us: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(us // US_PER_S))


def _report(counted: int, days: int, found: list[Imbalance]) -> str:
    head = f"{counted} readings of the last {days} days counted again: "
    if not found:
        return head + "the ledger agrees"
    rest = len(found) - _SHOWN
    lines = [f"{head}{len(found)} tag minutes do not add up"]
    lines += [_line(one) for one in found[:_SHOWN]]
    return "\n".join([*lines, f"... and {rest} more"] if rest > 0 else lines)
