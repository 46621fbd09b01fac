"""The application: what it opens, its routes, and who answers errors."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, params
from fastapi.dependencies.utils import get_flat_params
from starlette.requests import HTTPConnection

from services.api.commands import Commands
from services.api.directory import Directory
from services.api.health import Health
from services.api.live import Live
from services.api.problems import Problem, answer_problems, hint, nearest
from services.api.roles import admitted
from services.api.routes import (
    alarms,
    commands,
    declared,
    health,
    kpis,
    page,
    plant,
    pushes,
    stream,
    summary,
    values,
)
from services.api.security import Admission
from services.api.sources import Sources
from shared.bus.open import open_bus
from shared.domain import FedbatchError
from shared.store.migrations import wait_for_schema
from shared.store.queries import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from services.api.settings import ApiSettings

_ABOUT = """
Readings and alarms of bioreactors, with what is missing from every answer.

* Times are ISO 8601 with an offset, or `*` (now) and `*-1d`; answers are UTC.
* A `status` is an OPC UA StatusCode, all bits; `statuses` has them in words. A Bad
  value is null. Interpolated and calculated values carry the data-location bits.
* `gaps` are declared losses, `pending` is what is not stored yet, `completeness` the
  fraction of the range that neither covers.
* Alarms have their whole explanation; commands on them are answered with 202 when the
  log has confirmed them, and what becomes of them is said on `/stream`.
* JSON columns by default, JSON rows with `rows=true`, CSV with `Accept: text/csv`.
* Errors are `application/problem+json`.
"""


PARTS = (
    *(values, summary, plant, declared),
    *(kpis, alarms, commands, pushes, stream, health, page),
)
"""The modules whose routers make the API."""


def create_app(
    settings: ApiSettings, on_failure: Callable[[BaseException], None]
) -> FastAPI:
    """Return the application; it opens its neighbours when it is started.

    Args:
        settings: of this service.
        on_failure: called when it cannot start, when what follows the log ends, or
            when the database is not one that it may read; the process should then
            stop.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with (
                Database(settings.database) as database,
                open_bus(settings.bus) as bus,
            ):
                live, directory = Live(bus, database), Directory()
                beats = Health(database, live, directory)
                app.state.sources = Sources(
                    database, live, directory, beats, Commands(bus)
                )
                schema = wait_for_schema(settings.database)
                async with (
                    _beside(live.follow(), on_failure),
                    _beside(schema, on_failure),
                ):
                    yield
        except FedbatchError as error:
            on_failure(error)
            raise

    app = FastAPI(
        title="fedbatch",
        description=_ABOUT,
        lifespan=lifespan,
        dependencies=[Depends(admitted), Depends(_only_known_parameters)],
        openapi_url=None,  # routes.page has it, with the right that it needs
    )
    app.add_middleware(Admission, settings=settings)
    for part in PARTS:
        app.include_router(part.router)
    answer_problems(app)
    return app


@asynccontextmanager
async def _beside(
    work: Coroutine[None, None, None], on_failure: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    """Run `work` for the length of the block; say when it fails."""

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            on_failure(error)

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _only_known_parameters(connection: HTTPConnection) -> None:
    """Refuse a parameter that the path does not have, naming the nearest."""
    known = _parameters(connection)
    for name in connection.query_params:
        if known is not None and name not in known:
            said = f"parameter {name!r}: expected one of {', '.join(sorted(known))}"
            said += hint(nearest(name, known, 1))
            raise Problem(400, "unknown-parameter", "No such parameter", said)


def _parameters(connection: HTTPConnection) -> set[str] | None:
    """Return the names of the path's query parameters; None for a path of no API."""
    scope = connection.scope
    if scope["type"] == "websocket":
        known = get_flat_params(scope["route"].dependant)
        return {e.alias for e in known if isinstance(e.field_info, params.Query)}
    paths: dict[str, Any] = connection.app.openapi()["paths"]
    path = paths.get(getattr(scope["route"], "path_format", ""))
    if path is None:
        return None
    parameters = path[scope["method"].lower()].get("parameters", ())
    return {each["name"] for each in parameters if each["in"] == "query"}
