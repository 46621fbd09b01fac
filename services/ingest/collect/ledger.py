"""Readings counted per vessel, minute of source time and hop. Pure.

Bounded by: MINUTES minutes of source time. When full: `is_full` asks for a record.
Order: none. Duplicates: counts are added by whoever reads them. On cancel: what was
not taken is counted again from the log at the next start (see collect.recount).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from shared.domain import US_PER_S
from shared.wire import LedgerCounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MINUTES = 64
_MINUTE_US = 60 * US_PER_S


class Ledger:
    """Counts of one server since they were last taken."""

    def __init__(self) -> None:
        self._tags: NDArray[np.int32] = np.empty(0, np.int32)
        self._counts: dict[tuple[int, str], NDArray[np.int64]] = {}

    def follow(self, tags: NDArray[np.int32]) -> None:
        """Take the handles of `tags`; handles only grow."""
        self._tags = tags
        self._counts = {
            key: np.pad(counts, (0, len(tags) - len(counts)))
            for key, counts in self._counts.items()
        }

    def count(
        self,
        handle: NDArray[np.intp],
        time: NDArray[np.int64],
        *hops: str,
    ) -> None:
        """Add one for each reading at each of the hops."""
        if not len(handle):
            return
        minutes = time // _MINUTE_US
        for minute in np.unique(minutes).tolist():
            chosen = handle[minutes == minute]
            added = np.bincount(chosen, minlength=len(self._tags))
            for hop in hops:
                key = (minute * _MINUTE_US, hop)
                self._counts[key] = self._counts.get(key, 0) + added

    @property
    def is_full(self) -> bool:
        """Whether a record is due before the minute is over."""
        return len({minute for minute, _ in self._counts}) >= MINUTES

    def take(self, vessel: Mapping[int, str]) -> list[LedgerCounts]:
        """Return the counts by vessel and start anew, without tags of no vessel."""
        taken, self._counts = self._counts, {}
        found: list[LedgerCounts] = []
        for (minute, hop), counts in taken.items():
            of_vessel: defaultdict[str, dict[int, int]] = defaultdict(dict)
            for handle in np.flatnonzero(counts).tolist():
                tag = int(self._tags[handle])
                if tag in vessel:
                    of_vessel[vessel[tag]][tag] = int(counts[handle])
            found += [
                LedgerCounts(name, minute, hop, tuple(tags), tuple(tags.values()))
                for name, tags in of_vessel.items()
            ]
        return found
