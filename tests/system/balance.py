"""Holds what a source generated against what the API answers: the loss equation.

generated = stored + inside a declared gap, per tag, value, time, status and text, bit
for bit; nothing stored that was not generated; nothing stored twice.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One reading, comparable bit for bit."""

    time: int
    """us UTC"""
    bits: int | None
    """The float64's own bits; None for null."""
    status: int
    text: str | None


def row(time: int, value: float | None, status: int, text: str | None = None) -> Row:
    """Return the comparable form of a reading; NaN stands for null."""
    if value is None or value != value:  # noqa: PLR0124  NaN is the only such value
        return Row(time, None, status, text)
    return Row(time, struct.unpack("<q", struct.pack("<d", value))[0], status, text)


@dataclass(frozen=True, slots=True)
class DeclaredGap:
    """As GET /gaps tells it."""

    start: int
    end: int | None
    tags: frozenset[str] | None
    """Full tag names; None for all."""
    cause: str

    def covers(self, tag: str, time: int) -> bool:
        """Whether a reading of `tag` at `time` is declared as possibly missing."""
        if self.tags is not None and tag not in self.tags:
            return False
        return self.start <= time and (self.end is None or time <= self.end)


@dataclass(slots=True)
class Balance:
    """The counts of one comparison, and examples of what is wrong."""

    generated: int = 0
    stored: int = 0
    declared: int = 0
    lost: int = 0
    duplicate: int = 0
    invented: int = 0
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
        return "\n  ".join([counts, *self.examples[:12]])


def changes(rows: Iterable[Row]) -> list[Row]:
    """Return what a `report: change` subscription must deliver of written rows."""
    kept: list[Row] = []
    for entry in rows:
        last = kept[-1] if kept else None
        if last is None or (entry.bits, entry.status, entry.text) != (
            last.bits,
            last.status,
            last.text,
        ):
            kept.append(entry)
    return kept


def balance(
    generated: Mapping[str, Sequence[Row]],
    stored: Mapping[str, Sequence[Row]],
    gaps: Sequence[DeclaredGap],
    only_changes: frozenset[str] = frozenset(),
) -> Balance:
    """Return the loss equation over all tags.

    Args:
        generated: rows in the order the source queued them, by full tag name.
        stored: rows as the API answers, by full tag name.
        gaps: declared intervals.
        only_changes: tags of which the server reports changes only.
    """
    result = Balance()
    for tag in sorted(set(generated) | set(stored)):
        made = list(generated.get(tag, ()))
        due = changes(made) if tag in only_changes else made
        have = Counter(stored.get(tag, ()))
        result.generated += len(set(due))
        result.stored += len(have)
        for entry, count in have.items():
            if count > 1:
                result.duplicate += count - 1
                result.examples.append(f"{tag}: {count} x {entry}")
        for entry in sorted(set(have) - set(made), key=repr):
            result.invented += 1
            result.examples.append(f"{tag}: not generated: {entry}")
        for entry in sorted(set(due) - set(have), key=repr):
            if any(gap.covers(tag, entry.time) for gap in gaps):
                result.declared += 1
            else:
                result.lost += 1
                result.examples.append(f"{tag}: lost: {entry}")
    return result
