"""Reads a recorded run: a wide CSV or Parquet file, one row per instant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from pyarrow import csv, parquet

from shared.domain import FedbatchError
from simulators.tags import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is laid out."""

    time_column: str = "time"
    time_unit: str = "date"
    """`date`: ISO 8601; else a count of `s`, `min` or `h` since the start."""
    zone: str = ""
    """IANA zone of dates that name none; empty: such dates are refused."""
    delimiter: str = ","
    """Of a CSV file."""
    columns: Mapping[str, str] | None = None
    """Column -> node identifier; None: every column under its own name."""


def read(path: Path, layout: Format) -> Recording:
    """Return the run in `path`.

    Raises:
        RecordingInvalid: a column is missing or empty, a time is naive, not a time or
            earlier than the one before, or the file cannot be read.
    """
    table = _table(path, layout)
    names = layout.columns or {
        name: name for name in table.column_names if name and name != layout.time_column
    }
    for name in (layout.time_column, *names):
        if name not in table.column_names:
            raise RecordingInvalid(
                f"{path}: no column {name!r}; expected one of {table.column_names}"
            )
    if table.num_rows == 0:
        raise RecordingInvalid(f"{path}: expected at least one row, found none")
    times = _times(path, table[layout.time_column].to_pylist(), layout)
    columns = tuple(_cells(table[name]) for name in names)
    return Recording(
        times=times,
        dated=layout.time_unit == "date",
        nodes=tuple(names.values()),
        kinds=tuple(_kind(column) for column in columns),
        columns=columns,
    )


def _table(path: Path, layout: Format) -> Any:  # noqa: ANN401  pyarrow.Table
    try:
        if path.suffix == ".parquet":
            return parquet.read_table(path)
        dates = {layout.time_column: pa.string()} if layout.time_unit == "date" else {}
        return csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=layout.delimiter),
            convert_options=csv.ConvertOptions(
                column_types=dates, strings_can_be_null=True
            ),
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise RecordingInvalid(
            f"{path}: expected CSV with a header, or Parquet: {error}"
        ) from error


def _times(path: Path, cells: list[Any], layout: Format) -> list[int]:
    times: list[int] = []
    for row, cell in enumerate(cells, start=1):
        try:
            time = _time(cell, layout)
        except (TypeError, ValueError) as error:
            raise RecordingInvalid(
                f"{path}: row {row}, column {layout.time_column!r}: {error}"
            ) from error
        if times and time < times[-1]:
            raise RecordingInvalid(
                f"{path}: row {row}: {cell} is earlier than the row before"
            )
        times.append(time)
    return times


def _time(cell: Any, layout: Format) -> int:  # noqa: ANN401  a cell of any type
    if layout.time_unit != "date":
        return round(float(cell) * SCALE_US[layout.time_unit])
    moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    if moment.tzinfo is None:
        if not layout.zone:
            raise ValueError(f"{cell}: expected a time with a zone, or a zone setting")
        moment = moment.replace(tzinfo=ZoneInfo(layout.zone))
    return (moment - _EPOCH) // _US


def _cells(column: Any) -> list[Value]:  # noqa: ANN401  pyarrow.ChunkedArray
    return [_cell(cell) for cell in column.to_pylist()]


def _cell(cell: Any) -> Value:  # noqa: ANN401  a cell of any type
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, bool | int | float):
        return float(cell)
    return str(cell)


def _kind(column: Sequence[Value]) -> Kind:
    texts = any(isinstance(cell, str) for cell in column)
    return Kind.STRING if texts else Kind.DOUBLE
