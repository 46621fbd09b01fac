"""What is not known: declared gaps as Bad rows, and how much of a range they cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.retrieval import status as codes
from shared.retrieval.series import Series
from shared.retrieval.status import marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.retrieval.series import Times

_FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Span:
    """An interval [start, end) in which readings may be missing; None: it goes on."""

    start: int
    end: int | None


def completeness(start: int, end: int, missing: Iterable[Span]) -> float:
    """Return the fraction of [start, end) that no span covers; 1 of an empty range.

    >>> completeness(0, 10, [Span(2, 4), Span(3, 5), Span(9, None)])
    0.6
    """
    if end <= start:
        return 1.0
    covered = sum(
        max(0, min(high, end) - max(low, start)) for low, high in _union(missing)
    )
    return 1.0 - covered / (end - start)


def as_known(
    series: Series, gaps: Sequence[Span], *, holds_until: int | None = None
) -> Series:
    """Return the series with rows that say where nothing is known.

    A Bad_NoCommunication row stands at the start of each gap, so that nothing is
    interpolated through it without saying so. A value that is only reported when it
    changes is known to hold after a gap and as long as its subscription lives: rows
    that repeat it stand at the end of each gap and at `holds_until`.

    Args:
        series: readings in order.
        gaps: declared for the tag.
        holds_until: for a tag reported on change, when its source was last known to
            be alive, us UTC; None for other tags.
    """
    spans = _union(gaps)
    if not spans and holds_until is None:
        return series
    starts = np.array([low for low, _ in spans], np.int64)
    bad = _row_of(series, starts, codes.BAD_NO_COMMUNICATION)
    rows = [series, bad]
    if holds_until is not None and len(series):
        ends = [high for _, high in spans if high < holds_until]
        in_gap = any(low <= holds_until < high for low, high in spans)
        at = np.array(ends if in_gap else [*ends, holds_until], np.int64)
        rows.append(_repeated(series, at[at > series.time[0]]))
    return _joined(rows)


def _union(spans: Iterable[Span]) -> list[tuple[int, int]]:
    """Return disjoint intervals in order that cover the same time."""
    merged: list[tuple[int, int]] = []
    ordered = sorted((s.start, _FOREVER if s.end is None else s.end) for s in spans)
    for low, high in ordered:
        if high <= low:
            continue
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def _row_of(series: Series, time: Times, code: int) -> Series:
    status = marked(np.full(len(time), code, np.uint32), codes.CALCULATED)
    text = None if series.text is None else np.full(len(time), None)
    value = np.full(len(time), np.nan)
    put_in = np.zeros(len(time), np.bool_)
    return Series(time, value, status, series.stepped, text, put_in)


def _repeated(series: Series, time: Times) -> Series:
    """Return the readings in force at the given times, as rows at these times."""
    rows = np.searchsorted(series.time, time, "right") - 1
    found = series.take(rows)
    put_in = np.zeros(len(time), np.bool_)
    return Series(time, found.value, found.status, series.stepped, found.text, put_in)


def _joined(parts: Sequence[Series]) -> Series:
    """Return all rows by time; at one time readings come before what is put in."""
    time = np.concatenate([part.time for part in parts])
    order = np.argsort(time, kind="stable")
    text = None
    if parts[0].text is not None:
        text = np.concatenate([part.text for part in parts if part.text is not None])
    whole = Series(
        time,
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.status for part in parts]),
        parts[0].stepped,
        text,
        np.concatenate([part.is_stored() for part in parts]),
    )
    return whole.take(order)
