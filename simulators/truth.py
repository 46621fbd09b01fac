"""The record of truth: every value a simulated server was given, before it was.

One Arrow IPC stream per run, `truth-<us since 1970>.arrow`; each instant is written
with plain write calls before the server gets it, so after kill -9 nothing can have been
sent that is not on record; at most the last instant is cut short, and was never sent.

Bounded by: the disk. When full: the write fails and the simulator stops. Order: as
published. Duplicates: none. On cancel: an instant is on record whole or cut short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from simulators.instants import Instant

SCHEMA = pa.schema(
    [
        ("node", pa.dictionary(pa.int32(), pa.string())),
        ("time", pa.int64()),
        ("ticks", pa.int64()),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("status", pa.uint32()),
    ]
)
"""Node identifier, source time (us UTC), the same as OPC UA DateTime (100 ns since
1601), number or null, text or null, StatusCode."""


class Truth:
    """Appends instants to one file."""

    def __init__(self, folder: Path, started: int, nodes: Sequence[str]) -> None:
        """Open `truth-<started>.arrow`; `nodes` are the server's, in its order."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"truth-{started}.arrow"
        self._nodes = pa.array(nodes, pa.string())
        self._file = self.path.open("xb", buffering=0)
        self._stream = pa.ipc.new_stream(
            self._file, SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4")
        )

    def write(self, instant: Instant) -> None:
        """Put the instant on record; it is in the kernel's hands on return."""
        columns = instant.columns()
        rows = len(columns.nodes)
        texts: Any = pa.nulls(rows, pa.string())
        if columns.texts:
            texts = pa.array([columns.texts.get(n) for n in range(rows)], pa.string())
        self._stream.write_batch(
            pa.record_batch(
                [
                    pa.DictionaryArray.from_arrays(
                        pa.array(columns.nodes), self._nodes
                    ),
                    np.full(rows, instant.time, np.int64),
                    np.full(rows, instant.ticks, np.int64),
                    pa.array(columns.numbers, pa.float64(), from_pandas=True),
                    texts,
                    columns.statuses,
                ],
                schema=SCHEMA,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._file.close()


def read(path: Path) -> Any:  # noqa: ANN401  pyarrow.Table
    """Return what is on record in one file as a table with SCHEMA's columns.

    An instant that was cut short by a kill is left out: it was never sent.
    """
    batches = []
    with path.open("rb") as file:
        try:
            stream = pa.ipc.open_stream(file)
            batches.extend(stream)
        except (pa.ArrowInvalid, OSError, EOFError):
            return pa.Table.from_batches(batches, SCHEMA)
    return pa.Table.from_batches(batches, SCHEMA)
