"""What the plant consists of: vessels, tags, batches, the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.api.answers import Answer, Wanted, json_response, response
from services.api.directory import Names
from services.api.moments import iso, now_us
from services.api.problems import Problem
from services.api.ranges import batches_of
from services.api.roles import READ
from services.api.sources import From
from shared.batches import Batch, Phase
from shared.store import queries
from shared.store.queries import StoredSubscription, StoredTag

router = APIRouter(tags=["plant"])

Vessel = Annotated[str | None, Query(description="Only of this vessel.")]


@router.get("/vessels", openapi_extra=READ)
async def vessels(found: From, wanted: Wanted) -> Response:
    """List the vessels with their context tags."""
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
    rows = [
        {
            "name": vessel.name,
            "site": vessel.site,
            "area": vessel.area,
            "server": vessel.server,
            "simulated": _simulated(names, vessel.server),
            "partition": vessel.partition,
            "tags": len(names.tags_of(vessel.name)),
            **{
                role: _name(names, tag)
                for role, tag in (
                    ("batch_tag", vessel.batch_tag),
                    ("phase_tag", vessel.phase_tag),
                    ("product_tag", vessel.product_tag),
                    ("client_tag", vessel.client_tag),
                    ("state_tag", vessel.state_tag),
                )
            },
            "retired": vessel.retired,
        }
        for vessel in names.vessels.values()
    ]
    return listed("vessels", names, rows, wanted)


@router.get("/tags", openapi_extra=READ)
async def tags(found: From, wanted: Wanted, vessel: Vessel = None) -> Response:
    """List the tags with their attributes and the state of their subscriptions.

    `desired` is what the configuration wants, `actual` what the server granted, and
    `error` the last one there was.
    """
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        states = await queries.subscriptions(connection)
    if vessel is None:
        chosen = sorted(names.tags.values(), key=lambda tag: tag.full_name)
    else:
        chosen = names.tags_of(names.vessel(vessel).name)
    rows = [_tag(names, tag, states.get(tag.id)) for tag in chosen]
    return listed("tags", names, rows, wanted)


@router.get("/batches", openapi_extra=READ)
async def batches(
    found: From,
    wanted: Wanted,
    vessel: Vessel = None,
) -> Response:
    """List the batches with their phases, oldest first, as the vessels' tags said.

    `end` is null while a batch or a phase runs. `states` are those of the batch's
    procedure (ISA-88), where a tag of the vessel says them; `state` is the last one.
    """
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        if vessel is None:
            chosen = [each for each in names.vessels.values() if not each.retired]
        else:
            chosen = [names.vessel(vessel)]
        rows = [
            _batch(batch)
            for each in chosen
            for batch in await batches_of(connection, each)
        ]
    return listed("batches", names, rows, wanted)


@router.get("/configuration", openapi_extra=READ)
async def configuration(found: From) -> Response:
    """Return the version and SHA-256 of the plant.yaml that is stored."""
    async with found.database.read() as connection:
        stored = await queries.configuration(connection)
    if stored is None:
        said = "no configuration is stored yet: expected `fedbatch apply plant.yaml`"
        raise Problem(404, "no-configuration", "No configuration", said)
    return json_response(
        {
            "version": stored.version,
            "sha256": stored.sha256,
            "applied_at": stored.applied_at,
            "actor": stored.actor,
        }
    )


def listed(
    noun: str, names: Names, rows: list[dict[str, Any]], wanted: Wanted
) -> Response:
    """Return a list of things under their noun; as CSV one line each."""
    about = {"configuration": names.version, "now": iso(now_us())}
    if wanted.format == "json":
        return json_response({**about, noun: rows})
    columns = {key: [_cell(row[key]) for row in rows] for key in (rows or [{}])[0]}
    return response(Answer(about, columns), wanted)


def _cell(value: object) -> object:
    """Return what a CSV cell can hold: a list as its entries' names."""
    if isinstance(value, list):
        return " ".join(each["name"] for each in value)
    return value


def _tag(
    names: Names, tag: StoredTag, state: StoredSubscription | None
) -> dict[str, Any]:
    return {
        "id": tag.id,
        "name": tag.full_name,
        "vessel": tag.vessel,
        "server": tag.server,
        "simulated": names.simulated(tag),
        "node": tag.node,
        "type": tag.type,
        "unit": tag.unit,
        "low": tag.low,
        "high": tag.high,
        "stepped": tag.stepped,
        "report": tag.report,
        "description": tag.description,
        "desired": state.desired if state else None,
        "actual": state.actual if state else None,
        "since": state.since if state else None,
        "error": state.error if state else None,
        "provisional": tag.provisional,
        "retired": tag.retired,
        "valid_from": tag.valid_from,
    }


def _batch(batch: Batch) -> dict[str, Any]:
    return {
        "vessel": batch.vessel,
        "batch": batch.batch,
        "product": batch.product,
        "client": batch.client,
        **_span(batch.start, batch.end),
        "state": batch.state,
        "phases": _parts(batch.phases),
        "states": _parts(batch.states),
    }


def _parts(parts: Iterable[Phase]) -> list[dict[str, Any]]:
    return [{"name": part.name, **_span(part.start, part.end)} for part in parts]


def _span(start: int, end: int | None) -> dict[str, str | None]:
    return {"start": iso(start), "end": None if end is None else iso(end)}


def _name(names: Names, tag: int | None) -> str | None:
    known = None if tag is None else names.tags.get(tag)
    return None if known is None else known.full_name


def _simulated(names: Names, server: str) -> bool:
    return server in names.servers and names.servers[server].simulated
