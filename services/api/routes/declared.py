"""What is declared about the readings: gaps and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from services.api.answers import Answer, Wanted, json_response, response
from services.api.known import known, stored_gap_body
from services.api.moments import iso
from services.api.ranges import Asked
from services.api.roles import READ
from services.api.sources import From
from shared.store import queries_declared

if TYPE_CHECKING:
    from services.api.directory import Names
    from shared.store.queries import StoredTag

router = APIRouter(tags=["completeness"])
_GAP_COLUMNS = (
    *("server", "cause", "start", "end", "tags", "count", "detail"),
    *("filled", "missing", "rows", "history"),
)


@router.get("/gaps", openapi_extra=READ)
async def gaps(
    found: From,
    wanted: Wanted,
    asked: Asked,
    tag: Annotated[
        list[str] | None, Query(description="Only with these tags in scope.")
    ] = None,
    vessel: Annotated[
        str | None, Query(description="Only with tags of this vessel in scope.")
    ] = None,
) -> Response:
    """List the declared gaps that overlap a range, oldest first.

    A gap is an interval in which readings may be missing: `tags` null means every tag
    of the server, `count` null that nobody knows how many, `end` null that it lasts.
    `filled` is when what the server's own history gave (`rows` readings) was stored;
    from then on only the tags in `missing` may miss readings, and `history` says why.
    """
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        chosen = _chosen(names, tag, vessel)
        owner = vessel or (chosen[0].vessel if tag else None)
        over = await asked.resolve(connection, names, owner)
        what = await known(connection, chosen, over.start, over.end, over.now)
    about = what.about(names)
    if wanted.format == "json":
        return json_response(about)
    rows = [stored_gap_body(gap, names) for gap in what.gaps]
    for row in rows:
        row["tags"] = None if row["tags"] is None else " ".join(row["tags"])
        row["missing"] = " ".join(row["missing"])
    columns = {key: [row[key] for row in rows] for key in _GAP_COLUMNS}
    del about["gaps"]
    return response(Answer(about, columns), wanted)


@router.get("/ledger", openapi_extra=READ)
async def ledger(
    found: From,
    wanted: Wanted,
    asked: Asked,
    vessel: Annotated[str, Query(description="Whose readings were counted.")],
) -> Response:
    """Count a vessel's readings per minute of source time, hop and tag.

    In each minute `seen` = `spooled` + `lost` + `quarantined` in the collector, and
    what is on the log is `stored` or `quarantined`. Duplicates are counted apart.
    """
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        chosen = names.tags_of(names.vessel(vessel).name)
        over = await asked.resolve(connection, names, vessel)
        ids = [tag.id for tag in chosen]
        rows = await queries_declared.ledger(connection, ids, over.start, over.end)
        what = await known(connection, chosen, over.start, over.end, over.now)
    columns = {
        "minute": [iso(row.minute) for row in rows],
        "hop": [row.hop for row in rows],
        "tag": [names.tags[row.tag].full_name for row in rows],
        "count": [row.count for row in rows],
    }
    about = {"vessel": vessel, **what.about(names)}
    return response(Answer(about, columns), wanted)


def _chosen(names: Names, tag: list[str] | None, vessel: str | None) -> list[StoredTag]:
    if tag:
        return [names.tag(text) for text in tag]
    if vessel is not None:
        return names.tags_of(names.vessel(vessel).name)
    return list(names.tags.values())
