"""What a method sees and is scored on: recordings, and the questions about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Recording:
    """One file: rows in order of time, equally spaced."""

    name: str
    group: str
    rows: NDArray[np.float64]
    """[time, tag]."""
    fault: NDArray[np.bool_]
    """[time]: something was wrong."""
    aside: bool = False

    def part(self, chosen: NDArray[np.intp] | slice) -> Recording:
        """Return some of its rows."""
        return Recording(
            self.name, self.group, self.rows[chosen], self.fault[chosen], self.aside
        )


@dataclass(frozen=True)
class Question:
    """One thing to learn from, and what is scored after it.

    Where each recording brings its own past, there is a question for each.
    """

    training: tuple[NDArray[np.float64], ...]
    """Normal recordings, each [time, tag]."""
    scored: tuple[Recording, ...]
    aligned: bool = False
    """Equal rows of all recordings are equal times in a batch of one recipe."""


@dataclass(frozen=True)
class Answer:
    """What a method said about one recording."""

    recording: Recording
    alarm: NDArray[np.bool_]
    """[time]."""


def events(fault: NDArray[np.bool_]) -> list[slice]:
    """Return where the label holds without a break, in order.

    >>> events(np.array([False, True, True, False, True]))
    [slice(1, 3, None), slice(4, 5, None)]
    """
    edges = np.diff(np.concatenate([[0], fault.astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [slice(int(b), int(e)) for b, e in zip(begins, ends, strict=True)]
