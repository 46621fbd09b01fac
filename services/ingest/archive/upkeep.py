"""What the archiver does beside storing: newest readings, sealing, a status line."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING

from shared.domain import US_PER_S, Unavailable

if TYPE_CHECKING:
    from services.ingest.archive.archiver import Archiver

_log = logging.getLogger(__name__)

SEAL_S = 600.0
"""How often the ledger's rows are folded."""
SEAL_BEHIND_US = 3_600 * US_PER_S
"""Minutes that were counted in the last hour are still open."""


async def write_latest(archiver: Archiver) -> None:
    """Write the newest reading of each tag now and then, until cancelled."""
    while True:
        await asyncio.sleep(archiver.settings.latest_every.total_seconds())
        await flush_latest(archiver)


async def flush_latest(archiver: Archiver) -> None:
    """Write what is newer than the table; kept for later while the database is away."""
    taken = archiver.newest.take()
    try:
        await archiver.archive.write_latest(taken)
    except Unavailable:
        archiver.newest.give_back(taken)


async def seal_ledger(archiver: Archiver) -> None:
    """Fold the ledger's old rows now and then, until cancelled."""
    while True:
        await asyncio.sleep(SEAL_S)
        before = time.time_ns() // 1_000 - SEAL_BEHIND_US
        try:
            await archiver.archive.seal_ledger(before)
        except Unavailable:
            continue  # the storing loop says that the database is away


async def report(archiver: Archiver) -> None:
    """Log what was stored and how far behind the log it is, until cancelled."""
    while True:
        await asyncio.sleep(archiver.settings.report_every.total_seconds())
        try:
            lag = await archiver.lag()
        except Unavailable:
            continue  # the storing loop says that the log is away
        counters = archiver.counters
        said = {
            "stored": counters.stored,
            "duplicates": counters.duplicates,
            "quarantined": counters.quarantined,
            "transactions": counters.transactions,
            "lag": {f"{at.topic}-{at.partition}": n for at, n in lag.items()},
        }
        _log.info("status %s", json.dumps(said))
