"""`fedbatch migrate` and `fedbatch ledger verify`."""

from __future__ import annotations

import time

from deploy.command.options import database_settings
from shared.domain import US_PER_S
from shared.store.ledger import STORED, counted, recount
from shared.store.migrations import migrate
from shared.store.pool import open_connection

_DAY_US = 86_400 * US_PER_S
_AHEAD_US = 2 * _DAY_US
"""Readings of a clock that runs ahead are stored up to a day from now."""
_SHOWN = 20


async def migrated(dsn: str | None) -> str:
    """Bring the schema to this release; return a sentence that says what was done."""
    steps = await migrate(database_settings(dsn))
    if steps == 0:
        return "the schema is of this release already"
    return f"applied {steps} migration step(s)"


async def verified(dsn: str | None, days: int) -> tuple[str, bool]:
    """Count the stored readings of the last `days` again, all of one moment.

    Returns:
        What differs from the ledger's `stored`, as text, and whether nothing does.
    """
    end = time.time_ns() // 1000 + _AHEAD_US
    start = (end // _DAY_US - days - 2) * _DAY_US
    total, differences = 0, []
    async with (
        open_connection(database_settings(dsn)) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        for day in range(start, end, _DAY_US):
            said = await counted(connection, STORED, day, day + _DAY_US)
            found = await recount(connection, day, day + _DAY_US)
            total += sum(found.values())
            differences += _differences(said, found)
    return _report(total, days, differences), not differences


def _differences(
    said: dict[tuple[int, int], int], found: dict[tuple[int, int], int]
) -> list[str]:
    """Return one line per tag and minute where ledger and readings disagree."""
    return [
        f"tag {tag}, {_minute(minute)}: ledger {said.get((tag, minute), 0)}, "
        f"stored {found.get((tag, minute), 0)}"
        for tag, minute in sorted(said.keys() | found.keys())
        if said.get((tag, minute), 0) != found.get((tag, minute), 0)
    ]


def _minute(minute: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(60 * minute))


def _report(total: int, days: int, differences: list[str]) -> str:
    head = f"{total} readings of the last {days} days counted again: "
    if not differences:
        return head + "the ledger agrees"
    rest = len(differences) - _SHOWN
    lines = [f"{head}{len(differences)} tag minutes differ", *differences[:_SHOWN]]
    return "\n".join([*lines, f"... and {rest} more"] if rest > 0 else lines)
