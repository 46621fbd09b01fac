"""Files of a campaign: Parquet of readings, statuses, truth, assays; JSON of the rest.

A file appears under its name when it is whole. docs/datasets.md has every column.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulators.campaign.lockstep import truth_columns
from simulators.tags import COLUMN, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from simulators.campaign.laboratory import Assay
    from simulators.campaign.lockstep import Chunk
    from simulators.campaign.plan import Slot
    from simulators.organisms import Organism

FOLDERS = ("readings", "statuses", "truth", "records", "plots")
_TIME = pa.timestamp("us", tz="UTC")
_PHASE = pa.dictionary(pa.int8(), pa.string())
STATUSES = pa.schema([("time", _TIME), ("tag", pa.string()), ("status", pa.uint32())])
ASSAYS = pa.schema(
    [
        ("batch", pa.string()),
        ("vessel", pa.string()),
        ("sample", pa.string()),
        ("assay", pa.string()),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("time", _TIME),
        ("available_at", _TIME),
    ]
)


class Growing:
    """A Parquet file that is written in parts."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        self._path = folder / f"{name}.parquet"
        self._unfinished = folder / f"{name}.parquet.new"
        self._writer = pq.ParquetWriter(
            self._unfinished, schema, compression="zstd", compression_level=3
        )
        self._schema = schema
        self.rows = 0

    def add(self, columns: Sequence[Any]) -> None:
        """Append rows: one array per column of the schema."""
        table = pa.Table.from_arrays(
            [
                pa.array(column, field.type)
                for column, field in zip(columns, self._schema, strict=True)
            ],
            schema=self._schema,
        )
        self._writer.write_table(table)
        self.rows += table.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.close()
        if kind is None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink(missing_ok=True)


def readings_schema(organism: Organism) -> pa.Schema:
    """Return the columns of readings: time, phase, the tags that its vessels have."""
    tags = [(tag.name, pa.float64()) for tag in organism.columns()]
    return pa.schema([("time", _TIME), ("Phase", _PHASE), *tags])


def truth_schema(organism: Organism) -> pa.Schema:
    """Return the columns of the truth."""
    names = [(name, pa.float64()) for name, _ in truth_columns(organism)]
    return pa.schema([("time", _TIME), *names])


class GroupFiles:
    """Readings, statuses and truth of the batches of one group."""

    def __init__(self, folder: Path, slots: Sequence[Slot], organism: Organism) -> None:
        self._slots = slots
        self._stack = ExitStack()
        self._columns = [COLUMN[tag.name] for tag in organism.columns()]
        self._readings, self._statuses, self._truth = (
            [self._opened(folder / kind, slot, schema) for slot in slots]
            for kind, schema in (
                ("readings", readings_schema(organism)),
                ("statuses", STATUSES),
                ("truth", truth_schema(organism)),
            )
        )

    def _opened(self, folder: Path, slot: Slot, schema: pa.Schema) -> Growing:
        return self._stack.enter_context(Growing(folder, slot.batch, schema))

    def add(self, chunk: Chunk) -> None:
        """Append a chunk; what is Bad is null."""
        for n, slot in enumerate(self._slots):
            times = slot.start + chunk.times
            for (row, vessel), skew in chunk.skew.items():
                if vessel == slot.place:
                    times[row] += skew
            count = int(chunk.running[:, slot.place].sum())
            values = chunk.values[:count, slot.place, self._columns]
            phases = [row[slot.place] for row in chunk.phases[:count]]
            self._readings[n].add([times[:count], phases, *_columns(values)])
            self._add_statuses(n, times[:count], chunk)
            last = -1 if count == 0 else int(chunk.times[count - 1])
            true = [t for t in chunk.truth_times if t <= last]
            if true:
                rows = np.stack([rows[slot.place] for rows in chunk.truth[: len(true)]])
                self._truth[n].add([np.array(true, np.int64) + slot.start, *rows.T])

    def _add_statuses(self, n: int, times: NDArray[np.int64], chunk: Chunk) -> None:
        place, had = self._slots[n].place, set(self._columns)
        rows = [
            (int(times[row]), TAGS[column].name, status)
            for row, vessel, column, status in chunk.statuses
            if vessel == place and column in had and row < len(times)
        ]
        if rows:
            self._statuses[n].add([list(column) for column in zip(*rows, strict=True)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *what: Any) -> None:  # noqa: ANN401  as given
        self._stack.__exit__(*what)


def _columns(values: NDArray[np.float64]) -> list[Any]:
    """Return Arrow columns; NaN, of which instruments show none, becomes null."""
    return [pa.array(column, pa.float64(), from_pandas=True) for column in values.T]


def write_assays(path: Path, rows: Iterable[tuple[Slot, Sequence[Assay]]]) -> None:
    """Write the results of all batches to one file."""
    flat = [(slot, one) for slot, results in rows for one in results]
    columns = [
        [slot.batch for slot, _ in flat],
        [slot.vessel for slot, _ in flat],
        [one.sample for _, one in flat],
        [one.assay for _, one in flat],
        [one.value for _, one in flat],
        [one.unit for _, one in flat],
        [one.drawn for _, one in flat],
        [one.available for _, one in flat],
    ]
    with Growing(path.parent, path.stem, ASSAYS) as file:
        file.add(columns)


def write_json(path: Path, body: Mapping[str, Any]) -> None:
    """Write one JSON object, readable."""
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
