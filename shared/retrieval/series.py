"""One tag's readings as columns in time order, and how their quality is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.domain import FedbatchError
from shared.retrieval.status import severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.int64]
    Values = NDArray[np.float64]
    Statuses = NDArray[np.uint32]
    Mask = NDArray[np.bool_]
    Rows = NDArray[np.intp]


class TreatmentInvalid(FedbatchError):  # noqa: N818
    """Percentages that Part 13 refuses (Bad_AggregateInvalidInputs)."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """How quality decides (AggregateConfiguration of OPC 10000-13, its defaults)."""

    uncertain_is_bad: bool = True
    """Whether an Uncertain reading counts as Bad for bounds and aggregates."""
    percent_good: float = 100.0
    """At least this much good makes a result Good, in percent."""
    percent_bad: float = 100.0
    """At least this much bad makes a result Bad, in percent."""
    sloped_extrapolation: bool = False
    """After the last reading go on along the last two instead of holding it."""

    def __post_init__(self) -> None:
        fits = 100 - self.percent_bad <= self.percent_good <= 100
        if not fits or self.percent_bad > 100:
            raise TreatmentInvalid(
                f"percent good {self.percent_good}, percent bad {self.percent_bad}: "
                "expected each <= 100 and good >= 100 - bad"
            )


DEFAULT = Treatment()


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one tag, ascending by (time, tie); equally long columns.

    A null value is NaN. Several readings may share a time: the first of them ends
    what came before, the last of them begins what comes after.
    """

    time: Times
    value: Values
    status: Statuses
    stepped: bool
    """The value holds until the next reading; else it runs linearly."""
    text: NDArray[Any] | None = field(default=None, repr=False)
    """str or None per row; None when no row has text."""
    stored: Mask | None = field(default=None, repr=False)
    """False where a row was put in to say what is known, not read from a server."""

    def __len__(self) -> int:
        return len(self.time)

    def not_bad(self, treatment: Treatment) -> Mask:
        """Return which rows hold a value that may be used."""
        limit = 1 if treatment.uncertain_is_bad else 2
        usable: Mask = severity(self.status) < limit
        return usable & self._present()

    def numeric(self, treatment: Treatment) -> Mask:
        """Return which rows hold a number that may be calculated with."""
        return self.not_bad(treatment) & ~np.isnan(self.value)

    def is_stored(self) -> Mask:
        """Return which rows are readings."""
        return np.ones(len(self), np.bool_) if self.stored is None else self.stored

    def take(self, rows: Rows | Mask) -> Series:
        """Return the chosen rows, in the order chosen."""
        text = None if self.text is None else self.text[rows]
        stored = None if self.stored is None else self.stored[rows]
        columns = self.time[rows], self.value[rows], self.status[rows]
        return Series(*columns, self.stepped, text, stored)

    def _present(self) -> Mask:
        number: Mask = ~np.isnan(self.value)
        if self.text is None or not self.stepped:
            return number
        return number | np.array([text is not None for text in self.text], np.bool_)


def in_order(
    series: Series, tie: NDArray[np.int32]
) -> tuple[Series, NDArray[np.int32]]:
    """Return readings that came in any order by (time, tie), each once."""
    order = np.lexsort((tie, series.time))
    time, ties = series.time[order], tie[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(time) != 0) | (np.diff(ties.astype(np.int64)) != 0)
    return series.take(order[first]), ties[first]
