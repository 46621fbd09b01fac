"""Stored readings as the series that retrieval works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.api.problems import Problem
from shared.retrieval.missing import Span, as_known
from shared.retrieval.series import Series
from shared.store import queries_declared, queries_readings

if TYPE_CHECKING:
    from shared.store.queries import Connection, StoredTag
    from shared.store.queries_readings import Readings

MOST_ROWS = 20_000_000
"""Readings that one summary may rest on (about 600 MB while it is made)."""


def series_of(readings: Readings, tag: StoredTag) -> Series:
    """Return the readings of `tag` as a series."""
    columns = readings.time, readings.value, readings.status
    return Series(*columns, tag.stepped, readings.text)


async def known_series(
    connection: Connection, tag: StoredTag, start: int, end: int
) -> Series:
    """Return all readings of [start, end], those around it, and rows for its gaps.

    Raises:
        Problem: there are more than MOST_ROWS.
    """
    inside = await queries_readings.recorded(
        connection, tag.id, start, end, limit=MOST_ROWS + 1
    )
    if len(inside) > MOST_ROWS:
        said = f"more than {MOST_ROWS} readings: expected a shorter range"
        raise Problem(400, "range-too-long", "Too many readings", said)
    around = await queries_readings.neighbours(connection, tag.id, start, end)
    series = _joined(inside, around, tag)
    return await with_gaps(connection, tag, series)


async def with_gaps(connection: Connection, tag: StoredTag, series: Series) -> Series:
    """Return the series with rows that say where nothing is known."""
    if not len(series):
        return series
    beats = await queries_declared.beats(connection)
    alive = next((beat.time for beat in beats if beat.server == tag.server), None)
    first, last = int(series.time[0]), int(series.time[-1])
    gaps = await queries_declared.gaps(
        connection, first, max(last, alive or last) + 1, [tag.server], [tag.id]
    )
    spans = [Span(gap.start, gap.end) for gap in gaps if gap.hides([tag.id])]
    holds = alive if tag.report == "change" else None
    return as_known(series, spans, holds_until=holds)


def _joined(inside: Readings, around: Readings, tag: StoredTag) -> Series:
    """Return the readings of both in order; those around lie outside the range."""
    if not len(inside):
        return series_of(around, tag)
    early = around.time < inside.time[0]
    near, middle = series_of(around, tag), series_of(inside, tag)
    parts = near.take(early), middle, near.take(~early)
    text = None
    if inside.text is not None or around.text is not None:
        text = np.concatenate(
            [
                np.full(len(part), None, object) if part.text is None else part.text
                for part in parts
            ]
        )
    return Series(
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.status for part in parts]),
        tag.stepped,
        text,
    )
