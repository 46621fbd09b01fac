"""The loss equation over millions of readings: in columns, per tag, bit for bit.

generated = stored + inside a declared gap; nothing stored that was not generated, and
nothing twice. The same equation as tests/system/balance.py, which explains it row by
row; a unit test holds the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

KEY = ("tag", "time", "bits", "status", "text")
"""What makes a reading itself; see `columns`."""
_NO_VALUE = np.int64(-1)
"""Bits of null: those of a NaN, which no reading holds."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared gap."""

    server: str
    cause: str
    start: int
    """us UTC"""
    end: int | None
    """us UTC, first instant that is complete again; None: open."""
    tags: tuple[int, ...] | None
    """Ids; None: all."""


@dataclass(slots=True)
class Sums:
    """What the equation says."""

    generated: int
    stored: int
    declared: int
    lost: int
    duplicate: int
    invented: int
    examples: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Whether nothing is lost, doubled or invented without a declaration."""
        return not (self.lost or self.duplicate or self.invented)

    def __str__(self) -> str:
        counts = (
            f"generated {self.generated} stored {self.stored} "
            f"declared {self.declared} lost {self.lost} "
            f"duplicate {self.duplicate} invented {self.invented}"
        )
        return "\n  ".join([counts, *self.examples])


def columns(
    tag: pa.Array, time: pa.Array, value: pa.Array, status: pa.Array, text: pa.Array
) -> pa.Table:
    """Return readings as KEY's columns; NaN stands for null, as in balance.row."""
    numbers = value.to_numpy(zero_copy_only=False).astype(np.float64)
    bits = numbers.view(np.int64)
    bits = np.where(np.isnan(numbers), _NO_VALUE, bits)
    return pa.table(
        {
            "tag": tag.cast(pa.int32()),
            "time": time.cast(pa.int64()),
            "bits": pa.array(bits, pa.int64()),
            "status": status.cast(pa.int64()),
            "text": pc.fill_null(text.cast(pa.string()), "\0"),
        }
    )


def changes(made: pa.Table, only_changes: Collection[int]) -> pa.Table:
    """Return what is due of generated readings, which are in the order of sending.

    Of the tags in `only_changes` those that differ from the reading before.
    """
    tag = made["tag"].to_numpy()
    code = pc.dictionary_encode(made["text"]).combine_chunks()
    parts = (
        tag,
        made["bits"].to_numpy(),
        made["status"].to_numpy(),
        code.indices.to_numpy(),
    )
    order = np.argsort(tag, kind="stable")
    same = np.zeros(len(tag), np.bool_)
    ordered = [part[order] for part in parts]
    same[1:] = np.logical_and.reduce([part[1:] == part[:-1] for part in ordered])
    same &= np.isin(tag[order], list(only_changes))
    keep = np.ones(len(tag), np.bool_)
    keep[order] = ~same
    return made.filter(pa.array(keep))


def equation(
    made: pa.Table,
    stored: pa.Table,
    gaps: Sequence[Declared],
    only_changes: Collection[int] = (),
) -> Sums:
    """Return the sums over all readings of KEY's columns."""
    due = distinct(changes(made, only_changes))
    have = distinct(stored)
    missing = without(due, have)
    inside = covered(missing, gaps)
    lost = missing.filter(pa.array(~inside))
    invented = without(have, distinct(made))
    again = pc.greater(have["count"], 1)
    return Sums(
        generated=len(due),
        stored=len(have),
        declared=int(inside.sum()),
        lost=len(lost),
        duplicate=len(stored) - len(have),
        invented=len(invented),
        examples=[
            *(f"lost: {row}" for row in lost.slice(0, 6).to_pylist()),
            *(f"not generated: {row}" for row in invented.slice(0, 3).to_pylist()),
            *(f"twice: {row}" for row in have.filter(again).slice(0, 3).to_pylist()),
        ],
    )


def distinct(rows: pa.Table) -> pa.Table:
    """Return each reading once, with its `count`."""
    grouped = rows.group_by(list(KEY)).aggregate([([], "count_all")])
    return grouped.rename_columns([*KEY, "count"])


def without(rows: pa.Table, others: pa.Table) -> pa.Table:
    """Return the readings that are not among `others`."""
    return rows.join(others.select(KEY), list(KEY), join_type="left anti")


def covered(
    rows: pa.Table, gaps: Sequence[Declared]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which readings lie inside a declared gap."""
    tag, time = rows["tag"].to_numpy(), rows["time"].to_numpy()
    inside = np.zeros(len(rows), np.bool_)
    for gap in gaps:
        within = time >= gap.start
        if gap.end is not None:
            within &= time < max(gap.end, gap.start + 1)
        if gap.tags is not None:
            within &= np.isin(tag, gap.tags)
        inside |= within
    return inside
