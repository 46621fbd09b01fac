"""Composition of the archiver: its log, its database, and what runs beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.ingest.archive import upkeep
from services.ingest.archive.archiver import Archiver
from shared.bus.open import open_bus
from shared.configuration import create_topics
from shared.domain import Unavailable
from shared.patience import Patience
from shared.store.archive import open_archive
from shared.store.migrations import wait_for_schema

if TYPE_CHECKING:
    from services.ingest.archive.settings import ArchiverSettings


async def run_archiver(settings: ArchiverSettings) -> None:
    """Archive until cancelled; waits for the log, the database and its schema.

    Raises:
        Fenced: another archiver took over; start again to take what is left.
        SchemaTooNew, NotOurs, ServerTooOld, AccessRefused: the database is not one
            that this program may write to.
    """
    patience = Patience("start", settings.timeouts.retry.total_seconds())
    while True:
        await wait_for_schema(settings.database)
        try:
            await _archive(settings)
        except Unavailable as error:
            await patience.wait(error)


async def _archive(settings: ArchiverSettings) -> None:
    async with (
        open_bus(settings.bus) as bus,
        open_archive(settings.database) as archive,
    ):
        await create_topics(bus, settings.bus.partitions)
        archiver = Archiver(bus, archive, settings)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(upkeep.write_latest(archiver))
            tasks.create_task(upkeep.seal_ledger(archiver))
            tasks.create_task(upkeep.report(archiver))
            tasks.create_task(archiver.run())
