"""Reads a recorded run: CSV or Parquet, wide (row: instant) or long (row: value).

A wide file's rows are in ascending time; a long one's may stand in any order, for
example series by series.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from pyarrow import csv, parquet

from shared.domain import FedbatchError
from simulators.playback.mapping import Mapping, Place
from simulators.tags import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from simulators.instants import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
SCALE_US = {"s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
"""us per unit of a time column that counts from the start of the run."""


class RecordingInvalid(FedbatchError):  # noqa: N818
    """A file cannot be played; the message says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded run; rows in ascending time."""

    times: Sequence[int]
    """us UTC, or us since the start when `dated` is false."""
    dated: bool
    nodes: tuple[str, ...]
    kinds: tuple[Kind, ...]
    """Double or String, one per node."""
    columns: tuple[Sequence[Value], ...]
    """Cells per node, one per row; None where the file has none."""
    statuses: tuple[Sequence[int | None], ...] = ()
    """StatusCodes per node, one per row; None: as if there were none. Empty: none."""
    places: tuple[Place, ...] = ()
    """What the mapping says about each node; empty: nothing."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A file's columns, and where its rows stand in it."""

    path: Path
    columns: Any
    """pyarrow.Table."""
    above: int | None
    """Lines above the first row of a CSV file; None: rows have no lines."""

    def where(self, row: int) -> str:
        """Return what to call a row, counted from 0, in a message."""
        if self.above is None:
            return f"{self.path}: row {row + 1}"
        return f"{self.path}:{self.above + row + 1}"

    def cells(self, name: str) -> list[Any]:
        """Return a column.

        Raises:
            RecordingInvalid: there is none.
        """
        if name not in self.columns.column_names:
            raise RecordingInvalid(
                f"{self.path}: no column {name!r}; "
                f"expected one of {self.columns.column_names}"
            )
        cells: list[Any] = self.columns[name].to_pylist()
        return cells


def read(path: Path, mapping: Mapping) -> Recording:
    """Return the run in `path`.

    Raises:
        RecordingInvalid: a column is missing or empty, a time is naive, not a time or
            earlier than the one before, a status is unknown, or the file cannot be
            read.
    """
    table = _table(path, mapping)
    if table.columns.num_rows == 0:
        raise RecordingInvalid(f"{path}: expected at least one row, found none")
    times = _times(table, mapping)
    if mapping.long is None:
        return _wide(table, mapping, times)
    return _long(table, mapping, times)


def _wide(table: _Table, mapping: Mapping, times: list[int]) -> Recording:
    for row in range(1, len(times)):
        if times[row] < times[row - 1]:
            raise RecordingInvalid(
                f"{table.where(row)}: its time is earlier than the row before"
            )
    names = [n for n in table.columns.column_names if n and n != mapping.time.column]
    places = mapping.places() or {name: Place(column=name) for name in names}
    columns = tuple(
        [_cell(cell) for cell in table.cells(place.column)] for place in places.values()
    )
    statuses = tuple(_statuses(table, mapping, one.status) for one in places.values())
    return Recording(
        times=times,
        dated=mapping.time.unit == "date",
        nodes=tuple(places),
        kinds=tuple(_kind(column) for column in columns),
        columns=columns,
        statuses=statuses,
        places=tuple(places.values()),
    )


def _long(table: _Table, mapping: Mapping, times: list[int]) -> Recording:
    """Return a long file as a wide one.

    It has a row for each time, and one more for each further value that a series has at
    that time.
    """
    assert mapping.long is not None  # noqa: S101  asked by `read`
    series = [str(name) for name in table.cells(mapping.long.tag)]
    known = set(series)
    places = mapping.places() or {n: Place(column=n) for n in dict.fromkeys(series)}
    for place in places.values():
        if place.column not in known:
            some = ", ".join(sorted(known)[:20])
            raise RecordingInvalid(
                f"{table.path}: no series {place.column!r}; expected one of {some}"
            )
    seen: Counter[tuple[str, int]] = Counter()
    keys = []
    for name, time in zip(series, times, strict=True):
        keys.append((time, seen[name, time]))
        seen[name, time] += 1
    rows = {key: row for row, key in enumerate(sorted(set(keys)))}
    values = [_cell(cell) for cell in table.cells(mapping.long.value)]
    codes = _statuses(table, mapping, mapping.long.status)
    at = {place.column: place_of for place_of, place in enumerate(places.values())}
    columns: list[list[Value]] = [[None] * len(rows) for _ in places]
    statuses: list[list[int | None]] = [[None] * len(rows) for _ in places]
    for name, key, value, code in zip(series, keys, values, codes, strict=True):
        if name in at:
            columns[at[name]][rows[key]] = value
            statuses[at[name]][rows[key]] = code
    return Recording(
        times=[time for time, _ in rows],
        dated=mapping.time.unit == "date",
        nodes=tuple(places),
        kinds=tuple(_kind(column) for column in columns),
        columns=tuple(columns),
        statuses=tuple(statuses),
        places=tuple(places.values()),
    )


def _table(path: Path, mapping: Mapping) -> _Table:
    try:
        if path.suffix == ".parquet":
            return _Table(path, parquet.read_table(path), None)
        texts = [mapping.time.column] if mapping.time.unit == "date" else []
        texts += [p.status for p in mapping.places().values() if p.status]
        if mapping.long is not None:
            texts += [mapping.long.tag, mapping.long.status]
        above = mapping.skip_above_header
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(
                encoding=mapping.encoding,
                skip_rows=above,
                skip_rows_after_names=mapping.skip_below_header,
            ),
            parse_options=csv.ParseOptions(delimiter=mapping.delimiter),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(filter(None, texts), pa.string()),
                strings_can_be_null=True,
                decimal_point=mapping.decimal,
            ),
        )
        return _Table(path, table, above + 1 + mapping.skip_below_header)
    except (OSError, pa.ArrowInvalid) as error:
        raise RecordingInvalid(
            f"{path}: expected CSV with a header, or Parquet: {error}"
        ) from error


def _times(table: _Table, mapping: Mapping) -> list[int]:
    times: list[int] = []
    for row, cell in enumerate(table.cells(mapping.time.column)):
        try:
            times.append(_time(cell, mapping))
        except (TypeError, ValueError) as error:
            raise RecordingInvalid(
                f"{table.where(row)}: column {mapping.time.column!r}: {error}"
            ) from error
    return times


def _time(cell: Any, mapping: Mapping) -> int:  # noqa: ANN401  a cell of any type
    how = mapping.time
    if how.unit != "date":
        return round(float(cell) * SCALE_US[how.unit])
    if isinstance(cell, datetime):
        moment = cell
    elif how.pattern:
        moment = datetime.strptime(str(cell), how.pattern)  # noqa: DTZ007  zone below
    else:
        moment = datetime.fromisoformat(str(cell))
    if moment.tzinfo is None:
        if not how.zone:
            raise ValueError(f"{cell}: expected a time with a zone, or a zone setting")
        moment = moment.replace(tzinfo=ZoneInfo(how.zone))
    return (moment - _EPOCH) // _US


def _statuses(table: _Table, mapping: Mapping, name: str) -> list[int | None]:
    """Return the StatusCodes in a column; without a column none."""
    if not name:
        return [None] * int(table.columns.num_rows)
    codes: list[int | None] = []
    for row, cell in enumerate(table.cells(name)):
        word = "" if cell is None else str(cell).strip()
        code = mapping.status(word) if word else None
        if word and code is None:
            raise RecordingInvalid(
                f"{table.where(row)}: column {name!r}: {word}: expected a StatusCode "
                "or a word of `statuses` in the mapping"
            )
        codes.append(code)
    return codes


def _cell(cell: Any) -> Value:  # noqa: ANN401  a cell of any type
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, bool | int | float):
        return float(cell)
    return str(cell)


def _kind(column: Sequence[Value]) -> Kind:
    texts = any(isinstance(cell, str) for cell in column)
    return Kind.STRING if texts else Kind.DOUBLE
