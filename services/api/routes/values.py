"""Values of tags: the current ones, and the recorded ones."""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Response

from services.api.answers import Answer, Wanted, moments, response
from services.api.known import gap_body, known
from services.api.moments import iso, now_us
from services.api.problems import Problem
from services.api.ranges import Asked
from services.api.roles import READ
from services.api.series import series_of, with_gaps
from services.api.sources import From, Sources
from shared.domain import US_PER_S
from shared.retrieval.recorded import Boundary, Ends, ends
from shared.store.queries_readings import Readings, neighbours, recorded

if TYPE_CHECKING:
    from services.api.directory import Names
    from services.api.ranges import Range
    from shared.retrieval.series import Series
    from shared.store.queries import Connection, StoredTag

router = APIRouter(tags=["values"])

PAGE = 50_000
MOST = 500_000

TagName = Annotated[
    str,
    Query(description="`vessel/tag` or the tag's id.", examples=["BR101/TIC-101.PV"]),
]


@router.get("/current", openapi_extra=READ)
async def current(
    found: From,
    wanted: Wanted,
    tag: Annotated[
        list[str] | None, Query(description="`vessel/tag` or id; may be repeated.")
    ] = None,
    vessel: Annotated[str | None, Query(description="All tags of a vessel.")] = None,
) -> Response:
    """Return the newest reading of tags, from memory, with its age.

    `age_s` is the wall clock minus the source time. A tag that has no reading yet has
    nulls. `gaps` are those that last now.
    """
    if (tag is None) == (vessel is None):
        said = "expected tag (may be repeated), or vessel"
        raise Problem(400, "parameter", "Which tags?", said)
    names = await found.names()
    if vessel is not None:
        chosen = names.tags_of(names.vessel(vessel).name)
    else:
        chosen = [names.tag(text) for text in tag or ()]
    about = {"configuration": names.version, **_known_now(found, names, chosen)}
    return response(Answer(about, _current_columns(found, names, chosen)), wanted)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of the readings, and what stands at the ends of the whole."""

    boundary: Boundary
    limit: int
    after: tuple[int, int] | None
    """(time, tie) of the last reading of the page before."""


def paging(
    boundary: Annotated[
        Boundary,
        Query(
            description="`inside`: readings from start to end, both included; "
            "`outside`: also the nearest one beyond each end; `interpolated`: also a "
            "value at each end where no reading is."
        ),
    ] = Boundary.INSIDE,
    limit: Annotated[
        int, Query(ge=1, le=MOST, description="Most readings of this answer.")
    ] = PAGE,
    cursor: Annotated[
        str | None,
        Query(description="Of the answer before, to go on with the same question."),
    ] = None,
) -> Paging:
    """Return the page asked for."""
    return Paging(boundary, limit, None if cursor is None else _place(cursor))


@router.get("/recorded", openapi_extra=READ)
async def recorded_values(
    found: From,
    wanted: Wanted,
    asked: Asked,
    tag: TagName,
    paging: Annotated[Paging, Depends(paging)],
) -> Response:
    """Return the readings of a tag exactly as they were stored, oldest first.

    More than `limit` readings: `truncated` is true, and `cursor` gets the next ones.
    """
    boundary, limit = paging.boundary, paging.limit
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        which = names.tag(tag)
        over = await asked.resolve(connection, names, which.vessel)
        rows = await recorded(
            connection,
            which.id,
            *(over.start, over.end),
            after=paging.after,
            limit=limit + 1,
        )
        more = len(rows) > limit
        page = _first(rows, limit) if more else rows
        around = await _ends(connection, which, over, boundary)
        what = await known(connection, [which], over.start, over.end, over.now)
    before = around.before if around and paging.after is None else None
    after = around.after if around and not more else None
    about = {**about_tag(names, which), "boundary": boundary, **what.about(names)}
    columns = _columns(before, series_of(page, which), after)
    following = _cursor(page) if more else None
    return response(Answer(about, columns, more, following), wanted)


def about_tag(names: Names, tag: StoredTag) -> dict[str, Any]:
    """Return what every answer about one tag says of it."""
    return {
        "tag": tag.full_name,
        "id": tag.id,
        "unit": tag.unit,
        "type": tag.type,
        "stepped": tag.stepped,
        "simulated": names.simulated(tag),
    }


def _known_now(found: Sources, names: Names, chosen: list[StoredTag]) -> dict[str, Any]:
    """Return the gaps that last, and the share of the tags that they leave."""
    servers = {tag.server for tag in chosen}
    gaps = found.live.gaps_of(servers, {tag.id for tag in chosen})
    missing = sum(
        any(
            gap.server == tag.server and (gap.tags is None or tag.id in gap.tags)
            for gap in gaps
        )
        for tag in chosen
    )
    heard = found.live.heard
    return {
        "now": iso(now_us()),
        "complete": not missing and not found.live.trouble,
        "completeness": 1 - missing / len(chosen) if chosen else 1.0,
        "log_age_s": None if heard is None else time.monotonic() - heard,
        "log_trouble": found.live.trouble,
        "gaps": [gap_body(gap, names) for gap in gaps],
    }


def _current_columns(
    found: Sources, names: Names, chosen: list[StoredTag]
) -> dict[str, Any]:
    newest = [found.live.newest.get(tag.id) for tag in chosen]
    now = now_us()
    status = [reading and reading.status for reading in newest]
    return {
        "tag": [tag.full_name for tag in chosen],
        "id": [tag.id for tag in chosen],
        "time": [reading and iso(reading.time) for reading in newest],
        "value": [reading and reading.value for reading in newest],
        "text": [reading and reading.text for reading in newest],
        "status": status,
        "age_s": [reading and (now - reading.time) / US_PER_S for reading in newest],
        "unit": [tag.unit for tag in chosen],
        "simulated": [names.simulated(tag) for tag in chosen],
    }


async def _ends(
    connection: Connection, tag: StoredTag, over: Range, boundary: Boundary
) -> Ends | None:
    """Return what the boundary adds, each end looked at by itself."""
    if boundary is Boundary.INSIDE:
        return None
    before = await _end(connection, tag, over.start, boundary)
    after = await _end(connection, tag, over.end, boundary)
    return Ends(before.before, after.after)


async def _end(
    connection: Connection, tag: StoredTag, at: int, boundary: Boundary
) -> Ends:
    around = await neighbours(connection, tag.id, at, at)
    series = series_of(around, tag)
    if boundary is Boundary.INTERPOLATED:
        series = await with_gaps(connection, tag, series)
    return ends(series, at, at, boundary)


def _columns(
    before: Series | None, page: Series, after: Series | None
) -> dict[str, Any]:
    parts = [part for part in (before, page, after) if part is not None and len(part)]
    parts = parts or [page]
    columns: dict[str, Any] = {
        "time": moments(np.concatenate([part.time for part in parts])),
        "value": np.concatenate([part.value for part in parts]),
        "status": np.concatenate([part.status for part in parts]),
    }
    if any(part.text is not None for part in parts):
        columns["text"] = [
            text
            for part in parts
            for text in (
                [None] * len(part) if part.text is None else part.text.tolist()
            )
        ]
    return columns


def _first(rows: Readings, count: int) -> Readings:
    text = None if rows.text is None else rows.text[:count]
    return Readings(
        rows.time[:count],
        rows.value[:count],
        rows.status[:count],
        rows.tie[:count],
        rows.received[:count],
        text,
    )


def _cursor(page: Readings) -> str:
    """Return the place after the last reading, opaque to the asker."""
    place = f"{page.time[-1]} {page.tie[-1]}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(cursor: str) -> tuple[int, int]:
    try:
        time_us, tie = base64.urlsafe_b64decode(cursor).decode().split(" ")
        return int(time_us), int(tie)
    except (ValueError, binascii.Error) as error:
        said = f"cursor {cursor!r:.60}: expected the cursor of the answer before"
        raise Problem(400, "cursor", "Not a cursor", said) from error
