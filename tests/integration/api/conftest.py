"""The real app, served by uvicorn on a real log and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from deploy.embedded.postgres import EmbeddedPostgres
from services.api.server import serve
from services.api.settings import ApiSettings
from shared.bus.open import open_bus
from shared.configuration import create_topics
from shared.settings import BusSettings, DatabaseSettings
from shared.store.archive import open_archive
from shared.store.migrations import migrate
from tests.integration.api.stored import Client, StoredPlant, listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Return a server for all tests of the API, in a folder that its user can reach."""
    with tempfile.TemporaryDirectory(prefix="fedbatch-api-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "data")
        server.start()
        yield server
        server.stop()


@pytest.fixture
def settings(postgres: EmbeddedPostgres, tmp_path: Path, fresh: str) -> ApiSettings:
    """Return settings of a log and a schema that are this test's own."""
    return ApiSettings(
        bus=BusSettings(url=f"local:{tmp_path / 'log'}"),
        database=DatabaseSettings.model_validate(
            {"dsn": postgres.dsn, "namespace": fresh}
        ),
    )


@pytest_asyncio.fixture
async def plant(settings: ApiSettings) -> AsyncIterator[StoredPlant]:
    """Return a configured plant without readings."""
    async with stored_plant(settings) as stored:
        yield stored


@asynccontextmanager
async def stored_plant(settings: ApiSettings) -> AsyncIterator[StoredPlant]:
    """Give a configured plant without readings for the length of the block."""
    await migrate(settings.database)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(settings.bus))
        archive = await stack.enter_async_context(open_archive(settings.database))
        await create_topics(bus, 1)
        stored = StoredPlant(bus, archive)
        await stored.configure()
        yield stored


@pytest_asyncio.fixture
async def api(settings: ApiSettings, plant: StoredPlant) -> AsyncIterator[Client]:
    """Return a client of the app, which runs for the length of the test."""
    assert plant.next is not None
    async with served(settings) as client:
        yield client


@pytest_asyncio.fixture
async def unmigrated(settings: ApiSettings) -> AsyncIterator[Client]:
    """Return a client of an app whose database has no tables."""
    async with served(settings) as client:
        yield client


@asynccontextmanager
async def served(settings: ApiSettings, **options: Any) -> AsyncIterator[Client]:
    """Run the app for the length of the block."""
    with listener() as opened:
        serving = asyncio.create_task(serve(settings, opened))
        scheme = "https" if settings.tls else "http"
        url = f"{scheme}://127.0.0.1:{opened.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=30, **options) as http:
            yield Client(http)
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
