"""Summaries of a tag over intervals."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from services.api.answers import Answer, Wanted, moments, response
from services.api.known import known
from services.api.moments import duration_us
from services.api.problems import Problem
from services.api.ranges import Asked
from services.api.roles import READ
from services.api.routes.values import TagName, about_tag
from services.api.series import known_series
from services.api.sources import From
from shared.retrieval.series import Treatment
from shared.retrieval.summary import ON_TEXT, Summary, grid, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.retrieval.summary import Column, Grid
    from shared.store.queries import StoredTag

router = APIRouter(tags=["values"])

Kinds = Annotated[
    list[Summary] | None,
    Query(alias="type", description="What to compute; may be repeated."),
]
Percent = Annotated[
    float, Query(ge=0, le=100, description="Percentage of OPC 10000-13.")
]


@router.get("/summary", openapi_extra=READ)
async def summary(  # noqa: PLR0913  each is a parameter of the query
    found: From,
    wanted: Wanted,
    asked: Asked,
    tag: TagName,
    kinds: Kinds = None,
    interval: Annotated[
        str | None,
        Query(description="Length, for example `10m` (`1d` is 24 h); default: whole."),
    ] = None,
    *,
    uncertain_is_bad: Annotated[
        bool, Query(description="Whether Uncertain readings count as Bad.")
    ] = True,
    percent_good: Percent = 100.0,
    percent_bad: Percent = 100.0,
) -> Response:
    """Summarise a tag over [start, end) or over each interval of it.

    `average` is time-weighted with Simple bounds: unknown time (Bad readings, declared
    gaps, before the first and after the last reading) is in no sum. Every answer has
    `percent-good`, the share of time in which the reading in force was Good.
    """
    if not kinds:
        said = f"type is missing: expected one or more of {', '.join(Summary)}"
        raise Problem(400, "parameter", "What to compute?", said)
    treatment = Treatment(uncertain_is_bad, percent_good, percent_bad)
    length = None if interval is None else duration_us(interval, "interval")
    async with found.database.read() as connection:
        names = await found.directory.names(connection)
        which = names.tag(tag)
        _check_kinds(which, kinds)
        over = await asked.resolve(connection, names, which.vessel)
        cells = grid(over.start, over.end, length)
        series = await known_series(connection, which, over.start, over.end)
        what = await known(connection, [which], over.start, over.end, over.now)
    answers = await asyncio.to_thread(summarise, series, cells, kinds, treatment)
    about = {**about_tag(names, which), "interval": interval, **what.about(names)}
    return response(Answer(about, _columns(cells, answers)), wanted)


def _check_kinds(tag: StoredTag, kinds: list[Summary]) -> None:
    refused = [] if tag.type not in {"string", "time"} else set(kinds) - ON_TEXT
    if refused:
        said = (
            f"{', '.join(sorted(refused))} of {tag.full_name}, a {tag.type}: expected "
            f"{' or '.join(sorted(ON_TEXT))}"
        )
        raise Problem(400, "not-a-number", "There are no numbers to compute with", said)


def _columns(cells: Grid, answers: Mapping[Summary, Column]) -> dict[str, Any]:
    """Return start and end of each interval, and value, status (and time) per type."""
    columns: dict[str, Any] = {
        "time": moments(cells.edges[:-1]),
        "end_time": moments(cells.edges[1:]),
    }
    for kind in Summary:
        if kind in answers:
            column = answers[kind]
            columns[f"{kind}.value"] = column.value
            columns[f"{kind}.status"] = column.status
            if column.time is not None:
                stamps = moments(column.time)
                stamps[np.isnan(column.value)] = np.datetime64("NaT")
                columns[f"{kind}.time"] = stamps
    return columns
