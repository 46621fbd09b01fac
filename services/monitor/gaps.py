"""Declared gaps: time in which a tag's readings may be missing is not known time. Pure.

A value does not hold over a gap: readings may have been lost in it. Where a tag spoke
at its usual pace all the same, none were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from services.monitor.catalogue import numbers
from services.monitor.detectors.seen import NEVER
from shared.domain import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.monitor.pace import Pace
    from shared.domain import Gap
    from shared.plant import Plant, Vessel

MOST = 100
"""Gaps that are remembered..."""
OLD_US = 3_600 * US_PER_S
"""...and for how long after their end."""

_Key = tuple[str, str, int, tuple[int, ...] | None]


def of_servers(plant: Plant, vessel: Vessel) -> dict[str, NDArray[np.bool_]]:
    """Return, per server of a vessel, which of its tags by number it has."""
    tags = {tag.name: tag for tag in vessel.tags}
    names = [plant.server_of(vessel, tags[name]) for name in numbers(vessel)]
    return {
        server: np.array([name == server for name in names], np.bool_)
        for server in dict.fromkeys(names)
    }


class Gaps:
    """The newest gaps that concern a vessel.

    Bounded by: `MOST` gaps and `OLD_US`. When full: the one that was declared first is
    forgotten. Order: one that is declared again gets its new end. Duplicates: none.
    """

    def __init__(
        self, ids: NDArray[np.int32], of_server: Mapping[str, NDArray[np.bool_]]
    ) -> None:
        """Begin without gaps.

        Args:
            ids: tag ids by number.
            of_server: per server of the vessel, which of its tags it has.
        """
        self._ids = ids
        self._of_server = of_server
        self._ends: dict[_Key, int | None] = {}
        self._masks: dict[_Key, NDArray[np.bool_]] = {}

    def declare(self, gap: Gap) -> None:
        """Take a gap in, if it is one of this vessel's."""
        key = (gap.server, gap.cause.value, gap.start, gap.tags)
        self._keep(key, gap.end)

    def _keep(self, key: _Key, end: int | None) -> None:
        server, _, _, tags = key
        mask = self._of_server.get(server)
        if mask is None:
            return
        if tags is not None:
            mask = mask & np.isin(self._ids, tags)
        if not mask.any():
            return
        self._ends[key], self._masks[key] = end, mask
        for old in list(self._ends)[:-MOST]:
            del self._ends[old], self._masks[old]

    def unknown(
        self,
        tags: NDArray[np.intp],
        known: NDArray[np.int64],
        until: NDArray[np.int64] | int,
        pace: Pace,
    ) -> NDArray[np.int64] | None:
        """Return how much of the time since tags were known is not, us; None: nothing.

        Args:
            tags: numbers of those that are asked about.
            known: per tag of the vessel, until when it is known, us UTC.
            until: now, us UTC, of all or of each.
            pace: how often they speak.
        """
        if not self._ends:
            return None
        end = np.broadcast_to(np.asarray(until, np.int64), tags.shape)
        self._forget(int(end.max()) - OLD_US)
        lost = self._lost(tags, known[tags], end)
        lost[pace.punctual(tags, end)] = 0
        return lost

    def _forget(self, before: int) -> None:
        ended = {key: end for key, end in self._ends.items() if end is not None}
        for key in [key for key, end in ended.items() if end < before]:
            del self._ends[key], self._masks[key]

    def _lost(
        self,
        tags: NDArray[np.intp],
        start: NDArray[np.int64],
        end: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        lost = np.zeros(len(tags), np.int64)
        for key, until in self._ends.items():
            last = np.minimum(end, NEVER if until is None else until)
            inside = np.maximum(last - np.maximum(start, key[2]), 0)
            lost += np.where(self._masks[key][tags], inside, 0)
        most: NDArray[np.int64] = np.minimum(lost, np.maximum(end - start, 0))
        return most

    def words(self, tags: set[int], start: int, end: int) -> str:
        """Return the causes of gaps of some tags within [start, end), or nothing."""
        causes = {
            key[1]
            for key, until in self._ends.items()
            if key[2] < end
            and (until is None or until > start)
            and tags.intersection(np.flatnonzero(self._masks[key]).tolist())
        }
        return ", ".join(sorted(causes))

    def state(self) -> list[Any]:
        """Return what `restore` needs, JSON."""
        return [
            [server, cause, start, None if tags is None else list(tags), end]
            for (server, cause, start, tags), end in self._ends.items()
        ]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from what `state` returned, by a vessel with these or other tags."""
        self._ends, self._masks = {}, {}
        for server, cause, start, tags, end in state:
            self._keep((server, cause, start, tags and tuple(tags)), end)
